"""An answer as it came in, read by the project's task: its labels, and its value where it has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from annotator.actions.projects.schema import LABELS, check_answer
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Annotator, Item, Project
from learning.errors import LearningError


class Answer(NamedTuple):
    """Label ids in schema order, or those that the value names; value None where labels say it all."""

    labels: list[int]
    value: Any = None

    def same_as(self, other: Answer) -> bool:
        return set(self.labels) == set(other.labels) and self.value == other.value


def read(
    project: Project,
    labels: Sequence[int],
    value: object,
    question: int | None,
    text: Callable[[], str],
) -> Answer:
    """The answer in its one canonical form; `text` is asked for where the task needs the item's.

    Raises InvalidError with a sentence for one that the schema, the task or the text cannot hold.
    """
    if project.shape == LABELS:
        if value is not None:
            raise InvalidError(
                "Answers of this project are labels, without a value.", field="value"
            )
        return Answer(check_answer(project, labels, question))
    if question is not None:
        raise InvalidError("No question about one label is asked here.", field="question")
    if value is None:
        raise InvalidError(
            "Labels alone are no answer here: send a value, empty where there is nothing.",
            field="value",
        )
    return of_value(project, value, text())


def of_value(project: Project, value: object, text: str) -> Answer:
    """As `read`, of a value alone."""
    from learning.tasks import TASKS

    task = TASKS[project.task_type]()
    live = list(project.live_labels().values_list("pk", flat=True))
    try:
        canonical = task.read(value, text, live)
    except LearningError as refusal:
        raise InvalidError(str(refusal), field="value") from refusal
    return Answer(task.labels_of(canonical), canonical)


def text_of_lease(annotator: Annotator, assignment_id: int) -> str:
    """The text of an item that is or was with this annotator. Raises NotFoundError for any other."""
    held = Item.objects.filter(assignments__pk=assignment_id, assignments__annotator=annotator)
    text = held.values_list("text", flat=True).first()
    if text is None:
        raise NotFoundError("That item is not yours to answer in this project.")
    return text
