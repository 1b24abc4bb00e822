"""An answer as it came in, read by the project's task: its labels, and its value where it has one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from annotator.actions.projects.schema import check_answer
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Annotator, Item, Project, Shape
from learning.errors import LearningError
from learning.tasks.content import Content

if TYPE_CHECKING:
    from learning.tasks import Task


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
    content: Callable[[], Content],
) -> Answer:
    """The answer in its one canonical form; `content` is asked for where the task needs the item's.

    Raises InvalidError with a sentence for one that the schema, the task or the item cannot hold.
    """
    if project.has_questions:
        return _of_form(project, labels, value, question, content)
    if project.shape == Shape.LABELS:
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
    return of_value(project, value, content())


def _of_form(
    project: Project,
    labels: Sequence[int],
    value: object,
    question: int | None,
    content: Callable[[], Content],
) -> Answer:
    """The labels of a form's questions, and what is marked or written beside them."""
    task = project.task
    if not task.valued:
        if value is not None:
            raise InvalidError(
                "Answers of this project are labels, without a value.", field="value"
            )
        return Answer(check_answer(project, labels, question, task=task))
    live = {label for one in task.marking for label in one.live}
    try:
        canonical = task.read(_nothing(task) if value is None else value, content(), live)
        whole = task.whole(labels, canonical)
        checked = check_answer(project, whole, question, task=task)
        task.finished(checked, canonical)
    except LearningError as refusal:
        raise InvalidError(str(refusal), field="value") from refusal
    reached = task.answers(checked)
    asked = [one.name for one in task.marking if one.key in reached and one.live]
    if asked and (not isinstance(value, dict) or "spans" not in value):
        raise InvalidError(
            f"Labels alone are no answer to “{asked[0]}”: send a value with its spans, empty where "
            "there is nothing to mark.",
            field="value",
        )
    return Answer(checked, canonical)


def _nothing(task: Task) -> dict[str, Any]:
    """A value that marks and writes nothing."""
    return ({"spans": []} if task.marking else {}) | ({"texts": {}} if task.writing else {})


def of_value(project: Project, value: object, content: Content) -> Answer:
    """As `read`, of a value alone."""

    task = project.task
    live = list(project.live_labels().values_list("pk", flat=True))
    try:
        canonical = task.read(value, content, live)
    except LearningError as refusal:
        raise InvalidError(str(refusal), field="value") from refusal
    return Answer(task.labels_of(canonical), canonical)


def content_of_lease(annotator: Annotator, assignment_id: int) -> Content:
    """What an item holds that is or was with this annotator. Raises NotFoundError for any other."""
    held = Item.objects.filter(assignments__pk=assignment_id, assignments__annotator=annotator)
    item = held.only("text", "text_b", "candidates").first()
    if item is None:
        raise NotFoundError("That item is not yours to answer in this project.")
    return content_of(item)


def content_of(item: Item) -> Content:
    """What an answer to the item may depend on."""
    return Content(item.text, item.text_b, item.candidates)


def spelled(project: Project, words: str) -> Any:
    """The value that a plain form holds as a text. Raises InvalidError for one that says none."""
    from learning.tasks.values import spelled_task

    try:
        return spelled_task(project.task_type).unspell(words)
    except LearningError as refusal:
        raise InvalidError(str(refusal), field="value") from refusal
