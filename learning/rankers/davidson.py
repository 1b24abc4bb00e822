"""How likely each of two candidates is the better one, or none: Bradley and Terry's model with ties.

Of two with utilities u and v (log odds), the first is better with e^u, the second with e^v, and both are
equal with t · e^((u + v) / 2), each over their sum. Source: Davidson 1970.
"""

import numpy as np
from numpy.typing import NDArray

from learning.types import Floats, Ints

# log t: from hardly any ties to nothing but ties.
TIES = np.linspace(-6.0, 4.0, 41)


def chances(difference: Floats, log_tie: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(p,) first less second utility -> (p,) the first is better, (p,) the second is."""
    half = np.asarray(difference, dtype=np.float64) / 2
    most = np.maximum(np.abs(half), log_tie)
    first, second, equal = np.exp(half - most), np.exp(-half - most), np.exp(log_tie - most)
    total = first + second + equal
    return first / total, second / total


def tie_of(difference: Floats, outcome: Ints) -> float:
    """The log t of TIES under which these outcomes are likeliest; one row per pair of candidates.

    difference: (p,) first less second utility; outcome: (p,) 1 the first is better, 0 none, -1 the
    second.
    """
    costs = []
    for log_tie in TIES:
        first, second = chances(difference, float(log_tie))
        said = np.where(outcome > 0, first, np.where(outcome < 0, second, 1 - first - second))
        costs.append(-np.log(np.maximum(said, 1e-12)).sum())
    return float(TIES[int(np.argmin(costs))])


def width_of(log_tie: float) -> float:
    """Two candidates that are less than this apart are likelier equal than in either order."""
    return max(2 * log_tie, 0.0)


def margins_of(utility: Floats, starts: Ints, log_tie: float) -> NDArray[np.float32]:
    """(n,) of each list: how far its neighbours in the order are from even, on average: 0 … 1.

    Of two neighbours that is the difference between how likely each is the better one. A list of one
    candidate is in no doubt.
    """
    counts = np.diff(starts)
    home = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-np.asarray(utility), home))
    ordered = np.asarray(utility, dtype=np.float64)[order]
    neighbours = np.flatnonzero(home[1:] == home[:-1])  # sorted by list: homes stay as they are
    first, second = chances(ordered[neighbours] - ordered[neighbours + 1], log_tie)
    total = np.bincount(home[neighbours], weights=first - second, minlength=len(counts))
    pairs = np.maximum(counts - 1, 1)
    return np.where(counts > 1, total / pairs, 1.0).astype(np.float32)
