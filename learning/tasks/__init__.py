"""Task types: the shape of an answer, and how it becomes an array."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.registry import Entry, Registry
from learning.tasks.columns import Columns
from learning.types import Bools, Floats

__all__ = ["TASKS", "Columns", "Task"]


class Task(Protocol):
    """What a task type does. Answers are sequences of label ids; arrays are (n, k) by column."""

    multi_label: ClassVar[bool]
    headline: ClassVar[str]
    students: ClassVar[tuple[str, ...]]
    strategies: ClassVar[tuple[str, ...]]
    consensus: ClassVar[tuple[str, ...]]
    conformal: ClassVar[tuple[str, ...]]

    def encode(self, answers: Sequence[Sequence[int]], columns: Columns) -> NDArray[np.float32]: ...

    def usable(self, targets: Floats) -> Bools: ...

    def known(self, rows: int, columns: Columns) -> Bools: ...

    def decode(self, probabilities: Floats, columns: Columns) -> list[list[int]]: ...

    def correct(self, truth: Floats, predicted: Floats) -> Bools: ...

    def metrics(self, truth: Floats, predicted: Floats) -> dict[str, float]: ...

    def distance(self, a: Sequence[int], b: Sequence[int]) -> float: ...


TASKS: Registry[Task] = Registry(
    "task type",
    {
        "single": Entry("One label per item", "learning.tasks.single:Single"),
        "multi": Entry("Any number of labels per item", "learning.tasks.multi:Multi"),
    },
)
