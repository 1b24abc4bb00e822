"""Task types: the shape of an answer, and how it becomes an array."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.consensus import ConsensusMethod
from learning.consensus.agreement import Distance, Grades
from learning.consensus.skills import Skills
from learning.registry import Entry, Registry
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.question import Question
from learning.types import Bools, Consensus, Floats, Part, Votes

__all__ = ["TASKS", "Columns", "Content", "Question", "Task"]


class Task(Protocol):
    """What a task type does. Arrays are (n, k) by column of the labels that answers name.

    shape: "labels", where an answer is a sequence of label ids; else what its value is made of, which
    chooses the widget that gives it and the formats that carry it.
    ordered: the labels are grades, and their columns are in the order of the scale.
    sided: columns 0 and 1 say that the first or the second text is better, so that the side on which
        a text is shown matters.
    nested: labels are the places of a tree, each named by its path.
    has_questions: labels answer several questions, which `asking` tells the task.
    item_kinds: "text", "pair", "list", "image": the items that can be answered so.
    begins_with: (name, key, hotkey) of the labels of every new project; they are the task's own, and
        none is added to them.
    measure: what agreement compares answers by: "nominal", "jaccard", "ordinal", "tree", "questions", "edits",
        "orders", "boxes".
    headline: the one of `metrics` that students are compared by; 1 is best. figure: what pages tell of a
        student, "accuracy" or another; see `credit` in `learning.tasks.values`.
    students: those that learn from such answers; none where nothing does. teachers: those that can
        give them. quoted: teachers mark places of the text by quoting it; ranked: they put an item's
        candidates in order; written: they write a text. weighed: tests, calibration and policies can weigh
        what a teacher says; called: what answers are, in a sentence that says that they cannot.
    """

    shape: ClassVar[str]
    has_labels: ClassVar[bool]
    spelled: ClassVar[bool]
    tracked: ClassVar[tuple[str, ...]]
    multi_label: ClassVar[bool]
    ordered: ClassVar[bool]
    sided: ClassVar[bool]
    nested: ClassVar[bool]
    has_questions: ClassVar[bool]
    item_kinds: ClassVar[frozenset[str]]
    begins_with: ClassVar[tuple[tuple[str, str, str], ...]]
    measure: ClassVar[str]
    headline: ClassVar[str]
    figure: ClassVar[str]
    students: ClassVar[tuple[str, ...]]
    teachers: ClassVar[tuple[str, ...]]
    quoted: ClassVar[bool]
    ranked: ClassVar[bool]
    written: ClassVar[bool]
    weighed: ClassVar[bool]
    called: ClassVar[str]
    strategies: ClassVar[tuple[str, ...]]
    consensus: ClassVar[tuple[str, ...]]
    conformal: ClassVar[tuple[str, ...]]

    @property
    def questions(self) -> tuple[Question, ...]: ...

    @property
    def parts(self) -> tuple[Part, ...]:
        """The questions as label columns; none where labels answer one question."""
        ...

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """The two label columns of each comparison: the item's own first text is better, its second one."""
        ...

    @property
    def drawn(self) -> bool:
        """Whether the order in which an item's texts are shown is drawn by chance and kept with the answer."""
        ...

    @property
    def marking(self) -> tuple[Question, ...]:
        """The questions whose labels mark places of the text: an answer has these as its value."""
        ...

    @property
    def writing(self) -> tuple[Question, ...]:
        """The questions that are answered with a text: an answer has these in its value."""
        ...

    @property
    def valued(self) -> bool:
        """Whether answers that are labels have a value beside them: what is marked, or written."""
        ...

    def asking(self, questions: Sequence[Question]) -> "Task":
        """The task with the questions that a project asks."""
        ...

    def check(self, labels: Collection[int]) -> None:
        """Raise ShapeError with a sentence for labels of the schema that are no answer together."""
        ...

    def whole(self, labels: Sequence[int], value: Any) -> list[int]:
        """The labels of an answer, those among them that its value marks."""
        ...

    def finished(self, labels: Collection[int], value: Any) -> None:
        """Raise ShapeError, naming the question, where a text is missing or answers nothing."""
        ...

    def answers(self, labels: Collection[int]) -> dict[str, list[int]]:
        """Key of a question -> its labels among those of an answer, of every question asked by it."""
        ...

    def agree(
        self, method: ConsensusMethod, votes: Votes, skills: Skills | None = None
    ) -> Consensus:
        """The verdicts on answers that are labels."""
        ...

    def encode(self, answers: Sequence[Sequence[int]], columns: Columns) -> NDArray[np.float32]: ...

    def usable(self, targets: Floats) -> Bools: ...

    def known(self, targets: Floats, columns: Columns) -> Bools: ...

    def chosen(self, probabilities: Floats) -> Bools:
        """(n, k) bool: the labels that probabilities amount to; archived ones have 0."""
        ...

    def mended(self, given: Sequence[int], label: int, said: Floats, columns: Columns) -> list[int]:
        """What an answer would be if one of its labels, or one that it lacks, were wrong."""
        ...

    def decode(self, probabilities: Floats, columns: Columns) -> list[list[int]]: ...

    def correct(self, truth: Floats, predicted: Floats) -> Bools: ...

    def metrics(
        self, truth: Floats, predicted: Floats, columns: Columns | None = None
    ) -> dict[str, float]:
        """Figures of (n, k) probabilities against the truth; some need to know the labels."""
        ...

    def distance(self, a: Any, b: Any, columns: Columns) -> float:
        """Disagreement of two answers, label ids or values: 0 equal … 1 nothing in common."""
        ...

    def apart(self, columns: Columns) -> Distance | Grades:
        """What Krippendorff's alpha of the answers' labels compares them by."""
        ...

    def read(
        self, value: object, content: Content, labels: Collection[int]
    ) -> dict[str, Any] | None:
        """The value in its one canonical form, None where answers are labels alone.

        Raises ShapeError with a sentence that says what is wrong with it and where.
        """
        ...

    def labels_of(self, value: Any) -> list[int]:
        """The label ids that a canonical value names, ascending, each once."""
        ...

    def meaning(self, labels: Collection[int], value: Any) -> frozenset[Any]:
        """All that an answer says: it is right where the true one says just this."""
        ...


TASKS: Registry[Task] = Registry(
    "task type",
    {
        "single": Entry("One label per item", "learning.tasks.single:Single"),
        "rating": Entry("A grade per item, from low to high", "learning.tasks.rating:Rating"),
        "hierarchy": Entry(
            "One label of a tree, at any depth", "learning.tasks.hierarchy:Hierarchy"
        ),
        "preference": Entry(
            "Which of two texts is better, or neither", "learning.tasks.preference:Preference"
        ),
        "multi": Entry("Any number of labels per item", "learning.tasks.multi:Multi"),
        "form": Entry("Several questions, each with its own labels", "learning.tasks.form:Form"),
        "spans": Entry("Spans of the text, each with a label", "learning.tasks.spans:Spans"),
        "ranking": Entry("The order of several candidates", "learning.tasks.ranking:Ranking"),
        "boxes": Entry("Boxes in the image, each with a label", "learning.tasks.boxes:Boxes"),
        "text": Entry("A text that is written or edited", "learning.tasks.text:FreeText"),
    },
)
