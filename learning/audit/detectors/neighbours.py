"""Detector: what the nearest items are labelled."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.errors import ParameterError

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """A label is doubtful that the most alike items do not have.
    Source: Wilson 1972 (edited nearest neighbours); Grivas et al. 2020; the student's share is ours.

    Each neighbour votes with its label, in part with what the held-out student says of it, since
    its label may be wrong as well.

    count: how many vote. trust: the part of the vote that is the student's, 0 … 1.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"encodings"})

    count: int = 15
    trust: float = 0.5

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.trust <= 1:
            raise ParameterError("Neighbours need a count above 0 and a trust between 0 and 1.")

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) the share of the votes for the label against those for the best other one."""
        votes = self.votes(evidence)
        own, other = evidence.own(votes), evidence.rival(votes)[1]
        return np.asarray(own / np.maximum(own + other, 1e-12))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How many neighbours have the label, how many the most frequent other one."""
        near = evidence.neighbours.rows[:, : self.count]
        found = []
        for row in rows:
            counts = np.bincount(evidence.given[near[row]], minlength=evidence.columns)
            label = int(evidence.given[row])
            own, counts[label] = int(counts[label]), -1
            other = int(counts.argmax())
            most = "" if counts[other] < 1 else f", {counts[other]} are {evidence.name(other)}"
            found.append(
                f"of the {near.shape[1]} nearest items {own} are {evidence.name(label)}{most}"
            )
        return found

    def votes(self, evidence: Evidence) -> Doubles:
        """(n, k) mean vote of the neighbours; even where there are none."""
        near = evidence.neighbours.rows[:, : self.count]
        opinion: Doubles = (1 - self.trust) * evidence.labels + self.trust * evidence.probabilities
        if not near.shape[1]:
            return np.full(evidence.labels.shape, 1 / evidence.columns)
        votes: Doubles = np.zeros(evidence.labels.shape, dtype=np.float64)
        for place in near.T:
            votes += opinion[place]
        return np.asarray(votes / near.shape[1])
