"""Hierarchy: an answer is one place of a tree, at any depth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.tasks.columns import Columns
from learning.tasks.single import Single
from learning.tasks.tree import Tree, steps_apart
from learning.types import Bools, Floats


@dataclass(frozen=True, kw_only=True)
class Hierarchy(Single):
    """One label of a tree, compared by the steps between two of them. Source: Kiritchenko et al. 2005;
    the stop is that of Sun, Lim 2001 with one threshold.

    A label says "this and nothing narrower": probabilities are of stopping there, and what a branch
    holds is the sum over it.

    stop: from the likeliest label of the top on, the likeliest one below is taken while it holds at
        least this share of belief, and more than the belief in nothing narrower.
    """

    nested: ClassVar[bool] = True
    measure: ClassVar[str] = "tree"

    stop: float = 0.25

    def decode(self, probabilities: Floats, columns: Columns) -> list[list[int]]:
        """One label of each row: as deep as belief holds, never an archived one.

        Where it ends on an archived branch, the likeliest label of all.
        """
        active = columns.active
        if not active.any():
            raise ShapeError("Every label is archived: there is none to decide for.")
        masked = np.where(active, probabilities, 0.0)  # (n, k)
        tree = Tree(columns)
        mass = tree.mass(masked)
        return [
            [columns.label_ids[self._descended(tree, row, own, active)]]
            for row, own in zip(mass, masked, strict=True)
        ]

    def _descended(
        self, tree: Tree, mass: NDArray[np.float64], own: NDArray[np.float64], active: Bools
    ) -> int:
        at = max(tree.tops, key=lambda column: mass[column])
        while below := tree.children[at]:
            best = max(below, key=lambda column: mass[column])
            if mass[best] < max(self.stop, own[at]):
                break
            at = best
        return at if active[at] else int(np.where(active, own, -1.0).argmax())

    def metrics(
        self, truth: Floats, predicted: Floats, columns: Columns | None = None
    ) -> dict[str, float]:
        """What `Single` tells, and hierarchical_f1, where a wrong leaf of the right branch counts in
        part, wherever the labels are told.
        """
        found = super().metrics(truth, predicted, columns)
        if columns is not None:
            t, p = truth.argmax(axis=1), predicted.argmax(axis=1)
            found["hierarchical_f1"] = Tree(columns).f1(t, p)
        return found

    def distance(self, a: Sequence[int], b: Sequence[int], columns: Columns) -> float:
        """Steps between two labels as a share of those by way of the root."""
        return steps_apart(columns.line(a[0]), columns.line(b[0]))

    def apart(self, columns: Columns) -> "TreeDistance":
        """Answers are as far apart as the steps between them in the tree."""
        return TreeDistance(columns=columns)


@dataclass(frozen=True, kw_only=True)
class TreeDistance:
    """The distance of two answers of one label each; two without any are equal."""

    columns: Columns

    def __call__(self, a: frozenset[int], b: frozenset[int]) -> float:
        """0 equal … 1 nothing in common but the root."""
        lines = [self.columns.line(next(iter(each))) if each else () for each in (a, b)]
        return steps_apart(*lines)
