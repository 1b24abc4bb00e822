"""What a reviewer is offered to decide by, where an answer is more than labels."""

from __future__ import annotations

from typing import Any

from annotator.models import Item, Project, Shape, VerdictState
from annotator.web import asked, marks, texts, words

# A longer text stands on the page once; beside it each voice's marks are told by their words.
LONGEST_BESIDE = 400


def offered(project: Project, item: Item, context: dict[str, Any]) -> dict[str, Any]:
    """The places and texts of all voices; `context` holds what was said, the verdict and the questions."""
    if project.task.spelled:
        return _written(project, context)
    found: dict[str, Any] = {}
    if project.shape != Shape.LABELS or context["marks"]:
        found = _places(project, item, context)
    return found | (_texts({**context, **found}) if context["writes"] else {})


def _texts(context: dict[str, Any]) -> dict[str, Any]:
    """What the voices wrote to each question, and what the item has now, or what is nearest to all."""
    verdict = context["verdict"]
    value = None if verdict is None else verdict.value
    said = [each.annotation for each in context["said"]]
    decided = verdict is not None and verdict.state == VerdictState.DECIDED
    return {
        "questions": texts.with_texts(context["questions"], value, said),
        "had_texts": [
            (key, one["text"]) for key, one in (value or {}).get("texts", {}).items() if decided
        ],
    }


def _places(project: Project, item: Item, context: dict[str, Any]) -> dict[str, Any]:
    """Every place that a voice marked, to be kept or not, and each voice's own text beside the others."""
    labels = words.LabelBook(project)
    said: list[words.Said] = context["said"]
    verdict, voices = context["verdict"], len(said)
    is_decided = verdict is not None and verdict.state == VerdictState.DECIDED
    had = words.marked_in(verdict, item, labels)
    kept = {part.key for part in had}
    found = marks.side_by_side([each.annotation for each in said], item.text, labels, had)
    # Without a verdict, what most voices marked.
    places = [
        (each, each.key in kept if is_decided else 2 * len(each.voices) > voices) for each in found
    ]
    return {
        "places": places,
        "questions": asked.with_places(context["questions"], places),
        "had": had,
        "texts": [(each, marks.marked(item.text, each.parts)) for each in said],
        "folded": len(item.text) > LONGEST_BESIDE,
        "marked": marks.marked(item.text, had),
    }


def _written(project: Project, context: dict[str, Any]) -> dict[str, Any]:
    """What the voices wrote, each text once with who wrote it, and what the item has now."""
    said: list[words.Said] = context["said"]
    voices: dict[str, list[str]] = {}
    for each in said:
        voices.setdefault(each.told, []).append(each.annotation.annotator.name)
    verdict = context["verdict"]
    # A tie has a candidate too: what is nearest to all.
    has = "" if verdict is None else words.told(project, verdict.value)
    return {
        "written": list(voices.items()),
        "has": has,
        "comments": [each for each in said if each.annotation.comment],
    }
