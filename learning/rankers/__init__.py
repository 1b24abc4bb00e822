"""Rankers: students that put candidates in an order. They learn from orders and say how good each is."""

from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from learning.errors import DamagedFileError
from learning.rankers.types import Lists, Ordered, Ranked
from learning.registry import Entry, Registry
from learning.storage import MANIFEST, read_json
from learning.types import Report

__all__ = ["RANKERS", "FittedRanker", "Lists", "Ordered", "Ranked", "Ranker", "load"]


class FittedRanker(Protocol):
    """A ranker that has learnt."""

    def order(self, lists: Lists) -> Ordered:
        """What it says of lists by their vectors."""
        ...

    def save(self, folder: Path) -> None: ...


class Ranker(Protocol):
    """A ranker's parameters, and what it learns from."""

    needs: ClassVar[Literal["lists"]]

    def fit(
        self,
        data: Ranked,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> FittedRanker:
        """Learn from `data`; arguments as of `learning.students.Student.fit`."""
        ...

    def settle(self, fitted: Any) -> "Ranker":
        """The same ranker with what `fitted` chose from the data as its parameters."""
        ...

    @classmethod
    def load(cls, folder: Path) -> FittedRanker: ...


RANKERS: Registry[Ranker] = Registry(
    "ranker",
    {"order-head": Entry("Head on frozen vectors of lists", "learning.rankers.head:OrderHead")},
)


def load(folder: Path | str) -> FittedRanker:
    """The ranker that `save` wrote into `folder`.

    Raises DamagedFileError when a file is missing or was changed since.
    """
    folder = Path(folder)
    name = read_json(folder / MANIFEST).get("student")
    if name not in RANKERS:
        raise DamagedFileError(f"{folder} does not say which ranker it holds.")
    return RANKERS[str(name)].load(folder)
