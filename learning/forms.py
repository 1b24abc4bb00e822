"""Forms: several questions about one item, some of which are asked only after certain answers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from learning.errors import ShapeError
from learning.tasks import TASKS, Columns, Content, Task
from learning.types import require


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Ask only if an earlier question was answered with one of these labels.

    question: the earlier question's key; labels: ids of its labels, one at least.
    """

    question: str
    labels: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question of a form.

    key: its name in answers; task_type: what an answer to it is; labels: ids of its own labels that
    are in use; required: the form is not finished without it, where it is asked.
    """

    key: str
    task_type: str
    labels: frozenset[int] = frozenset()
    required: bool = True
    only_if: Condition | None = None

    @property
    def task(self) -> Task:
        """Its task type, which does all that depends on the shape of its answers."""
        return TASKS.create(self.task_type)

    def read(self, answer: object, content: Content) -> dict[str, Any]:
        """The answer in its one canonical form: {"labels": [7]}, or {"value": {…}} where labels
        alone do not tell it.

        Raises ShapeError with a sentence that names the question.
        """
        try:
            if self.task.shape == "labels":
                return {"labels": self._read_labels(_only("labels", answer))}
            value = _only("value", answer)
            return {"value": self.task.read(value, content, self.labels)}
        except ShapeError as refusal:
            raise ShapeError(f"{self.key}: {refusal}") from refusal

    def _read_labels(self, named: object) -> list[int]:
        if not isinstance(named, list) or not all(type(one) is int for one in named):
            raise ShapeError("`labels` is a list of label ids.")
        require(len(named) == len(set(named)), "A label is named twice.")
        require(self.task.multi_label or len(named) == 1, "One label is wanted.")
        if strange := set(named) - self.labels:
            raise ShapeError(f"Label {min(strange)} is none of this question's.")
        return sorted(named)

    def labels_of(self, answer: Mapping[str, Any]) -> list[int]:
        """The label ids that a canonical answer names, ascending, each once."""
        if "labels" in answer:
            return list(answer["labels"])
        return self.task.labels_of(answer["value"])

    def distance(self, a: Mapping[str, Any], b: Mapping[str, Any], columns: Columns) -> float:
        """Disagreement of two canonical answers, by its task type: 0 equal … 1."""
        (kind,) = a  # the answers to one question are all of one kind
        return self.task.distance(a[kind], b[kind], columns)


@dataclass(frozen=True, kw_only=True)
class Form:
    """Questions in the order in which they are asked. A canonical answer to a form is
    {"answers": {key: canonical answer of that question}}, in that order.

    Raises ShapeError for a form that could not be asked. Conditions look back only, so that there are
    no circles, and only at answers that name labels.
    """

    questions: tuple[Question, ...]
    _by_key: dict[str, Question] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require(bool(self.questions), "A form has one question at least.")
        earlier: dict[str, Question] = {}
        for question in self.questions:
            require(bool(question.key), "Every question needs a key.")
            require(question.key not in earlier, f"Two questions are called “{question.key}”.")
            _check_labels(question, earlier)
            _check_condition(question, earlier)
            earlier[question.key] = question
        require(bool(self.item_kinds), "No kind of item can be asked all of these questions.")
        object.__setattr__(self, "_by_key", earlier)

    @property
    def item_kinds(self) -> frozenset[str]:
        """The kinds of items that can be asked every question."""
        return frozenset.intersection(*(one.task.item_kinds for one in self.questions))

    def asked(self, answers: Mapping[str, Mapping[str, Any]]) -> Iterator[Question]:
        """The questions that these canonical answers lead to.

        A condition on a question that is itself not asked, or has no answer, does not hold.
        """
        reached: set[str] = set()
        for question in self.questions:
            if _holds(question.only_if, answers, reached, self._by_key):
                reached.add(question.key)
                yield question

    def read(self, value: object, content: Content) -> dict[str, Any]:
        """The answer to the whole form in its one canonical form.

        Raises ShapeError where a required question has no answer, or one has that is not asked.
        """
        if not isinstance(value, dict) or set(value) != {"answers"}:
            raise ShapeError('An answer of a form is {"answers": {…}} and nothing else.')
        given = value["answers"]
        if not isinstance(given, dict):
            raise ShapeError("`answers` maps the keys of questions to answers.")
        if strange := set(given) - set(self._by_key):
            raise ShapeError(f"There is no question “{min(strange, key=str)}”.")
        answers = {
            one.key: one.read(given[one.key], content) for one in self.questions if one.key in given
        }
        asked = {one.key: one for one in self.asked(answers)}
        if hidden := [key for key in answers if key not in asked]:
            raise ShapeError(f"“{hidden[0]}” is not asked after these answers: leave it out.")
        missing = [key for key, one in asked.items() if one.required and key not in answers]
        require(not missing, f"Still to be answered: {', '.join(missing)}.")
        require(bool(answers), "No question is answered: answer one, or skip the item.")
        return {"answers": answers}

    def labels_of(self, value: Mapping[str, Any]) -> list[int]:
        """The label ids that a canonical answer to the form names, ascending, each once."""
        answers = value["answers"]
        return sorted(
            {label for key in answers for label in self._by_key[key].labels_of(answers[key])}
        )

    def distance(
        self, a: Mapping[str, Any], b: Mapping[str, Any], columns: Mapping[str, Columns]
    ) -> float:
        """The mean distance over the questions that one of the two answered: 0 equal … 1.

        A question that one alone answered counts 1. columns: of each question, by its key.
        """
        one, other = a["answers"], b["answers"]
        far = [
            self._by_key[key].distance(one[key], other[key], columns[key])
            if key in one and key in other
            else 1.0
            for key in one.keys() | other.keys()
        ]
        return sum(far) / len(far)


def _only(part: str, answer: object) -> object:
    if not isinstance(answer, dict) or set(answer) != {part}:
        raise ShapeError(f'An answer is {{"{part}": …}} and nothing else.')
    return answer[part]


def _check_labels(question: Question, earlier: Mapping[str, Question]) -> None:
    key, has_labels = question.key, question.task.has_labels
    require(has_labels or not question.labels, f"“{key}” takes no labels.")
    require(bool(question.labels) or not has_labels, f"“{key}” needs labels.")
    for other in earlier.values():
        require(
            not question.labels & other.labels,
            f"“{key}” and “{other.key}” share a label: every question has its own.",
        )


def _check_condition(question: Question, earlier: Mapping[str, Question]) -> None:
    condition = question.only_if
    if condition is None:
        return
    if condition.question not in earlier:
        raise ShapeError(
            f"“{question.key}” depends on “{condition.question}”, which is no earlier question."
        )
    require(
        bool(condition.labels) and condition.labels <= earlier[condition.question].labels,
        f"“{question.key}” depends on answers that “{condition.question}” does not have.",
    )


def _holds(
    condition: Condition | None,
    answers: Mapping[str, Mapping[str, Any]],
    reached: set[str],
    questions: Mapping[str, Question],
) -> bool:
    if condition is None:
        return True
    key = condition.question
    if key not in reached or key not in answers:
        return False
    return not condition.labels.isdisjoint(questions[key].labels_of(answers[key]))
