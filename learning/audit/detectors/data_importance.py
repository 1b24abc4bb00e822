"""Detector: whether a label helps or harms the nearest-neighbour answers it takes part in."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.errors import ParameterError

Doubles = NDArray[np.float64]
START = 0.5
STEP = 0.5


@dataclass(frozen=True, kw_only=True)
class DataImportance:
    """A label is doubtful that makes nearest-neighbour answers worse when it is present.
    Source: Lyu et al. 2023 (data importance by the multilinear extension), exact gradient.

    Item b of the bank is present with probability v_b. A query q, an item left out itself, is
    answered by the first K present items of its ranking: U = 1/K Σ u_bq over them, with u_bq the
    belief that b's label holds for q (half q's label, half the held-out student's opinion). Then
        ∂E[U]/∂v_i = 1/K Σ_{j<K} A_i(j) (u_i + S(K - j - 1, i) - S(K - j, i)),
    A_i(j) how likely j items before i are present, S(r, i) the expected sum over the first r
    present ones after i. Per item the mean over the queries that see it, which lies in -1 … 1.

    neighbours: K. ranked: items of a ranking looked at. epochs: steps of v along the gradient.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"encodings"})

    neighbours: int = 10
    ranked: int = 30
    epochs: int = 3

    def __post_init__(self) -> None:
        if min(self.neighbours, self.ranked, self.epochs) < 1:
            raise ParameterError("Data importance needs all parameters above 0.")

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) half of 1 + the importance, 0.5 for an item that is near no other."""
        return np.asarray((self._importance(evidence) + 1) / 2)

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How much an answer that the label takes part in gains or loses."""
        importance = self._importance(evidence)
        return [
            f"{evidence.name(int(evidence.given[row]))} here makes look-ups nearby "
            f"{abs(100 * importance[row]):.0f} points {'worse' if importance[row] < 0 else 'better'}"
            for row in rows
        ]

    def _importance(self, evidence: Evidence) -> Doubles:
        near = evidence.neighbours.rows[:, : self.ranked]
        total = np.zeros(evidence.items)
        if not near.shape[1]:
            return total
        truth = (evidence.labels + evidence.probabilities) / 2
        right = truth[np.arange(evidence.items)[:, None], evidence.given[near]]  # (q, m)
        value = np.full(evidence.items, START)
        for _ in range(self.epochs):
            gain, weight = gradient(value[near], right.astype(np.float64), self.neighbours)
            summed = np.bincount(near.ravel(), gain.ravel(), evidence.items)
            seen = np.bincount(near.ravel(), weight.ravel(), evidence.items)
            total = summed / np.maximum(seen, 1e-9)
            value = np.clip(value + STEP * total, 0, 1)
        return total


def gradient(present: Doubles, right: Doubles, neighbours: int) -> tuple[Doubles, Doubles]:
    """K ∂E[U]/∂v (q, m) of each ranked item, and how likely it has a vote (q, m).

    present: (q, m) the probabilities v of the ranked items, best first; right: (q, m) their u.
    """
    queries, ranked = present.shape
    after = np.zeros((ranked + 1, queries, neighbours + 1))  # S(r, i) behind the first i items
    for i in range(ranked - 1, -1, -1):
        v, u = present[:, i, None], right[:, i, None]
        after[i, :, 1:] = v * (u + after[i + 1, :, :-1]) + (1 - v) * after[i + 1, :, 1:]
    before = np.zeros((queries, neighbours))  # A_i(j)
    before[:, 0] = 1
    gain, weight = np.empty(present.shape), np.empty(present.shape)
    for i in range(ranked):
        fewer, as_many = after[i + 1, :, :-1], after[i + 1, :, 1:]  # S(r - 1, i), S(r, i)
        change = (right[:, i, None] + fewer - as_many)[:, ::-1]  # by j = K - r
        gain[:, i] = (before * change).sum(axis=1)
        weight[:, i] = before.sum(axis=1)
        moved = before * present[:, i, None]
        before = before - moved
        before[:, 1:] += moved[:, :-1]
    return gain, weight
