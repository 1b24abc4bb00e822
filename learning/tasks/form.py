"""Form: an answer answers several questions with labels, some of them only after certain answers."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.consensus import ConsensusMethod
from learning.consensus.skills import Skills
from learning.errors import ShapeError
from learning.parts import asked, decoded, fitting, shares
from learning.tasks import TASKS, Task
from learning.tasks.columns import Columns
from learning.tasks.multi import Multi
from learning.tasks.question import Question
from learning.types import Bools, Consensus, Floats, Part, Votes, require


@dataclass(frozen=True, kw_only=True)
class Form(Multi):
    """Several questions with labels of their own, each read by its own task type. Source: decision 009.

    An answer is the set of all labels that were given. Which questions were asked follows from it: a
    condition looks back at labels of one earlier question, and a question that was not asked has none.
    Without questions it is what `Multi` is.
    """

    has_questions: ClassVar[bool] = True
    measure: ClassVar[str] = "questions"
    headline: ClassVar[str] = "questions_right"
    teachers: ClassVar[tuple[str, ...]] = ()
    students: ClassVar[tuple[str, ...]] = ("head",)
    strategies: ClassVar[tuple[str, ...]] = (
        "neediest",
        "margin",
        "representatives",
        "random",
        "probcover",
        "typiclust",
        "k-center",
    )
    consensus: ClassVar[tuple[str, ...]] = ("weighted-majority", "majority")
    conformal: ClassVar[tuple[str, ...]] = ()

    def asking(self, questions: Sequence[Question]) -> "Form":
        """The same task with these questions. Raises ShapeError where they could not be asked."""
        return AskedForm(questions=tuple(questions))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The questions as label columns."""
        column = {
            label: at
            for one in self.questions
            for label, at in zip(one.labels, one.columns, strict=True)
        }
        return tuple(
            Part(
                columns=one.columns,
                several=_task(one).multi_label,
                ordered=_task(one).ordered,
                after=tuple(column[label] for label in one.after),
            )
            for one in self.questions
        )

    def check(self, labels: Collection[int]) -> None:
        """Raise ShapeError, naming the question, for labels that are not one whole answer."""
        given = set(labels)
        if strange := given - {label for one in self.questions for label in one.labels}:
            raise ShapeError(f"Label {min(strange)} answers no question of this form.")
        missing = []
        for one, is_asked in self._asked(given):
            own = given & set(one.labels)
            if own and not is_asked:
                raise ShapeError(f"“{one.name}” is not asked after these answers: leave it out.")
            if is_asked and not _task(one).multi_label and one.live:
                require(len(own) < 2, f"“{one.name}” takes one answer.")
                missing += [] if own else [one.name]
        require(not missing, f"Still to be answered: {', '.join(missing)}.")

    def _asked(self, given: Collection[int]) -> Iterator[tuple[Question, bool]]:
        for one in self.questions:
            yield one, not one.after or not set(one.after).isdisjoint(given)

    def answers(self, labels: Collection[int]) -> dict[str, list[int]]:
        """key -> the labels given to each question that was asked, in the form's order."""
        given = set(labels)
        return {
            one.key: [label for label in one.labels if label in given]
            for one, is_asked in self._asked(given)
            if is_asked
        }

    def usable(self, targets: Floats) -> Bools:
        """(n,) bool: rows in which some question is answered."""
        if not self.questions:
            return super().usable(targets)
        answered = self._known(targets).any(axis=1)
        return np.asarray(answered, dtype=np.bool_)

    def known(self, targets: Floats, columns: Columns) -> Bools:
        """(n, k) bool for TrainingData: labels of questions that were not asked are not known."""
        if not self.questions:
            return super().known(targets, columns)
        return np.asarray(self._known(targets) & columns.active, dtype=np.bool_)

    def _known(self, targets: Floats) -> Bools:
        parts = self._fitting(targets)
        reached = asked(targets, parts)
        known = np.zeros(targets.shape, dtype=np.bool_)
        for place, part in enumerate(parts):
            rows = reached[:, place]
            if not part.several:  # an archived answer is none
                rows = rows & (targets[:, list(part.columns)].sum(axis=1) > 0)
            known[:, list(part.columns)] = rows[:, None]
        return known

    def _fitting(self, table: Floats) -> tuple[Part, ...]:
        return fitting(self.parts, table.shape[1])

    def chosen(self, probabilities: Floats) -> Bools:
        """(n, k) bool: the likeliest answer to each question that the answers before lead to."""
        if not self.questions:
            return super().chosen(probabilities)
        return decoded(probabilities, self._fitting(probabilities))

    def correct(self, truth: Floats, predicted: Floats) -> Bools:
        """(n,) bool: every question is answered as it should be."""
        same = (truth >= 0.5) == self.chosen(predicted)
        return np.asarray(same.all(axis=1), dtype=np.bool_)

    def metrics(
        self, truth: Floats, predicted: Floats, columns: Columns | None = None
    ) -> dict[str, float]:
        """What `Multi` tells, and questions_right: of the questions that were asked, how many were
        answered as they should be.
        """
        found = super().metrics(truth, predicted, columns)
        same = (truth >= 0.5) == self.chosen(predicted)
        parts = self._fitting(truth)
        reached = asked(truth, parts)
        right = [same[:, list(part.columns)].all(axis=1) for part in parts]
        total = int(reached.sum())
        good = sum(int((reached[:, place] & each).sum()) for place, each in enumerate(right))
        return found | {"questions_right": good / total if total else found["exact_match"]}

    def agree(
        self, method: ConsensusMethod, votes: Votes, skills: Skills | None = None
    ) -> Consensus:
        """Question by question, in their order, by the voices that were asked it.

        One that the verdict so far does not lead to is left out. A verdict is tied where a question is,
        or where nobody was asked one that it leads to. One that has no labels is not asked.
        """
        if not self.questions:
            return super().agree(method, votes, skills)
        parts = self._fitting(np.asarray(votes.answers))
        spoke = asked(votes.answers, parts)  # (v, p)
        answers = np.zeros((votes.items, votes.answers.shape[1]), dtype=np.bool_)
        believed = np.zeros(answers.shape, dtype=np.float32)
        tied = np.zeros(votes.items, dtype=np.bool_)
        for place, part in enumerate(parts):
            if not part.columns:
                continue
            found = method.aggregate(_about(votes, part, spoke[:, place]))
            reached: Bools = np.ones(votes.items, dtype=np.bool_)
            if part.after:
                reached = np.asarray(answers[:, list(part.after)].any(axis=1))
            columns = list(part.columns)
            answers[:, columns] = found.answers & reached[:, None]
            believed[:, columns] = found.shares * reached[:, None]
            # Whoever was asked and named no label could not: all were archived by then, or none was there.
            heard = np.bincount(votes.item[spoke[:, place]], minlength=votes.items) > 0
            tied |= reached & (found.tied | ~heard)
        count = np.bincount(votes.item, minlength=votes.items).astype(np.int64)
        same = ((votes.answers >= 0.5) == answers[votes.item]).all(axis=1)
        return Consensus(
            answers=answers,
            shares=believed,
            tied=tied & (count > 0),
            votes=count,
            skill={
                int(who): float(same[(votes.annotator == who) & ~tied[votes.item]].mean())
                for who in np.unique(votes.annotator[~tied[votes.item]])
            },
        )

    def distance(self, a: Collection[int], b: Collection[int], columns: Columns) -> float:
        """The mean over the questions that one of two answers was asked, each by its own task: 0 equal
        … 1. A question that one alone was asked counts 1.
        """
        if not self.questions:
            return super().distance(a, b, columns)
        one, other = self.answers(a), self.answers(b)
        far = [
            _apart(each, one.get(each.key), other.get(each.key), columns)
            for each in self.questions
            if each.key in one or each.key in other
        ]
        return sum(far) / len(far) if far else 0.0

    def apart(self, columns: Columns) -> "FormDistance":
        """Answers are as far apart as those to their questions."""
        return FormDistance(form=self, columns=columns)

    def mended(self, given: Sequence[int], label: int, said: Floats, columns: Columns) -> list[int]:
        """The answer with the question of one label answered otherwise, as (k,) probabilities have it.

        What is asked then and was not asked before is answered by them too.
        """
        if not self.questions:
            return super().mended(given, label, said, columns)
        table = np.asarray(said)[None, :]
        parts = self._fitting(table)
        likely = shares(table, parts)
        found: set[int] = set()
        for place, one in enumerate(self.questions):
            if one.after and found.isdisjoint(one.after):
                continue
            own = [each for each in given if each in one.labels]
            if label in one.labels:
                own = _otherwise(one, parts[place], own, label, likely[place][0])
            elif not own and not parts[place].several:
                own = _otherwise(one, parts[place], own, -1, likely[place][0])
            found.update(own)
        return [each for each in columns.label_ids if each in found]


@dataclass(frozen=True, kw_only=True)
class AskedForm(Form):
    """A form with the questions of a project, in the order in which they are asked."""

    questions: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        place: dict[int, int] = {}
        for number, one in enumerate(self.questions):
            require(
                one.kind in TASKS and TASKS[one.kind].shape == "labels",
                f"“{one.name}” asks labels.",
            )
            owners = {place.get(label) for label in one.after}
            require(
                not one.after or (len(owners) == 1 and None not in owners),
                f"“{one.name}” waits for answers to one earlier question.",
            )
            require(
                not place.keys() & set(one.labels),
                f"“{one.name}” shares a label with another question: each has its own.",
            )
            place |= dict.fromkeys(one.labels, number)


@dataclass(frozen=True, kw_only=True)
class FormDistance:
    """The distance of two answers to a form."""

    form: Form
    columns: Columns

    def __call__(self, a: frozenset[int], b: frozenset[int]) -> float:
        """0 equal … 1 nothing in common."""
        return self.form.distance(a, b, self.columns)


def _task(question: Question) -> Task:
    return TASKS.create(question.kind)


def _about(votes: Votes, part: Part, spoke: Bools) -> Votes:
    """What the voices that were asked one question said to it."""
    answers = np.asarray(votes.answers, dtype=np.float32)[:, list(part.columns)]
    if not part.several:
        spoke = spoke & answers.any(axis=1)
    return Votes(
        items=votes.items,
        item=votes.item[spoke],
        annotator=votes.annotator[spoke],
        answers=answers[spoke],
        weights=None if votes.weights is None else votes.weights[spoke],
        multi_label=part.several,
    )


def _apart(
    question: Question, one: list[int] | None, other: list[int] | None, columns: Columns
) -> float:
    if one is None or other is None or (bool(one) != bool(other)):
        return 1.0
    if not one:
        return 0.0
    own = Columns(
        label_ids=question.labels,
        archived=columns.archived & set(question.labels),
    )
    return _task(question).distance(one, other, own)


def _otherwise(
    question: Question, part: Part, given: list[int], label: int, said: NDArray[np.float32]
) -> list[int]:
    """Another answer to the question than the one with this label: the likeliest that is left."""
    if part.several:
        return [each for each in given if each != label] + ([] if label in given else [label])
    chance = dict(zip(question.labels, said.tolist(), strict=False))
    left = [each for each in question.labels if each in question.live and each not in given]
    return [max(left, key=lambda each: chance.get(each, 0.0))] if left else given
