"""Whether the promise still holds: coverage on later answers, and items unlike the calibration's.

Letters in shapes: m calibration items, n other items, k label columns.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.audit.conformal.calibrated import rank_of
from learning.types import Floats, require

# Below such a chance, what was seen is not taken for luck.
ALARM = 0.01
PERMUTATIONS = 399
# Rows of either side that are compared; more would only cost time.
MOST_ROWS = 400


def chance_of_so_few(held: int, asked: int, n: int, coverage: float) -> float:
    """How likely so few of `asked` later items are covered while all items are alike, 0 … 1.

    Exact: the count is beta-binomial, since the coverage that n calibration items bring is
    Beta(r, n + 1 - r) for their rank r. Source: Vovk 2012.
    """
    require(0 <= held <= asked, f"{held} of {asked} is not a share.")
    rank = rank_of(n, coverage)
    if rank > n or asked == 0:
        return 1.0
    a, b = rank, n + 1 - rank
    logs = [
        _log_choose(asked, count) + _log_beta(count + a, asked - count + b) - _log_beta(a, b)
        for count in range(held + 1)
    ]
    return min(1.0, math.fsum(math.exp(each) for each in logs))


def _log_choose(n: int, count: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def words(probabilities: Floats) -> list[NDArray[np.float64]]:
    """The student's (n, k) probabilities as two views: what it says, and how sure it is."""
    p = np.asarray(probabilities, dtype=np.float64)
    sure = np.square(p).sum(axis=1) + np.square(1 - p).sum(axis=1)
    return [np.sqrt(np.clip(p, 0, 1)), sure[:, None]]


def chance_of_difference(
    calibration: Sequence[Floats],
    items: Sequence[Floats],
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> float:
    """How likely both sides differ so much while they are drawn alike, 0 … 1.

    calibration: views (m, d) of the calibration items, such as `words` or encodings; items: the
    same views (n, d) of the others. The statistic of a view is the energy distance; the smallest
    p-value counts, against its own distribution under random exchanges of the two sides, so that
    the level is exact however many views there are.
    Source: Székely, Rizzo 2004 (energy distance); Rabanser, Günnemann, Lipton 2019 (tests on the
    student's output); Westfall, Young 1993 (the smallest p-value).
    """
    require(len(calibration) == len(items) > 0, "Both sides need the same views.")
    m, n = len(calibration[0]), len(items[0])
    if min(m, n) < 2:
        return 1.0
    ours, theirs = _some(m, rng), _some(n, rng)
    size = len(ours) + len(theirs)
    sides = np.zeros((size, permutations + 1))
    sides[: len(ours), 0] = 1
    for column in range(1, permutations + 1):
        sides[rng.permutation(size)[: len(ours)], column] = 1
    ranks = [
        _rank(_energy(np.concatenate([one[ours], other[theirs]]).astype(np.float64), sides))
        for one, other in zip(calibration, items, strict=True)
    ]
    smallest = np.min(ranks, axis=0)
    return float((smallest <= smallest[0]).mean())


def _some(rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if rows <= MOST_ROWS:
        return np.arange(rows)
    return np.sort(rng.choice(rows, MOST_ROWS, replace=False))


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The p-value of each permutation among all: the share that is as large or larger."""
    rising = np.sort(values)
    return np.asarray(1 - np.searchsorted(rising, values - 1e-12) / len(values))


def _energy(both: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """(r,) energy distance between the rows (s, d) that each column of `sides` (s, r) parts."""
    norms = np.square(both).sum(axis=1)
    apart = np.sqrt(np.maximum(norms[:, None] + norms[None] - 2 * both @ both.T, 0))
    np.fill_diagonal(apart, 0)
    one = sides[:, 0].sum()
    other = len(both) - one
    reach = apart @ sides
    within = (sides * reach).sum(axis=0)
    across = reach.sum(axis=0) - within
    rest = apart.sum() - within - 2 * across
    return np.asarray(2 * across / (one * other) - within / one**2 - rest / other**2)
