"""The questions of a form on pages: what they are made of, and what plain forms say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from annotator.models import Project


def questions_of(project: Project, views: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each question with the views of its live labels; none where answers are no forms."""
    by_id: Mapping[int, dict[str, Any]] = {view["id"]: view for view in views}
    task = project.task
    return [
        {
            "key": one.key,
            "name": one.name,
            "several": part.several,
            "after": list(one.after),
            "labels": [pk for pk in one.labels if pk in by_id],
            "views": [by_id[pk] for pk in one.labels if pk in by_id],
        }
        for one, part in zip(task.questions, task.parts, strict=True)
    ]


def told(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same for a script, which has the labels already; one without labels is not asked."""
    return [
        {name: one[name] for name in one if name != "views"} for one in questions if one["labels"]
    ]


def given(form: QueryDict, field: str) -> list[str]:
    """What a form chose under a field, also question by question (“labels:urgency”)."""
    named = [name for name in form if name == field or name.startswith(f"{field}:")]
    return [each for name in named for each in form.getlist(name)]
