"""How far a head may trust its labels, and their names: chosen on rows that it has not learnt from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from learning.students.decision import HALF

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SCALES = (0.0, 5.0, 10.0, 14.0)
TEMPERATURES = 2.0 ** np.arange(-2.0, 4.01, 0.5)
# Below, held-out rows say less than the usual values do.
FEWEST_ROWS, FEWEST_PER_LABEL = 25, 4
USUAL = 30.0
USUAL_SCALE = 10.0
# Of two texts, how much their own vectors are of what the two have in common; the usual one first.
USUAL_OWN = 1.0
OWNS = (USUAL_OWN, 0.3, 3.0)
ONE_SPLIT_ROWS = 600  # from here on one third held out says enough

ValueT = TypeVar("ValueT")
Rows = NDArray[np.int64]
HeldOutCost = Callable[[Rows, Rows, float, float], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """strength: C; temperature: what logits are multiplied by; rows: how many the choice saw;
    scale: how far the weights are pulled to what the labels are called, None where that was not told;
    cost: held-out cross-entropy of all rows asked, None where nothing was chosen;
    cut: with several labels an item, the probability from which on a label is given.
    """

    strength: float = USUAL
    temperature: float = 1.0
    rows: int = 0
    scale: float | None = None
    cost: float | None = None
    cut: float = HALF

    def holds_for(self, rows: int, *, named: bool) -> bool:
        """Whether the data is still much like what the choice was made on."""
        alike = named == (self.scale is not None)
        return alike and FEWEST_ROWS <= self.rows <= rows < 1.25 * self.rows


@dataclass(frozen=True, kw_only=True)
class Grid:
    """What may be chosen, ascending: strengths, and scales, (None,) where labels have no names.

    One value only is no choice. `begin` is where the climb along the strengths begins, `few` the
    strength that few rows take.
    """

    strengths: tuple[float, ...] = STRENGTHS
    scales: tuple[float | None, ...] = (None,)
    begin: float = 10.0
    few: float = USUAL

    @property
    def usual(self) -> Choice:
        """What few rows take."""
        strength = self.few if len(self.strengths) > 1 else self.strengths[0]
        scale = USUAL_SCALE if len(self.scales) > 1 else self.scales[0]
        return Choice(strength=strength, scale=scale)


# Beside a head that learnt from many rows few of one's own may matter little.
TOWARDS = Grid(strengths=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0), scales=(1.0,), begin=1.0, few=1.0)


def choose(
    rows: int, cost: HeldOutCost, rng: np.random.Generator, grid: Grid, labels: int = 1
) -> Choice:
    """Climb along the strengths and along the scales in turn to the least held-out cross-entropy.

    labels: how many occur; with fewer than FEWEST_PER_LABEL rows for each the usual values stay.

    cost(learn, ask, strength, scale): (temperatures,) summed cross-entropy of the rows `ask`,
    by a head that learnt from `learn`, at each of TEMPERATURES. Taking the best temperature first
    compares how well heads tell labels apart, whatever their confidence: plain cross-entropy
    prefers large strengths, and accuracy is too coarse on few rows.
    """
    if rows < max(FEWEST_ROWS, FEWEST_PER_LABEL * labels):
        return replace(grid.usual, rows=rows)
    parts = splits(rows, rng)
    costs: dict[tuple[float, float | None], NDArray[np.float64]] = {}

    def least(strength: float, scale: float | None) -> float:
        if (strength, scale) not in costs:
            each = [cost(learn, ask, strength, scale or 0.0) for learn, ask in parts]
            costs[strength, scale] = np.sum(each, axis=0)
        return float(costs[strength, scale].min())

    scale = grid.usual.scale
    strength = min(grid.strengths, key=lambda one: abs(np.log(one / grid.begin)))
    while True:
        strength = _climb(grid.strengths, strength, partial(least, scale=scale))
        before = scale
        scale = _climb(grid.scales, scale, partial(least, strength))
        if scale == before:
            break
    return Choice(
        strength=strength,
        temperature=float(TEMPERATURES[int(costs[strength, scale].argmin())]),
        rows=rows,
        scale=scale,
        cost=least(strength, scale),
    )


def _climb(values: tuple[ValueT, ...], begin: ValueT, cost: Callable[[ValueT], float]) -> ValueT:
    """From `begin` to the neighbour that costs less, as long as there is one."""
    here = values.index(begin)
    while True:
        near = values[max(here - 1, 0) : here + 2]
        best = values.index(min(near, key=cost))
        if best == here:
            return values[here]
        here = best


def splits(rows: int, rng: np.random.Generator) -> list[tuple[Rows, Rows]]:
    """(learn, ask) pairs: five folds of few rows, three of more, one third of many."""
    folds = 5 if rows < 400 else 3
    fold = rng.permutation(rows) % folds
    used = 1 if rows > ONE_SPLIT_ROWS else folds
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(used)]
