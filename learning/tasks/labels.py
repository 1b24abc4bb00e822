"""Task types whose answers are labels and nothing else."""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Self

from learning.consensus import ConsensusMethod
from learning.consensus.skills import Skills
from learning.errors import ShapeError
from learning.students import STUDENTS
from learning.tasks.content import Content
from learning.tasks.question import Question
from learning.teachers import TEACHERS
from learning.types import Consensus, Part, Votes


class LabelsAlone:
    """What `Task` asks about values, where an answer has none."""

    shape: ClassVar[str] = "labels"
    figure: ClassVar[str] = "accuracy"
    students: ClassVar[tuple[str, ...]] = tuple(STUDENTS)
    teachers: ClassVar[tuple[str, ...]] = tuple(TEACHERS)
    quoted: ClassVar[bool] = False
    ranked: ClassVar[bool] = False
    written: ClassVar[bool] = False
    weighed: ClassVar[bool] = True
    called: ClassVar[str] = "labels"
    has_labels: ClassVar[bool] = True
    spelled: ClassVar[bool] = False
    tracked: ClassVar[tuple[str, ...]] = ()
    ordered: ClassVar[bool] = False
    sided: ClassVar[bool] = False
    nested: ClassVar[bool] = False
    item_kinds: ClassVar[frozenset[str]] = frozenset({"text", "pair", "image"})
    begins_with: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    has_questions: ClassVar[bool] = False

    questions: tuple[Question, ...] = ()

    @property
    def sides(self) -> tuple[tuple[int, int], ...]:
        """The first two columns, where they are sides."""
        return ((0, 1),) if self.sided else ()

    @property
    def drawn(self) -> bool:
        """Where the side of a text matters."""
        return bool(self.sides)

    @property
    def marking(self) -> tuple[Question, ...]:
        """None: labels are given, not marked."""
        return ()

    @property
    def writing(self) -> tuple[Question, ...]:
        """None: labels are given, nothing is written."""
        return ()

    @property
    def valued(self) -> bool:
        """No: labels are the whole answer."""
        return False

    @property
    def parts(self) -> tuple[Part, ...]:
        """None: all labels answer one question."""
        return ()

    def asking(self, questions: Sequence[Question]) -> Self:
        """The same task: its labels answer one question."""
        return self

    def check(self, labels: Collection[int]) -> None:
        """Nothing: any labels of the schema go together."""

    def whole(self, labels: Sequence[int], value: Any) -> list[int]:
        """The labels that were given: no value adds to them."""
        return list(labels)

    def finished(self, labels: Collection[int], value: Any) -> None:
        """Nothing: labels are all that there is."""

    def answers(self, labels: Collection[int]) -> dict[str, list[int]]:
        """None: there are no questions to be told apart."""
        return {}

    def agree(
        self, method: ConsensusMethod, votes: Votes, skills: Skills | None = None
    ) -> Consensus:
        """What the consensus method makes of all votes together."""
        return method.aggregate(votes, skills)

    def read(
        self, value: object, content: Content, labels: Collection[int]
    ) -> dict[str, Any] | None:
        """None; raises ShapeError for a value."""
        if value is not None:
            raise ShapeError("Answers of this project are labels: leave `value` out.")
        return None

    def meaning(self, labels: Collection[int], value: Any) -> frozenset[Any]:
        """The labels: they are the whole answer."""
        return frozenset(labels)

    def labels_of(self, value: Any) -> list[int]:
        """There is no value that could name labels: raises ShapeError."""
        raise ShapeError("Answers of this project are labels: there is no value to read.")
