"""Form: an answer answers several questions with labels, some of them only after certain answers."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from learning.consensus import ConsensusMethod
from learning.consensus.skills import Skills
from learning.edits import apart
from learning.errors import ShapeError
from learning.parts import asked, decoded, fitting, shares
from learning.spans import Span, spans_of
from learning.tasks import TASKS, Task, form_marks, form_texts, form_votes
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.form_texts import TEXTS
from learning.tasks.multi import Multi
from learning.tasks.question import Question
from learning.types import Bools, Consensus, Floats, Part, Votes, require


@dataclass(frozen=True, kw_only=True)
class Form(Multi):
    """Several questions with labels of their own, each read by its own task type. Source: decisions 009,
    010 and 012.

    An answer is the set of all labels that were given. Which questions were asked follows from it: a
    condition looks back at labels of one earlier question, and a question that was not asked has none.
    Where a question marks places of the text, the labels that occur are given, and the places are in the
    answer's value; so are the texts that answer questions. Without questions it is what `Multi` is.
    """

    has_questions: ClassVar[bool] = True
    measure: ClassVar[str] = "questions"
    headline: ClassVar[str] = "questions_right"
    teachers: ClassVar[tuple[str, ...]] = ("openai", "recorded")
    weighed: ClassVar[bool] = False
    called: ClassVar[str] = "forms"
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
                sided=one.sided,
                after=tuple(column[label] for label in one.after),
            )
            for one in self.questions
        )

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """The first two columns of each question that compares two texts."""
        return tuple((one.columns[0], one.columns[1]) for one in self.questions if one.sided)

    @property
    def marking(self) -> tuple[Question, ...]:
        """The questions whose answers are places of the text."""
        return tuple(one for one in self.questions if one.marks)

    @property
    def writing(self) -> tuple[Question, ...]:
        """The questions whose answers are texts."""
        return tuple(one for one in self.questions if one.writes)

    @property
    def valued(self) -> bool:
        """Whether some question marks the text, or is answered with one."""
        return any(one.marks or one.writes for one in self.questions)

    def read(
        self, value: object, content: Content, labels: Collection[int]
    ) -> dict[str, Any] | None:
        """The spans of all questions that mark the text, and the texts of those that are written to, in
        their one form; None without such.
        """
        if not self.valued:
            return super().read(value, content, labels)
        if not self.writing:
            return form_marks.read(self.marking, value, content, labels)
        parts = ["spans", TEXTS] if self.marking else [TEXTS]
        if not isinstance(value, dict) or not set(value) <= set(parts):
            told = ", ".join(f'"{part}": …' for part in parts)
            raise ShapeError(f"The value of an answer to this form is {{{told}}} and nothing else.")
        found: dict[str, Any] = {}
        if self.marking:
            spans = {"spans": value.get("spans", [])}
            found |= form_marks.read(self.marking, spans, content, labels)
        return found | {TEXTS: form_texts.read(self.writing, value.get(TEXTS, {}), content)}

    def whole(self, labels: Sequence[int], value: Any) -> list[int]:
        """All labels of an answer, in the form's order: those given, and those that its spans carry.

        Raises ShapeError for a label that should mark a place and marks none.
        """
        carried = {span.label for span in spans_of(value)} if value and self.marking else set()
        for one in self.marking:
            require(
                set(one.labels) & set(labels) <= carried,
                f"“{one.name}” is answered by marking the text: send its spans as the value.",
            )
        given = {*labels, *carried}
        ordered = [label for one in self.questions for label in one.labels if label in given]
        return [*ordered, *sorted(given - set(ordered))]

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

    def finished(self, labels: Collection[int], value: Any) -> None:
        """Raise ShapeError, naming the question, where a text is missing or answers nothing."""
        texts = (value or {}).get(TEXTS, {})
        reached = self.answers(labels)
        for one in self.writing:
            if one.key in texts and one.key not in reached:
                raise ShapeError(f"“{one.name}” is not asked after these answers: leave it out.")
        missing = [
            one.name
            for one in self.writing
            if one.key in reached and one.key not in texts and not one.optional
        ]
        require(not missing, f"Still to be written: {', '.join(missing)}.")

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
        parts = tuple(part for part in self._fitting(truth) if part.columns)
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
        marks: list[list[Span]] = [[] for _ in range(votes.items)]
        texts: list[dict[str, Any]] = [{} for _ in range(votes.items)]
        for place, (one, part) in enumerate(zip(self.questions, parts, strict=True)):
            if not part.columns and not one.writes:
                continue
            reached: Bools = np.ones(votes.items, dtype=np.bool_)
            if part.after:
                reached = np.asarray(answers[:, list(part.after)].any(axis=1))
            # Whoever was asked and named no label could not: all were archived by then, or none was there.
            heard = np.bincount(votes.item[spoke[:, place]], minlength=votes.items) > 0
            if one.writes:
                middle = form_texts.agreed(method, votes, spoke[:, place], one)
                tied |= reached & (middle.tied | ~heard)
                form_texts.put(texts, one, middle, reached)
                continue
            found = form_votes.settled(method, votes, spoke[:, place], one, part)
            columns = list(part.columns)
            answers[:, columns] = found.answers & reached[:, None]
            believed[:, columns] = found.shares * reached[:, None]
            tied |= reached & (found.tied | ~heard)
            if isinstance(found, form_marks.Marked):
                for item in np.flatnonzero(reached).tolist():
                    marks[item] = sorted([*marks[item], *found.marks[item]])
        count = np.bincount(votes.item, minlength=votes.items).astype(np.int64)
        return Consensus(
            answers=answers,
            shares=believed,
            tied=tied & (count > 0),
            votes=count,
            skill=form_votes.skill(votes, answers, marks, tied),
            marks=None if votes.marks is None else marks,
            texts=None if votes.texts is None else texts,
        )

    def distance(self, a: Collection[Any], b: Collection[Any], columns: Columns) -> float:
        """The mean over the questions that one of two answers was asked, each by its own task: 0 equal
        … 1. A question that one alone was asked counts 1.

        An answer may name its spans and texts beside its labels; then those are what is compared. A
        question that is written to counts where one of both wrote.
        """
        if not self.questions:
            return super().distance(a, b, columns)
        return self._distance(a, b, columns, apart)

    def _distance(
        self,
        a: Collection[Any],
        b: Collection[Any],
        columns: Columns,
        far: Callable[[str, str], float],
    ) -> float:
        one, other = self.answers(a), self.answers(b)
        found: list[float] = []
        for each in self.questions:
            both = one.get(each.key), other.get(each.key)
            if both == (None, None):
                continue
            if each.writes:
                texts = form_texts.TextDistance(key=each.key, far=far)
                found += [texts(a, b) if None not in both else 1.0] if texts.is_told(a, b) else []
            elif each.marks and None not in both:
                found.append(form_marks.apart(each, a, b))
            else:
                found.append(_apart(each, *both, columns))
        return sum(found) / len(found) if found else 0.0

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
                own = one.otherwise(parts[place], own, label, likely[place][0])
            elif not own and not parts[place].several:
                own = one.otherwise(parts[place], own, -1, likely[place][0])
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
                one.kind in TASKS and TASKS[one.kind].shape in ("labels", "spans", "text"),
                f"“{one.name}” asks labels, spans of the text, or a text.",
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
    """The distance of two answers to a form; those of two texts are worked out once."""

    form: Form
    columns: Columns
    far: Callable[[str, str], float] = field(default_factory=form_texts.remembering, compare=False)

    def __call__(self, a: frozenset[Any], b: frozenset[Any]) -> float:
        """0 equal … 1 nothing in common."""
        return self.form._distance(a, b, self.columns, self.far)


def _task(question: Question) -> Task:
    return TASKS.create(question.kind)


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
