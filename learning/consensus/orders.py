"""From beliefs about each two candidates to one order of all."""

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]

# Candidates up to which every order is looked at; with more, points decide.
MOST_EXACT = 8


def settled_order(above: Table) -> list[list[int]]:
    """The candidates 0 … k - 1 from best to worst, equals in one list.

    above: (k, k) in 0 … 1, how far to believe that the row's candidate is better than the column's; what
    is left of both ways round is the belief that they are equal. Up to eight candidates get the order that contradicts least
    belief (Kemeny 1959), where an equality counts half for each order; more are ordered by their points
    (Borda 1781), which is by mean rank where all voices rank all. Neighbours become equals where that
    contradicts less.
    """
    k = len(above)
    equal = np.clip(1 - above - above.T, 0, 1)
    against = (
        above.T + equal / 2
    )  # (k, k) what is contradicted where the row stands before the column
    np.fill_diagonal(against, 0)
    order = _kemeny(against) if k <= MOST_EXACT else _borda(against)
    as_equals = (above + above.T) / 2
    groups = [[one] for one in order[:1]]
    for one in order[1:]:
        rows = np.ix_(groups[-1], [one])
        if as_equals[rows].mean() < against[rows].mean():
            groups[-1].append(one)
        else:
            groups.append([one])
    return [sorted(group) for group in groups]


def _borda(against: Table) -> list[int]:
    return [int(one) for one in np.argsort(against.sum(axis=1), kind="stable")]


def _kemeny(against: Table) -> list[int]:
    """The cheapest order, by which candidates stand first and which of them last among those."""
    k = len(against)
    cost = np.full(1 << k, np.inf)
    cost[0] = 0
    last = np.zeros(1 << k, dtype=np.int64)
    members = np.array(
        [[mask >> one & 1 for one in range(k)] for mask in range(1 << k)], dtype=float
    )
    ahead = (
        members @ against
    )  # (2^k, k) what is contradicted by the members standing before a candidate
    for mask in range(1 << k):
        for one in range(k):
            if not mask >> one & 1:
                then = mask | 1 << one
                found = cost[mask] + ahead[mask, one]
                if found < cost[then] - 1e-12:
                    cost[then], last[then] = found, one
    order: list[int] = []
    mask = (1 << k) - 1
    while mask:
        order.append(int(last[mask]))
        mask ^= 1 << order[-1]
    return order[::-1]
