"""The questions of a form as a simulation replays them: over the labels that occur in its answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learning.tasks import Question, Task


def occurring(questions: Iterable[Question], labels: Collection[int]) -> list[Question]:
    """The questions that these labels answer. One that waits for none of them is not asked."""
    found: list[Question] = []
    there: set[int] = set()
    for one in questions:
        own = set(one.labels) & set(labels)
        if own and (not one.after or there & set(one.after)):
            found.append(one)
            there |= own
    return found


def noted(questions: Iterable[Question], column: Mapping[int, int]) -> list[dict[str, Any]]:
    """Questions as a manifest keeps them: labels are columns, those without one are left out."""
    return [
        {
            "key": one.key,
            "name": one.name,
            "kind": _kind(one, column),
            "labels": [column[label] for label in one.labels if label in column],
            "after": [column[label] for label in one.after if label in column],
        }
        for one in questions
    ]


def _kind(question: Question, column: Mapping[int, int]) -> str:
    """A comparison of which a side does not occur is a choice like others."""
    return (
        "single"
        if question.sided and not set(question.labels[:2]) <= set(column)
        else question.kind
    )


def task_of(task_type: str, questions: Iterable[Mapping[str, Any]]) -> Task:
    """The task of a replay, which asks the questions that were noted; there a column is a label's id."""
    from learning.tasks import TASKS, Question

    asked = [
        Question(
            key=one["key"],
            name=one["name"],
            kind=one["kind"],
            labels=tuple(one["labels"]),
            columns=tuple(one["labels"]),
            live=frozenset(one["labels"]),
            after=tuple(one["after"]),
        )
        for one in questions
    ]
    task = TASKS[task_type]()
    return task.asking(asked) if asked else task
