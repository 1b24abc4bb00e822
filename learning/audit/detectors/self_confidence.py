"""Detector: how likely the label is to a student that has not seen it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.selection.reading import percent


@dataclass(frozen=True, kw_only=True)
class SelfConfidence:
    """A label is as good as the probability that a student gives it who has not learnt from it.
    Source: Northcutt, Jiang, Chuang 2021; Kuan, Mueller 2022.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def score(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n,) the held-out probability of the label."""
        return evidence.own(evidence.probabilities)

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How likely the student takes the label to be."""
        own = self.score(evidence)
        return [
            f"the student gives {evidence.name(int(evidence.given[row]))} {percent(own[row])}"
            for row in rows
        ]
