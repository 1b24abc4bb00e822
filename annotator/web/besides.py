"""What a head learned from beside the answers, in words: by whom it was taught, and what that bought."""

from __future__ import annotations

from typing import Any

from annotator.actions.students import distilling
from annotator.models import Project, StudentVersion
from annotator.web import promotions


def told(project: Project, version: StudentVersion | None) -> str:
    """What the page says under “Beside the answers”; nothing where there is no other voice."""
    if version is None or version.kind != "head" or not (version.beside or not project.soft_rows):
        return ""
    if not version.beside:
        return "The settings keep it to the answers." if not project.soft_rows else ""
    if version.beside.get("missing") and not project.audit_share:
        return (
            "It learned from the answers alone. Only evaluation answers tell whether another machine is "
            "better, and so worth learning from, and the settings ask for none."
        )
    return _told(version.beside)


def _told(beside: dict[str, Any]) -> str:
    if "voice" not in beside:
        return _unmeasured(beside["missing"])
    name = distilling.name_of(beside["voice"])
    found = beside["better"]
    measured = f"{_gap(found)} than what the answers alone teach"
    if beside.get("rows"):
        return (
            f"It learned also from {beside['rows']:,} soft rows of {name} (weight {beside['weight']:.2g}): "
            f"what that says of items nobody answered, because it is {measured}. "
            f"What it bought: the head is {_gap(beside['bought'])} with them than without."
        )
    if "found" in beside:
        return (
            f"{_first(beside['voice'])} is {measured}, but has a word on only {beside['found']:,} items that nobody "
            "answered: too few to learn from."
        )
    if "bought" in beside:
        return (
            f"{_first(beside['voice'])} is {measured}, but taught by it the head is {_gap(beside['bought'])} than "
            "without, so it learned from the answers alone."
        )
    chance = ", which may be chance" if found["difference"] > 0 else ""
    return f"It learned from the answers alone: {name} is {measured}{chance}."


def _unmeasured(missing: int) -> str:
    if missing:
        return (
            "It learned from the answers alone. Whether another machine is better, and so worth learning "
            f"from, is known after {missing:,} more evaluation answers."
        )
    return (
        "It learned from the answers alone: no teacher and no other student has a word on enough "
        "answered evaluation items yet to be measured."
    )


def _gap(found: dict[str, Any]) -> str:
    """“8.0 points better (2.1 to 13.9) on 120 drawn items”."""
    gap = found["difference"]
    if not gap:
        return f"no better (on {found['n']:,} drawn items)"
    word = "better" if gap > 0 else "worse"
    ends = promotions.between(found["low"], found["high"])
    return f"{abs(gap) * 100:.1f} points {word} ({ends}, on {found['n']:,} drawn items)"


def _first(voice: dict[str, Any]) -> str:
    """Its name where a sentence begins; a teacher is called as people called it."""
    name = distilling.name_of(voice)
    return name[:1].upper() + name[1:] if "student" in voice else name
