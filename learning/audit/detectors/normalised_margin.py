"""Detector: how far the label is ahead of the best other one."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.selection.reading import percent


@dataclass(frozen=True, kw_only=True)
class NormalisedMargin:
    """A label is doubtful as far as another one is likelier to a student that has not seen it.
    Source: Northcutt, Jiang, Chuang 2021; Kuan, Mueller 2022.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    def score(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n,) (p of the label - p of the best other label + 1) / 2."""
        p = evidence.probabilities
        return np.asarray((evidence.own(p) - evidence.rival(p)[1] + 1) / 2)

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """Which other label the student prefers, or that it prefers none."""
        own = evidence.own(evidence.probabilities)
        other, likely = evidence.rival(evidence.probabilities)
        return [
            f"the student says {evidence.name(int(other[row]))} {percent(likely[row])}, "
            f"{evidence.name(int(evidence.given[row]))} {percent(own[row])}"
            for row in rows
        ]
