"""What curves say: labels to a share of what all labels give, areas, and paired intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARES = (0.90, 0.95)
DRAWS = 2_000  # bootstrap draws over seeds
CONFIDENCE = 0.95
HOPELESS = 9.0
WORST = -0.005  # below random by so much at some budget would be a loss that counts

Curves = NDArray[np.float64]  # (seeds, rounds) scores


def area(labels: Sequence[int], scores: Curves) -> NDArray[np.float64]:
    """(seeds,) mean height of each curve over its labels, by trapezes."""
    x = np.asarray(labels, dtype=np.float64)
    return np.asarray(np.trapezoid(scores, x, axis=1) / (x[-1] - x[0]))


def labels_to(labels: Sequence[int], mean: NDArray[np.float64], target: float) -> float:
    """Where the mean curve first reaches the target, linear between rounds; infinite if never."""
    reached = np.flatnonzero(mean >= target)
    if not len(reached):
        return float("inf")
    at = int(reached[0])
    if at == 0:
        return float(labels[0])
    share = (target - mean[at - 1]) / (mean[at] - mean[at - 1])
    return float(labels[at - 1] + share * (labels[at] - labels[at - 1]))


def paired(differences: NDArray[np.float64]) -> tuple[float, float, float]:
    """(mean, low, high) of (seeds,) differences, by Student's t."""
    from scipy.stats import t

    mean, n = float(differences.mean()), len(differences)
    if n < 2:
        return mean, float("-inf"), float("inf")
    reach = float(t.ppf(0.5 + CONFIDENCE / 2, n - 1) * differences.std(ddof=1) / np.sqrt(n))
    return mean, mean - reach, mean + reach


def worst_budget(ours: Curves, theirs: Curves) -> tuple[float, float]:
    """(lowest mean difference, lowest upper end of the paired interval) over the budgets."""
    ends = [paired(difference) for difference in (ours - theirs)[:, 1:].T]
    return min(end[0] for end in ends), min(end[2] for end in ends)


def fewer_labels(
    labels: Sequence[int], ours: Curves, theirs: Curves, target: float
) -> tuple[float, float, float]:
    """(share, low, high): our labels to the target as a share of theirs, bootstrapped over seeds.

    Where their mean curve does not get there, the end of it stands for their labels, so the share
    is at most this; where ours does not, it is HOPELESS.
    """
    rng = np.random.default_rng(0)

    def share(seeds: NDArray[np.int64]) -> float:
        mine, other = (labels_to(labels, x[seeds].mean(axis=0), target) for x in (ours, theirs))
        return mine / min(other, labels[-1]) if np.isfinite(mine) else HOPELESS

    everyone = np.arange(len(ours))
    drawn = [share(rng.choice(everyone, size=len(everyone))) for _ in range(DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return share(everyone), float(low), float(high)


def row(labels: Sequence[int], scores: Curves, seconds: Sequence[float], full: float) -> Any:
    """The numbers of one strategy on one set from one start."""
    mean = scores.mean(axis=0)
    areas = area(labels, scores)
    return {
        "seeds": len(scores),
        "area": float(areas.mean()),
        "spread": float(areas.std(ddof=1)) if len(areas) > 1 else 0.0,
        **{f"to_{round(100 * s)}": labels_to(labels, mean, s * full) for s in SHARES},
        "seconds": float(np.mean(seconds)) if len(seconds) else 0.0,
        "mean": mean.tolist(),
    }
