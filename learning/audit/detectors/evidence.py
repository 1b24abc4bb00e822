"""What detectors may look at: labels in question and what others, who never saw them, say.

Letters in shapes: n labelled items, k label columns, d dimensions, t points of training, s students,
j judges, m neighbours.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.students.folds import OutOfFold
from learning.types import Bools, Floats, Report, no_report, require, row_blocks

MOST_NEIGHBOURS = 30
MOST_REMEMBERED = 20_000  # items among which neighbours are looked for
GROUP = 64  # columns of which the largest entry is taken first
ABSENT, PRESENT = 0, 1  # columns of a question about one label

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Near:
    """rows: (n, m) the nearest items, nearest first, never the item itself; cosine: (n, m)."""

    rows: Rows
    cosine: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Labels in question, and what is known about them from those who have not learnt from them.

    labels: (n, k) in 0 … 1; single-label rows sum to 1, the largest entry is in question.
    held_out: probabilities of each item by a student that was fitted without it; the type is the
        promise, so make it with `out_of_fold` or `gather`.
    training: (t, n, k) likewise, at points along the student's training, the earliest first.
    students: (s, n, k) likewise, of students of other kinds.
    cleaned: (n, k) likewise, of a student that learnt from no label in doubt either; which ones are
        was decided without the item's fold as well.
    encodings: (n, d), any length; definitions: (k, d) encoded texts that say what labels mean.
    judges: (j, n, k) distributions of teachers who were not shown the label; NaN where one
        abstained, was not asked, or is itself the author of the label.
    known: (n, k) bool, False where the answer does not speak about the label. None: all known.
    """

    labels: Floats
    held_out: OutOfFold
    training: NDArray[np.float32] | None = None
    students: NDArray[np.float32] | None = None
    cleaned: NDArray[np.float32] | None = None
    encodings: Floats | None = None
    definitions: Floats | None = None
    judges: Floats | None = None
    known: Bools | None = None
    multi_label: bool = False
    label_names: tuple[str, ...] = ()
    near: Near | None = None

    def __post_init__(self) -> None:
        require(
            self.labels.ndim == 2 and self.labels.shape[1] > 0,
            "Labels must be a table of items by labels.",
        )
        n, k = self.labels.shape
        self._check("held-out probabilities", self.held_out.probabilities, (n, k))
        require(self.held_out.fold.shape == (n,), "Each held-out row needs its fold.")
        for name in ("training", "students", "judges"):
            values = getattr(self, name)
            if values is not None:
                self._check(name, values, (len(values), n, k))
        if self.cleaned is not None:
            self._check("cleaned", self.cleaned, (n, k))
        if self.encodings is not None:
            self._check("encodings", self.encodings, (n, self.encodings.shape[-1]))
        if self.definitions is not None:
            self._check("definitions", self.definitions, (k, self.definitions.shape[-1]))
        if self.known is not None:
            self._check("known", self.known, (n, k))
        require(
            len(self.label_names) in (0, k),
            "There must be one name for each label, or none at all.",
        )
        require(
            bool(np.all((self.labels >= 0) & (self.labels <= 1 + 1e-4))),
            "Labels must lie between 0 and 1.",
        )
        if not self.multi_label:
            require(
                bool(np.all(np.abs(self.labels.sum(axis=1) - 1) < 1e-3)),
                "Single-label rows must sum to 1: leave out items without a label.",
            )

    @staticmethod
    def _check(name: str, values: NDArray[np.generic], shape: tuple[int, ...]) -> None:
        require(values.shape == shape, f"The {name} must have shape {shape}, not {values.shape}.")

    @property
    def items(self) -> int:
        """How many labelled items there are."""
        return len(self.labels)

    @property
    def columns(self) -> int:
        """How many labels there are."""
        return int(self.labels.shape[1])

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(n, k) held-out probabilities of the student."""
        return self.held_out.probabilities

    @cached_property
    def given(self) -> Rows:
        """(n,) the column of the label in question. For one label an item only."""
        require(not self.multi_label, "With several labels each is a question of its own.")
        return np.asarray(self.labels.argmax(axis=1), dtype=np.int64)

    @cached_property
    def neighbours(self) -> Near:
        """The nearest items by cosine. Raises NotEnoughDataError without encodings."""
        if self.near is not None:
            return self.near
        if self.encodings is None:
            raise NotEnoughDataError("Neighbours need encodings; there are none yet.")
        return nearest(self.encodings)

    def own(self, values: Floats) -> Doubles:
        """(n, k) -> (n,): the entry of the label in question."""
        return np.asarray(values, dtype=np.float64)[np.arange(self.items), self.given]

    def rival(self, values: Floats) -> tuple[Rows, Doubles]:
        """(n, k) -> (n,) the largest other column, and (n,) its entry; 0 where there is none."""
        others = np.array(values, dtype=np.float64)
        others[np.arange(self.items), self.given] = -np.inf
        place = np.asarray(others.argmax(axis=1), dtype=np.int64)
        entry = others[np.arange(self.items), place]
        return place, np.where(np.isfinite(entry), entry, 0.0)

    def name(self, column: int) -> str:
        """What people call a label."""
        return self.label_names[column] if self.label_names else f"label {column}"

    def question(self, column: int) -> tuple[Rows, "Evidence"]:
        """The rows that speak about one of several labels, and the evidence on it: is it there?

        Columns of that evidence are ABSENT and PRESENT.
        """
        every = np.arange(self.items)
        rows = every if self.known is None else np.flatnonzero(self.known[:, column])
        whole = len(rows) == self.items
        name = self.name(column)
        near = self.neighbours if whole and self.encodings is not None else None
        return rows.astype(np.int64), Evidence(
            labels=_both(self.labels[rows, column]),
            held_out=OutOfFold(
                probabilities=_both(self.probabilities[rows, column]),
                fold=self.held_out.fold[rows],
            ),
            training=None if self.training is None else _both(self.training[:, rows, column]),
            students=None if self.students is None else _both(self.students[:, rows, column]),
            cleaned=None if self.cleaned is None else _both(self.cleaned[rows, column]),
            encodings=None if self.encodings is None else self.encodings[rows],
            judges=None if self.judges is None else _both(self.judges[:, rows, column]),
            label_names=(f"not {name}", name),
            near=near,
        )


def _both(present: Floats) -> NDArray[np.float32]:
    """(…,) the probability that a label is there -> (…, 2) absent, present."""
    p = np.asarray(present, dtype=np.float32)
    return np.stack([1 - p, p], axis=-1)


def nearest(encodings: Floats, count: int = MOST_NEIGHBOURS, report: Report = no_report) -> Near:
    """The `count` nearest items of each by cosine, fewer when there are not as many.

    Compares all pairs, block by block. Beyond MOST_REMEMBERED items, neighbours are looked for
    among as many, evenly spread over the rows.
    """
    points = np.asarray(encodings, dtype=np.float32)
    length = np.linalg.norm(points, axis=1, keepdims=True)
    points = np.asarray(points / np.where(length > 0, length, 1), dtype=np.float32)
    n = len(points)
    bank = np.unique(np.linspace(0, n - 1, min(n, MOST_REMEMBERED)).astype(np.int64))
    count = min(count, len(bank) - 1)
    rows = np.empty((n, max(count, 0)), dtype=np.int64)
    cosine = np.empty(rows.shape, dtype=np.float32)
    if count < 1:
        return Near(rows=rows, cosine=cosine)
    place = np.full(n, -1, dtype=np.int64)
    place[bank] = np.arange(len(bank))
    remembered = np.ascontiguousarray(points[bank].T)
    for block in row_blocks(n, 1024):
        report(block.start, n)
        alike = points[block] @ remembered
        self_at = np.flatnonzero(place[block] >= 0)
        alike[self_at, place[block][self_at]] = -np.inf
        top = _largest(alike, count)
        found = np.take_along_axis(alike, top, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        rows[block] = bank[np.take_along_axis(top, order, axis=1)]
        cosine[block] = np.take_along_axis(found, order, axis=1)
    return Near(rows=rows, cosine=cosine)


def _largest(values: NDArray[np.float32], count: int) -> Rows:
    """(b, count) the columns of the largest entries of each row, in no order.

    They lie in the `count` groups of columns with the largest maxima, so that only these are sorted.
    """
    b, n = values.shape
    groups = n // GROUP
    if groups <= 2 * count:
        return np.asarray(np.argpartition(-values, count - 1, axis=1)[:, :count])
    whole = values[:, : groups * GROUP].reshape(
        b, GROUP, groups
    )  # group g: columns g, g + groups …
    best = np.argpartition(-whole.max(axis=1), count - 1, axis=1)[:, :count]
    inside = best[:, None, :] + groups * np.arange(GROUP)[:, None]
    rest = np.broadcast_to(np.arange(groups * GROUP, n), (b, n - groups * GROUP))
    asked = np.concatenate([inside.reshape(b, -1), rest], axis=1)
    top = np.argpartition(-np.take_along_axis(values, asked, axis=1), count - 1, axis=1)
    return np.asarray(np.take_along_axis(asked, top[:, :count], axis=1))
