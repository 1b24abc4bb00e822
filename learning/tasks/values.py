"""What a task type does beside `Task` where answers have values that labels alone do not tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, cast

from learning.consensus import ConsensusMethod
from learning.consensus.skills import Skills
from learning.errors import ShapeError
from learning.tasks import TASKS, Task
from learning.tasks.columns import Columns
from learning.types import Votes


class Given(NamedTuple):
    """An answer to an item: whose it is, its canonical value, and how much it weighs, above 0."""

    annotator: int
    value: Any
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Agreed:
    """What the answers to an item amount to.

    value: the verdict, canonical; shares: label id -> 0 … 1, how far to believe that it occurs;
    tied: the answers do not decide, and a reviewer should.
    """

    value: dict[str, Any]
    shares: dict[int, float]
    tied: bool


class ValueTask(Task, Protocol):
    """A task type whose answers have values."""

    def settle(
        self,
        method: ConsensusMethod,
        items: Sequence[Sequence[Given]],
        skills: Skills | None = None,
    ) -> list[Agreed]:
        """The verdict on each item from the answers to it, one at least."""
        ...

    def votes(
        self, items: Sequence[Sequence[Given]], truth: Sequence[Any | None] | None = None
    ) -> Votes:
        """The answers as votes from which a consensus method learns what the voices are like.

        truth: of each item the value that is known for sure, None where none is.
        """
        ...

    def compare(self, truth: Sequence[Any], said: Sequence[Any]) -> dict[str, float]:
        """Metrics of values said against the true ones, the headline among them."""
        ...


class PartedTask(ValueTask, Protocol):
    """A task type whose values have parts that agreement compares."""

    def facets(self, value: Any) -> Mapping[Any, Any]:
        """The parts of a value that agreement compares, each with what is said of it."""
        ...

    def facets_apart(self, a: Any, b: Any) -> float:
        """Disagreement of two things said of one part, 0 equal … 1."""
        ...


class CreditedTask(ValueTask, Protocol):
    """A task type whose students are measured by how much of a value they say."""

    def credit(self, truth: Any, said: Any, columns: Columns) -> tuple[float, float]:
        """How much of an item is right, and how much there is to get right, 0 or more.

        Over many items the students' figure is the sum of the one by the sum of the other.
        """
        ...

    def by_label(self, truth: Any, said: Any) -> Mapping[int, tuple[int, int, int]]:
        """Of each label that occurs, how many parts of the values are in both, in the one said, in the
        true one; empty where parts have no labels.
        """
        ...


class SpelledTask(PartedTask, Protocol):
    """A task type whose values can be written as texts."""

    def spell(self, value: Any) -> str:
        """The value as a text."""
        ...

    def unspell(self, words: str) -> Any:
        """The value that a text says, for `read`. Raises ShapeError for one that says none."""
        ...


def spelled_task(name: str) -> SpelledTask:
    """The task type of that name. Raises ShapeError where its values cannot be written as texts."""
    if not TASKS[name].spelled:
        raise ShapeError(f"Answers of {name} are not written as texts.")
    return cast(SpelledTask, TASKS[name]())


def value_task(name: str) -> ValueTask:
    """The task type of that name. Raises ShapeError where its answers are labels alone."""
    if TASKS[name].shape == "labels":
        raise ShapeError(f"Answers of {name} are labels: they have no values.")
    return cast(ValueTask, TASKS[name]())


def credited_task(name: str) -> CreditedTask:
    """The task type of that name. Raises ShapeError where students of it say no values."""
    if not hasattr(TASKS[name], "credit"):
        raise ShapeError(f"No student says values of {name}.")
    return cast(CreditedTask, TASKS[name]())


def parted_task(name: str) -> PartedTask:
    """The task type of that name. Raises ShapeError where its values are compared otherwise."""
    if not hasattr(TASKS[name], "facets"):
        raise ShapeError(f"Answers of {name} have no parts that are compared.")
    return cast(PartedTask, TASKS[name]())
