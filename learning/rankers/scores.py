"""How well orders meet the true ones. A value is {"order": [[2], [1, 3]]}, as in `learning.tasks.ranking`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.metrics import wilson
from learning.rankers.types import places_of


def right_pairs(truth: Sequence[Any], said: Sequence[Any]) -> NDArray[np.float64]:
    """(n, 2) of each list how many of its pairs of candidates stand as they should, half where one alone
    finds a tie, and how many pairs it has.
    """
    rows = [(0.0, 0.0)] * len(truth)
    for row, (true, told) in enumerate(zip(truth, said, strict=True)):
        one, other = _signs(true), _signs(told)
        rows[row] = (float((1 - np.abs(one - other) / 2).sum()), float(len(one)))
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def tau_b(true: Any, told: Any) -> float:
    """Kendall's tau-b of two orders: 1 the same … -1 the other way round; pairs that an order ties do not
    count in it. 0 where one of them ties all. Source: Kendall 1945.
    """
    one, other = _signs(true), _signs(told)
    norm = np.sqrt(float((one != 0).sum()) * float((other != 0).sum()))
    return float((one * other).sum() / norm) if norm else 0.0


def metrics(truth: Sequence[Any], said: Sequence[Any]) -> dict[str, float]:
    """pairs_right, the mean share of right pairs of a list; tau_b, its mean; exact_items, the share of
    orders without any difference; n.
    """
    right = right_pairs(truth, said)
    shares = _shares(right)
    taus = [tau_b(true, told) for true, told in zip(truth, said, strict=True)]
    return {
        "n": float(len(right)),
        "pairs_right": float(shares.mean()) if len(right) else 0.0,
        "tau_b": float(np.mean(taus)) if taus else 0.0,
        "exact_items": float((shares == 1).mean()) if len(right) else 0.0,
    }


def pairs_interval(
    right: NDArray[np.float64],
    rng: np.random.Generator,
    resamples: int = 1000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """The interval of the mean share of right pairs by drawing lists again, since the pairs of one hang
    together; never narrower than that of a share of so many pairs, which few or perfect ones belie.
    """
    n = len(right)
    if n == 0:
        return 0.0, 1.0
    shares = _shares(right)
    drawn = rng.multinomial(n, np.full(n, 1 / n), resamples) @ shares / n
    tail = (1 - confidence) / 2
    low, high = (float(edge) for edge in np.quantile(drawn, [tail, 1 - tail]))
    pairs = round(float(right[:, 1].sum()))
    least, most = wilson(round(float(shares.mean()) * pairs), pairs, confidence)
    return min(low, least), max(high, most)


def _shares(right: NDArray[np.float64]) -> NDArray[np.float64]:
    return right[:, 0] / np.maximum(right[:, 1], 1)


def _signs(value: Any) -> NDArray[np.int64]:
    """(p,) of each two candidates: 1 the first is better, 0 none, -1 the second."""
    places = places_of(value["order"])
    one, other = np.triu_indices(len(places), 1)
    signs: NDArray[np.int64] = np.sign(places[other] - places[one])
    return signs
