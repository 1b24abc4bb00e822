"""Detector: what the label is likely to be, given how labels get mixed up in this project."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.audit.detectors.noise import posterior
from learning.selection.reading import percent

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ConfidentLearning:
    """A label is doubtful as far as a confusion that is frequent here would explain it better.
    Source: Northcutt, Jiang, Chuang 2021; the posterior is ours.

    The confident joint says how often an item of true label j was given i. With the student's
    held-out p(j) as prior, the label given is right with p(i) T(i|i) / Σ_j p(j) T(i|j).

    pseudo: items per label that count as evenly mixed up, so that rare labels are not judged by
        two or three confusions. error: the share of them that are wrong.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    pseudo: float = 10.0
    error: float = 0.1

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) how likely the label given is the true one."""
        return evidence.own(self._beliefs(evidence))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """Which label is the likeliest when confusions are taken into account."""
        beliefs = self._beliefs(evidence)
        other, likely = evidence.rival(beliefs)
        own = evidence.own(beliefs)
        return [
            f"given what is mixed up here, it is {evidence.name(int(other[row]))} with "
            f"{percent(likely[row])}, {evidence.name(int(evidence.given[row]))} with "
            f"{percent(own[row])}"
            for row in rows
        ]

    def _beliefs(self, evidence: Evidence) -> Doubles:
        return posterior(evidence.probabilities, evidence.given, self.pseudo, self.error)
