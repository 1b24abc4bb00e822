"""The records between a project and its routers; checked here, once.

Letters in shapes: n items, s double-labelled items, k label columns, d dimensions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import Estimate, share, weights_of
from learning.errors import NotEnoughDataError
from learning.types import Bools, Floats, Ints, Report, require

Rows = NDArray[np.int64]
Shares = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Items that a person or a teacher may label, and what machines say of them.

    teacher: (n, k) in 0 … 1, the teacher's answers; single-label rows sum to 1. Rows of zeros where
        it gave none.
    answered: (n,) bool, False where the teacher was not asked yet, or abstained.
    confidence: (n,) 0 … 1, how sure the teacher says it is of its answer; not a number where it
        says nothing, None where it never does.
    disagreement: (n,) 0 … 1, the share of other voices that say something else than the teacher;
        not a number where nobody else spoke, None without other voices.
    neighbours: (n,) 0 … 1, from `neighbour_agreement`, or None.
    student: (n, k) in 0 … 1, or None before there is one. It must not have learned from these very
        items: out of fold where it did.
    encodings: (n, d) unit rows or None.
    lengths: (n,) characters of each item, or None.
    set_sizes: (n,) labels that the student's answer set leaves to decide between, or None while no
        set is promised.
    marks: (n,) how many places the teacher marked; met: (n,) 0 … 1, the F1 of its marks with those that
        the student makes; sure: (n,) 0 … 1, how sure the student is of all that it marks or leaves
        unmarked. None where answers are labels alone; `student` then says which labels occur.
    label_names: names by column, used in reasons.
    paired, sided: whether encodings are those of two texts side by side, and whether columns 0 and 1 say which is
        better, see `learning.types.TrainingData`.
    """

    teacher: Floats
    answered: Bools
    confidence: Floats | None = None
    disagreement: Floats | None = None
    neighbours: Floats | None = None
    student: Floats | None = None
    encodings: Floats | None = None
    lengths: Floats | Ints | None = None
    set_sizes: Floats | Ints | None = None
    marks: Floats | Ints | None = None
    met: Floats | None = None
    sure: Floats | None = None
    label_names: tuple[str, ...] = ()
    multi_label: bool = False
    paired: bool = False
    sided: bool = False

    def __post_init__(self) -> None:
        n = len(self.teacher)
        require(self.teacher.ndim == 2, "The teacher's answers must be a table of items by labels.")
        require(
            self.answered.shape == (n,) and self.answered.dtype == np.bool_,
            "answered must hold one yes or no for each item.",
        )
        for name in ("confidence", "disagreement", "neighbours", "met", "sure"):
            _check_shares(name, getattr(self, name), n)
        require(
            self.student is None or self.student.shape == self.teacher.shape,
            "The student must speak of the same items and labels as the teacher.",
        )
        for name in ("encodings", "lengths", "set_sizes", "marks"):
            values = getattr(self, name)
            require(values is None or len(values) == n, f"{name} must have {n} rows.")
        require(
            len(self.label_names) in {0, self.labels},
            "There must be one label name for each column.",
        )

    @property
    def rows(self) -> int:
        """How many items there are."""
        return len(self.teacher)

    @property
    def labels(self) -> int:
        """How many label columns there are."""
        return int(self.teacher.shape[1])

    def subset(self, rows: Ints) -> "Candidates":
        """The same with these items only, in this order."""
        taken = {
            each.name: getattr(self, each.name)[rows]
            for each in fields(self)
            if isinstance(getattr(self, each.name), np.ndarray)
        }
        return Candidates(
            **taken,
            label_names=self.label_names,
            multi_label=self.multi_label,
            paired=self.paired,
            sided=self.sided,
        )

    def said(self) -> Bools:
        """(n, k) the answers that the teacher stands by: its likeliest label, or each from 1/2 on."""
        return decided(self.teacher, multi_label=self.multi_label) & self.answered[:, None]


def _check_shares(name: str, values: Floats | None, n: int) -> None:
    if values is None:
        return
    require(values.shape == (n,), f"{name} must hold one number for each item.")
    known = values[np.isfinite(values)]
    require(bool(np.all((known >= 0) & (known <= 1))), f"{name} must lie between 0 and 1.")


def decided(probabilities: Floats, *, multi_label: bool) -> Bools:
    """(n, k) yes and no: the likeliest label of each row, or every label from 1/2 on."""
    if multi_label:
        return np.asarray(probabilities >= 0.5, dtype=np.bool_)
    table = np.zeros(probabilities.shape, dtype=np.bool_)
    table[np.arange(len(table)), probabilities.argmax(axis=1)] = True
    return table


@dataclass(frozen=True, kw_only=True)
class Seed:
    """Items that both a person and the teacher labelled, drawn by chance: what routers learn from.

    items: with an answer of the teacher each; truth: (s, k) what people said, 0 or 1.
    draw_probabilities: (s,) in (0, 1], how likely each item was to be drawn from the pool; None
        means uniform. Items that were chosen for their doubt have none and must not be here.
    right: (s,) bool, whether the teacher's answer is right, as the task type says; None where its labels
        tell.
    """

    items: Candidates
    truth: Floats | Bools
    draw_probabilities: Floats | None = None
    right: Bools | None = None

    def __post_init__(self) -> None:
        require(
            self.truth.shape == self.items.teacher.shape,
            "The truth must speak of the same items and labels as the teacher.",
        )
        require(bool(self.items.answered.all()), "Each seed item needs an answer of the teacher.")
        require(
            self.draw_probabilities is None or self.draw_probabilities.shape == (len(self.truth),),
            "Each seed item needs one draw probability.",
        )
        require(
            self.right is None or self.right.shape == (len(self.truth),),
            "Each seed item needs one yes or no for whether the teacher is right.",
        )

    @property
    def rows(self) -> int:
        """s, how many items there are."""
        return len(self.truth)

    @property
    def wrong(self) -> Bools:
        """(s,) whether the teacher's answer differs from the person's, in any label or any mark."""
        if self.right is not None:
            return ~np.asarray(self.right, dtype=np.bool_)
        truth = np.asarray(self.truth, dtype=np.float64) >= 0.5
        return np.asarray((self.items.said() != truth).any(axis=1), dtype=np.bool_)

    @property
    def weights(self) -> Shares:
        """(s,) how many items of the pool each stands for, scaled to mean 1."""
        found = weights_of(self.draw_probabilities)
        return np.ones(self.rows) if found is None else found

    def subset(self, rows: Ints) -> "Seed":
        """The same with these items only, in this order."""
        p = self.draw_probabilities
        return Seed(
            items=self.items.subset(rows),
            truth=self.truth[rows],
            draw_probabilities=None if p is None else p[rows],
            right=None if self.right is None else self.right[rows],
        )

    def teacher_error(self) -> Estimate:
        """The share of the pool's items that the teacher gets wrong, with its interval."""
        return share(self.wrong, weights_of(self.draw_probabilities))


class FittedRouter(Protocol):
    """A router that knows a teacher."""

    def wrong(self, items: Candidates) -> Shares:
        """(n,) how likely the teacher's answer is wrong, 0 … 1; where it was not asked yet, how
        likely its answer would be. Where it abstained the figure means nothing.
        """
        ...

    def benefit(self, items: Candidates) -> Shares:
        """(n,) what a person's answer in place of the teacher's is worth: the higher ones first.
        The scale is the router's own, and equal ones are for chance to part.
        """
        ...

    def reasons(self, items: Candidates, rows: Ints) -> list[str]:
        """One sentence for each of these rows: "sent to a person because …", with its numbers."""
        ...

    def told(self) -> dict[str, Any]:
        """What was learned, for the run's record and the page: JSON-able."""
        ...


class Router(Protocol):
    """A router's parameters: a row of the registry."""

    def fit(self, seed: Seed, rng: np.random.Generator, report: Report) -> FittedRouter:
        """Learn from double-labelled items.

        report: called now and then with (done, total); what it raises ends the fit.
        Raises NotEnoughDataError where the seed is too small for this router.
        """
        ...


def need_seed(seed: Seed, fewest: int, who: str) -> None:
    """Raise NotEnoughDataError in the name of `who` for a seed of fewer than `fewest` items."""
    if seed.rows < fewest:
        raise NotEnoughDataError(
            f"{who} needs {fewest} items that chance drew and that both a person and the teacher "
            f"labelled; there are {seed.rows}."
        )


def first(benefit: Floats, budget: int, rng: np.random.Generator) -> Rows:
    """(b,) the rows that go to people within `budget`, most benefit first, ties by chance."""
    shuffled = rng.permutation(len(benefit))
    order = shuffled[np.argsort(-np.asarray(benefit)[shuffled], kind="stable")]
    return order[: max(0, budget)].astype(np.int64)


def sentences(items: Candidates, rows: Ints, because: Sequence[str]) -> list[str]:
    """The reasons of these rows; without an answer of the teacher that alone is said."""
    return [
        "sent to a person because "
        + (why if items.answered[row] else "the teacher gave no answer; " + why)
        for row, why in zip(rows, because, strict=True)
    ]
