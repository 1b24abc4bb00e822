"""Detector: near copies of an item that are labelled otherwise."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.errors import ParameterError


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """One of two near copies with different labels is wrong, or the guidelines are.
    Source: own (contradictions as in data cleaning; Rahm, Do 2000).

    alike: the cosine from which an item is a near copy.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"encodings"})

    alike: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.alike <= 1:
            raise ParameterError("Near copies need a cosine above 0 and not above 1.")

    def score(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n,) (copies with the label + 1) / (copies + 1): 1 where there is none."""
        same, copies = self._counts(evidence)
        return np.asarray((same + 1) / (copies + 1), dtype=np.float64)

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How many copies there are and how many contradict."""
        same, copies = self._counts(evidence)
        return [
            f"{copies[row] - same[row]} of {copies[row]} near copies are not labelled "
            f"{evidence.name(int(evidence.given[row]))}"
            if copies[row]
            else "there are no near copies"
            for row in rows
        ]

    def _counts(self, evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        near = evidence.neighbours
        copy = near.cosine >= self.alike
        same = copy & (evidence.given[near.rows] == evidence.given[:, None])
        return same.sum(axis=1), copy.sum(axis=1)
