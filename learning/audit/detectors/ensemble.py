"""Detector: what students of several kinds and strengths say together."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.selection.reading import percent

TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class Ensemble:
    """A label is doubtful that students of several kinds, none of which has seen it, agree against.
    Source: Lakshminarayanan, Pritzel, Blundell 2017 (ensembles); Kuan, Mueller 2022.

    The geometric mean of their probabilities: one student who rules a label out weighs much.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"training", "students"})

    def score(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n,) the odds of the label against the best other one, as p / (p + p other)."""
        together = self._together(evidence)
        own, other = evidence.own(together), evidence.rival(together)[1]
        return np.asarray(own / (own + other))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How many students prefer the best other label."""
        together = self._together(evidence)
        other, likely = evidence.rival(together)
        own = evidence.own(together)
        said = np.argmax(_all(evidence), axis=2)  # (s, n)
        return [
            f"{int((said[:, row] == other[row]).sum())} of {len(said)} students say "
            f"{evidence.name(int(other[row]))}, together {percent(likely[row])}, "
            f"{evidence.name(int(evidence.given[row]))} {percent(own[row])}"
            for row in rows
        ]

    def _together(self, evidence: Evidence) -> NDArray[np.float64]:
        """(n, k) the normalised geometric mean."""
        logs = np.log(np.maximum(_all(evidence), TINY), dtype=np.float64).mean(axis=0)
        together = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(together / together.sum(axis=1, keepdims=True))


def _all(evidence: Evidence) -> NDArray[np.float32]:
    parts = [x for x in (evidence.training, evidence.students) if x is not None]
    return np.concatenate(parts)
