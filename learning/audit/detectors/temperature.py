"""How sure to be: the one number that makes held-out probabilities fit the labels best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.students.strength import TEMPERATURES
from learning.types import Bools, Floats, TrainingData

TINY = 1e-7
MOST_ROWS = 20_000  # one number needs no more

Table = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What was answered: targets (n, k), known (n, k) bool."""

    targets: Floats
    known: Bools
    multi_label: bool

    @classmethod
    def of(cls, data: TrainingData) -> "Told":
        known = data.known
        if known is None:
            known = np.ones(data.targets.shape, dtype=np.bool_)
        return cls(targets=data.targets, known=known, multi_label=data.multi_label)


def warmth(table: Table, told: Told) -> tuple[float, float]:
    """The best of TEMPERATURES for probabilities (n, k), and the mean cross-entropy with it.

    Beyond MOST_ROWS it is that of as many rows, evenly spread.
    """
    n = len(table)
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(np.int64))
    some = Told(targets=told.targets[rows], known=told.known[rows], multi_label=told.multi_label)
    few = table[rows]
    costs = [
        _cross_entropy(scaled(few, float(t), multi_label=told.multi_label), some)
        for t in TEMPERATURES
    ]
    best = int(np.argmin(costs))
    return float(TEMPERATURES[best]), costs[best]


def scaled(table: Table, temperature: float, *, multi_label: bool) -> Table:
    """Probabilities (n, k) whose log-odds are multiplied by `temperature`."""
    p = np.clip(table.astype(np.float64), 0, 1)
    with np.errstate(divide="ignore"):
        raised = np.exp(temperature * np.log(p))  # 0 stays 0
        other = np.exp(temperature * np.log1p(-p)) if multi_label else None
    total = raised + other if other is not None else raised.sum(axis=1, keepdims=True)
    return np.asarray(raised / np.where(total > 0, total, 1), dtype=np.float32)


def _cross_entropy(table: Table, told: Told) -> float:
    p = np.clip(table.astype(np.float64), TINY, 1 - TINY)
    cost = -told.targets * np.log(p)
    if told.multi_label:
        cost -= (1 - told.targets) * np.log1p(-p)
    return float(cost[told.known].sum()) / max(1, len(table))
