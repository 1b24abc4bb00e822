"""What a tree of labels tells: lines of descent, what branches hold, how far labels are apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.tasks.columns import Columns
from learning.types import Floats, Ints, require


def steps_apart(one: Sequence[int], other: Sequence[int]) -> float:
    """1 - 2 · common / (both lengths) of two lines of descent: 0 equal, 1 no common label."""
    total = len(one) + len(other)
    return 1 - 2 * len(set(one) & set(other)) / total if total else 0.0


class Tree:
    """Columns as a tree. children: column -> columns right below it; tops: those below none."""

    def __init__(self, columns: Columns) -> None:
        lines = [columns.line(label) for label in columns.label_ids]
        self.lines = [[columns.column(label) for label in line] for line in lines]
        self.children: list[list[int]] = [[] for _ in lines]
        self.tops = [column for column, line in enumerate(self.lines) if len(line) == 1]
        for column, line in enumerate(self.lines):
            if len(line) > 1:
                self.children[line[-2]].append(column)

    def mass(self, probabilities: Floats) -> NDArray[np.float64]:
        """(n, k) what each label and all below it hold together, from (n, k) of each alone."""
        held = np.zeros(probabilities.shape, dtype=np.float64)
        for column, line in enumerate(self.lines):
            held[:, line] += probabilities[:, column, None]
        return held

    def f1(self, truth: Ints, predicted: Ints) -> float:
        """F1 over the labels of all lines of descent of two (n,) arrays of columns, 0 … 1.

        A wrong leaf of the right branch counts for the branch. Source: Kiritchenko et al. 2005.
        """
        require(truth.shape == predicted.shape, "Truth and prediction differ in shape.")
        both = common = 0
        for t, p in zip(truth.tolist(), predicted.tolist(), strict=True):
            one, other = set(self.lines[t]), set(self.lines[p])
            both += len(one) + len(other)
            common += len(one & other)
        return 2 * common / both if both else 1.0
