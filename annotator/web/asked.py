"""The questions of a form on pages: what they are made of, and what plain forms say of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import QueryDict

from annotator.models import Project
from annotator.web.marks import Part
from learning.tasks import TASKS, Question


def questions_of(project: Project, views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each question with the views of its live labels; none where answers are no forms."""
    by_id: Mapping[int, dict[str, Any]] = {view["id"]: view for view in views}
    task = project.task
    return [
        {
            "key": one.key,
            "name": one.name,
            "several": part.several,
            "marks": one.marks,
            "writes": one.writes,
            "optional": one.optional,
            "edits": one.edits,
            "after": list(one.after),
            "labels": [pk for pk in one.labels if pk in by_id],
            "keys": _keys(one, [by_id[pk] for pk in one.labels if pk in by_id]),
            "views": [by_id[pk] for pk in one.labels if pk in by_id],
        }
        for one, part in zip(task.questions, task.parts, strict=True)
    ]


def _keys(question: Question, views: list[dict[str, Any]]) -> list[str]:
    """The keys that its kind gives to its labels; none where they are counted from the first."""
    own = {key: hotkey for _, key, hotkey in TASKS[question.kind].begins_with}
    return [own.get(view["begun"], "") for view in views] if own else []


def needs_own_value(question: dict[str, Any]) -> bool:
    """Whether every answer needs a text or places to a question, so that none is given by labels alone."""
    written = question["writes"] and not question["optional"]
    marked = question["marks"] and bool(question["labels"])
    return not question["after"] and (written or marked)


def context_of(project: Project, views: list[dict[str, Any]]) -> dict[str, Any]:
    """The questions for a page that decides answers; whether some mark the text, and by which labels, or
    are written to.
    """
    questions = questions_of(project, views)
    return {
        "questions": questions,
        "marks": any(one["marks"] for one in questions),
        "writes": any(one["writes"] for one in questions),
        "markable": markable(questions, views),
    }


def with_places(
    questions: list[dict[str, Any]], places: Iterable[tuple[Part, bool]]
) -> list[dict[str, Any]]:
    """The same with the places of the text that a page offers, each whether it is chosen."""
    found = list(places)
    return [
        one | {"places": [each for each in found if each[0].label.pk in one["labels"]]}
        if one["marks"]
        else one
        for one in questions
    ]


def markable(questions: list[dict[str, Any]], views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the labels those that may be put on a place of the text."""
    if not questions:
        return views
    return [view for one in questions if one["marks"] for view in one["views"]]


def told(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for a script, which has the labels already; one without labels is not asked."""
    return [
        {name: one[name] for name in one if name != "views"}
        for one in questions
        if one["labels"] or one["writes"]
    ]


def given(form: QueryDict, field: str) -> list[str]:
    """What a form chose under a field, also question by question (“labels:urgency”)."""
    named = [name for name in form if name == field or name.startswith(f"{field}:")]
    return [each for name in named for each in form.getlist(name)]
