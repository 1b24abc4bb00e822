"""How far a head may trust its labels: chosen on rows that it has not learnt from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
TEMPERATURES = 2.0 ** np.arange(-2.0, 4.01, 0.5)
FEWEST_ROWS = 25  # below, held-out rows say less than the usual value does
USUAL = 30.0
ONE_SPLIT_ROWS = 600  # from here on one third held out says enough

Rows = NDArray[np.int64]
HeldOutCost = Callable[[Rows, Rows, float], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Choice:
    """strength: C; temperature: what logits are multiplied by; rows: how many the choice saw."""

    strength: float = USUAL
    temperature: float = 1.0
    rows: int = 0

    def holds_for(self, rows: int) -> bool:
        """Whether the data is still much like what the choice was made on."""
        return FEWEST_ROWS <= self.rows <= rows < 1.25 * self.rows


def choose(
    rows: int, held_out_cost: HeldOutCost, rng: np.random.Generator, begin: float = 10.0
) -> Choice:
    """Climb along STRENGTHS from `begin` to the least held-out cross-entropy.

    held_out_cost(learn, ask, strength): (temperatures,) summed cross-entropy of the rows `ask`,
    by a head that learnt from `learn`, at each of TEMPERATURES. Taking the best temperature first
    compares how well heads tell labels apart, whatever their confidence: plain cross-entropy
    prefers large strengths, and accuracy is too coarse on few rows.
    """
    if rows < FEWEST_ROWS:
        return Choice(rows=rows)
    splits = _splits(rows, rng)
    costs: dict[int, NDArray[np.float64]] = {}

    def cost(place: int) -> float:
        if place not in costs:
            each = [held_out_cost(learn, ask, STRENGTHS[place]) for learn, ask in splits]
            costs[place] = np.sum(each, axis=0)
        return float(costs[place].min())

    here = min(range(len(STRENGTHS)), key=lambda place: abs(np.log(STRENGTHS[place] / begin)))
    while True:
        near = [place for place in (here - 1, here, here + 1) if 0 <= place < len(STRENGTHS)]
        best = min(near, key=cost)
        if best == here:
            break
        here = best
    return Choice(
        strength=STRENGTHS[here],
        temperature=float(TEMPERATURES[int(costs[here].argmin())]),
        rows=rows,
    )


def _splits(rows: int, rng: np.random.Generator) -> list[tuple[Rows, Rows]]:
    """(learn, ask) pairs: five folds of few rows, three of more, one third of many."""
    folds = 5 if rows < 400 else 3
    fold = rng.permutation(rows) % folds
    used = 1 if rows > ONE_SPLIT_ROWS else folds
    return [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(used)]
