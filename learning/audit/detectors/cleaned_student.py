"""Detector: a student that learnt from no label in doubt."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.selection.reading import percent


@dataclass(frozen=True, kw_only=True)
class CleanedStudent:
    """Wrong labels teach a student to repeat them, so the judge learns without the doubtful ones.
    Source: Brodley, Friedl 1999 (filtering); Northcutt, Jiang, Chuang 2021 (learning with clean data).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"cleaned"})

    def score(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n,) the odds of the label against the best other one, as p / (p + p other)."""
        assert evidence.cleaned is not None  # noqa: S101 - `needs` says so
        own, other = evidence.own(evidence.cleaned), evidence.rival(evidence.cleaned)[1]
        return np.asarray(own / np.maximum(own + other, 1e-12))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """What that student says."""
        assert evidence.cleaned is not None  # noqa: S101 - `needs` says so
        own = evidence.own(evidence.cleaned)
        other, likely = evidence.rival(evidence.cleaned)
        return [
            f"without doubtful labels the student says {evidence.name(int(other[row]))} "
            f"{percent(likely[row])}, {evidence.name(int(evidence.given[row]))} {percent(own[row])}"
            for row in rows
        ]
