"""Replay answers that labels alone do not tell: marked stretches, orders. `learning.simulation` draws the curve."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ShapeError
from learning.students.predictions import Doubted
from learning.tasks import TASKS, Columns, Task
from learning.tasks.values import ValueTask
from learning.types import Floats, Ints, Pool, Selection, require

Beat = Callable[[], None]


class Known(Protocol):
    """n items whose true values are known, as one kind of student learns from them and reads them.

    doubted: what of an item such a student is unsure of, see `Pool`. `beat` is called between two blocks
    of items; what it raises passes through.
    """

    doubted: ClassVar[str]

    @property
    def values(self) -> Sequence[Any]:
        """Of each item its true value, with columns for labels."""
        ...

    def present(self, rows: Ints) -> NDArray[np.float32]:
        """(m, k) ones where a label occurs in the true value of these items."""
        ...

    def lesson(self, rows: Ints) -> Any:
        """What a student learns of these items."""
        ...

    def doubts(self, fitted: Any, beat: Beat) -> Doubted:
        """What it believes of all n items, for a strategy."""
        ...

    def told(self, fitted: Any, beat: Beat) -> list[Any]:
        """What it says of all n items: values with columns for labels."""
        ...


class TaughtTask(ValueTask, Protocol):
    """A task type from whose values students learn.

    reads: what they read of an item: its "words", or the texts of its "lists", each encoded by itself.
    places: values are places of the text, which a file can mark.
    """

    reads: ClassVar[Literal["words", "lists"]]
    places: ClassVar[bool]

    def in_columns(self, value: Any, columns: Mapping[int, int]) -> Any:
        """The value with columns, by label id, for labels; what has another label is left out."""
        ...

    def known_of(
        self,
        read: Any,
        rows: Ints,
        values: Sequence[Any],
        labels: int,
        texts: Sequence[str] | None = None,
    ) -> Known:
        """Items beside their values, for a replay.

        read: the `Words` or `Lists` of these and of any other items, memory maps are fine; rows: (n,) which
        of them these are; values: n, with columns 0 … labels - 1; texts: n, for a student that reads them.
        """
        ...


def taught_task(name: str) -> TaughtTask:
    """The task type of that name. Raises ShapeError where no student learns from values."""
    if TASKS[name].shape == "labels" or not TASKS[name].students:
        raise ShapeError(f"No student learns from the values of {name}.")
    return cast(TaughtTask, TASKS[name]())


@dataclass(frozen=True, kw_only=True)
class ValueReplay:
    """A data set whose values are known, in two parts; encodings: (n, d) of the pool."""

    pool: Known
    test: Known
    encodings: Floats
    label_names: tuple[str, ...]

    def __post_init__(self) -> None:
        require(len(self.encodings) == len(self.pool.values), "Encodings and values differ.")
        if not len(self.pool.values) or not len(self.test.values):
            raise NotEnoughDataError("A replay needs items to label and items to test on.")

    @property
    def sizes(self) -> tuple[int, int]:
        """How many items there are to label, and to test on."""
        return len(self.pool.values), len(self.test.values)

    def desk(self, task: Task, student: Any) -> "Desk":
        """None of the pool is labelled."""
        return Desk(self, cast(ValueTask, task))


class Desk:
    """What is labelled so far: an answer is whole, there are no questions about a part of it."""

    def __init__(self, replay: ValueReplay, task: ValueTask) -> None:
        self.replay, self.task = replay, task
        self.labelled = np.zeros(len(replay.pool.values), dtype=np.bool_)

    @property
    def labels(self) -> int:
        """How many answers were given."""
        return int(self.labelled.sum())

    def answer(self, chosen: Selection) -> None:
        """Look the chosen items' values up."""
        self.labelled[chosen.rows] = True

    def pool(self, fitted: Any, beat: Beat) -> Pool:
        """What the strategy may see: of the values only those that were given."""
        known = self.replay.pool
        said = None if fitted is None else known.doubts(fitted, beat)
        return Pool(
            eligible=np.ones(len(self.labelled), dtype=np.bool_),
            labelled=self.labelled,
            probabilities=None if said is None else said.probabilities,
            margins=None if said is None else said.margins,
            encodings=self.replay.encodings,
            label_names=self.replay.label_names,
            multi_label=True,
            answers=known.present(np.flatnonzero(self.labelled)),
            doubted=known.doubted,
        )

    def lesson(self) -> Any:
        """The values that were given."""
        return self.replay.pool.lesson(np.flatnonzero(self.labelled))

    def figures(self, fitted: Any, beat: Beat) -> dict[str, Any]:
        """accuracy, the share of values without any difference, score and metrics on the test part."""
        truth, told = self.replay.test.values, self.replay.test.told(fitted, beat)
        metrics = self.task.compare(truth, told)
        columns = Columns(label_ids=tuple(range(len(self.replay.label_names))))
        same = [
            self.task.distance(true, said, columns) == 0
            for true, said in zip(truth, told, strict=True)
        ]
        return {
            "accuracy": float(np.mean(same)),
            "score": float(metrics[self.task.headline]),
            "metrics": metrics,
        }
