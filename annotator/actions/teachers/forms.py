"""What of a form teachers are asked: the questions that labels or marks answer, as they are now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from annotator.models import Project
    from learning.tasks import Task
    from learning.teachers.types import TeacherQuestion, TeacherSchema


def nothing_to_ask(project: Project) -> str:
    """Why no teacher could answer any question of a form, "" where one could."""
    questions = project.task.questions
    if not questions or not all(one.writes for one in questions):
        return ""
    return (
        "Every question of this form takes a text of one's own, and teachers give labels and marks: "
        "there is nothing to ask them, and people write."
    )


def questions(task: Task, live: list[int]) -> Iterator[TeacherQuestion]:
    """What a form asks of teachers: all that is answered by labels or marks, and can be asked.

    A text of one's own is for people: nobody can take half of one over, and none would be shown it.
    """
    from learning.teachers.types import TeacherQuestion

    column = {label: at for at, label in enumerate(live)}
    for one, part in zip(task.questions, task.parts, strict=True):
        own = tuple(column[label] for label in one.labels if label in column)
        after = tuple(column[label] for label in one.after if label in column)
        if own and bool(after) == bool(one.after):
            yield TeacherQuestion(
                key=one.key,
                name=one.name,
                columns=own,
                several=part.several,
                ordered=part.ordered,
                sided=part.sided,
                marks=one.marks,
                after=after,
            )


def meaning_of(schema: TeacherSchema) -> list[tuple[Any, ...]]:
    """What makes a form this one: more answers to choose, and other names, make no other."""
    return [
        (one.key, one.several, one.ordered, one.marks, {schema.ids[each] for each in one.after})
        for one in schema.questions
    ]
