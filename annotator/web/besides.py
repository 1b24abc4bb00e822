"""What a head learned from beside the answers, in words: by whom it was taught, and what that bought."""

from __future__ import annotations

from typing import Any

from annotator.actions.queue import auditing
from annotator.actions.students import distilling
from annotator.models import Project, StudentVersion, WarmStart
from annotator.templatetags.concord import amount
from annotator.web import promotions

# Students that learn from others' words beside the answers.
KINDS = ("head", "order-head")


def told(project: Project, version: StudentVersion | None) -> str:
    """What the page says under “Beside the answers”; nothing where there is no other voice."""
    if version is None or version.kind not in KINDS:
        return ""
    return " ".join(filter(None, (began(version), others(project, version))))


def others(project: Project, version: StudentVersion | None) -> str:
    """The same without what it began with."""
    if version is None or version.kind not in KINDS:
        return ""
    if not set(version.beside) - {"warm"}:
        return "The settings keep it to the answers." if not project.soft_rows else ""
    if version.beside.get("missing") and not project.audit_share:
        return (
            "It learned from the answers alone. Only evaluation answers tell whether another machine is "
            "better, and so worth learning from, and the settings ask for none."
        )
    unanswered = version.beside.get("unanswered")
    if "rows" in (unanswered or {}):
        return _by_itself(unanswered)
    voice = _told(project, version.beside) if {"voice", "missing"} & set(version.beside) else ""
    return " ".join(filter(None, (voice, _by_itself(unanswered) if unanswered else "")))


def began(version: StudentVersion) -> str:
    """What a head made of what it was to begin with."""
    start = version.beside.get("warm")
    if not start:
        return ""
    if start["used"]:
        return (
            f"It began with {amount(start['labels'], 'label')} of “{start['source']}”, learned "
            f"from {amount(start['rows'], 'answered item')} there. {_bought(start)}"
        )
    return f"It did not begin with labels of “{start['source']}”: {_left_out(start)}."


def _bought(start: dict[str, Any]) -> str:
    if "bought" in start:
        return f"What that bought: the head is {_gap(start['bought'])} with them than without."
    if start["held_out"]:
        return "Answers that were held out are explained no worse with them."
    return "What that buys is measured once enough evaluation answers are there."


def _left_out(start: dict[str, Any]) -> str:
    """Why a warm start was not kept."""
    if start["why"] == "harm" and "bought" in start:
        return f"with them the head is {_gap(start['bought'])} than without"
    return {
        "harm": "answers that were held out are explained worse with them",
        "waiting": "they were not taken over yet",
        "encoder": "the items are encoded anew since; take them over again",
        "sample": "items came since whose answers there they rest on and which are drawn to measure "
        "students here; take them over again",
        "labels": "none of the matched labels is left, or their files are damaged",
        "voice": "another machine teaches it more",
        "unanswered": "items that nobody answered teach it more",
    }[start["why"]]


def warm(version: StudentVersion | None, start: WarmStart | None) -> str:
    """The same of the newest head, where it knows of this very start."""
    if version is None or start is None or not start.folder:
        return ""
    known = version.beside.get("warm", {})
    if known.get("start") != start.pk:
        return "The next student begins with it."
    return (
        _bought(known)
        if known["used"]
        else f"Left out of student {version.number}: {_left_out(known)}."
    )


def _by_itself(unanswered: dict[str, Any]) -> str:
    """What items alone taught it."""
    gap = _gap(unanswered["bought"])
    if "rows" not in unanswered:
        return f"With unanswered items as well the head is {gap} than without, so it left them out."
    return (
        f"It learned also from {unanswered['rows']:,} items that nobody answered: how they lie, and those that "
        f"it is sure of. What it bought: the head is {gap} with them than without."
    )


def _told(project: Project, beside: dict[str, Any]) -> str:
    if "voice" not in beside:
        return _unmeasured(project, beside["missing"])
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
            f"without{_chance(beside['bought'])}, so it learned from the answers alone."
        )
    return f"It learned from the answers alone: {name} is {measured}{_chance(found)}."


def _unmeasured(project: Project, missing: int) -> str:
    if missing and (why := auditing.reach(project).told):
        return f"It learned from the answers alone. {why}"
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


def _chance(found: dict[str, Any]) -> str:
    return ", which may be chance" if found["difference"] > 0 else ""


def _first(voice: dict[str, Any]) -> str:
    """Its name where a sentence begins; a teacher is called as people called it."""
    name = distilling.name_of(voice)
    return name[:1].upper() + name[1:] if "student" in voice else name
