"""The columns of a form's questions in an export: the answer to each, empty where it was not asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from annotator.formats.spans import exported as exported_spans
from annotator.formats.written import COLUMN, EDITS
from annotator.models import Label, Shape
from learning.tasks import TASKS

if TYPE_CHECKING:
    from learning.tasks import Question, Task

# How places are written, by the shape of the question's own task type.
_WRITTEN = {"spans": exported_spans}


def kinds(task: Task) -> dict[str, str]:
    """Column -> the kind of its values."""
    found: dict[str, str] = {}
    for one in task.questions:
        found[f"{COLUMN}{one.key}"] = _kind(one)
        if one.edits:
            found[f"{EDITS}{one.key}"] = "integer"
    return found


def _kind(question: Question) -> str:
    of = TASKS[question.kind]
    if question.writes:
        return "text"
    if of.shape != Shape.LABELS:
        return "json"
    return "texts" if of.multi_label else "text"


def values(
    task: Task, names: Mapping[int, str], label_ids: list[int] | None, value: Any, text: str
) -> dict[str, Any]:
    """Column -> the answer, None where the question was not asked; label_ids None for what is no answer.

    Labels are named without their question; places stand with their words where `text` is given. A text
    that was asked for and left empty is one of no letters.
    """
    texts = (value or {}).get("texts", {})
    given = {} if label_ids is None else task.answers(label_ids)
    found: dict[str, Any] = dict.fromkeys(kinds(task))
    for one in task.questions:
        if one.key not in given:
            continue
        if one.writes:
            own_text = texts.get(one.key, {})
            found[f"{COLUMN}{one.key}"] = own_text.get("text", "")
            if one.edits:
                found[f"{EDITS}{one.key}"] = own_text.get("edits")
            continue
        parts = {pk: names[pk].partition(Label.BELOW)[2] for pk in one.labels}
        shape = TASKS[one.kind].shape
        if shape != Shape.LABELS:
            places = () if value is None else value[shape]
            own = {shape: [place for place in places if place["label"] in parts]}
            found[f"{COLUMN}{one.key}"] = _WRITTEN[shape](own, parts, text)
            continue
        said = [parts[pk] for pk in given[one.key]]
        found[f"{COLUMN}{one.key}"] = said if _kind(one) == "texts" else next(iter(said), None)
    return found


def texts(task: Task, value: Any) -> dict[str, str]:
    """Column -> the text that answers its question, where there is one."""
    said = (value or {}).get("texts", {})
    return {f"{COLUMN}{one.key}": said[one.key]["text"] for one in task.writing if one.key in said}
