"""Detector: teachers who were asked blind."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.selection.reading import percent

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judges:
    """A label is doubtful when several teachers, not shown it, agree on another one.
    Source: Nahum et al. 2024 (Are LLMs better than reported?).

    The mean of the judges' distributions; a label's own author never judges it. Where nobody
    judged, the score is 0.5.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"judges"})

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) the odds of the label against the best other one, as p / (p + p other)."""
        mean, heard = self._mean(evidence)
        own, other = evidence.own(mean), evidence.rival(mean)[1]
        return np.where(heard > 0, own / np.maximum(own + other, 1e-12), 0.5)

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How many judges there were and what they say."""
        mean, heard = self._mean(evidence)
        other, likely = evidence.rival(mean)
        own = evidence.own(mean)
        return [
            f"{heard[row]} {'judge' if heard[row] == 1 else 'judges'}, asked blind, give "
            f"{evidence.name(int(other[row]))} {percent(likely[row])} and "
            f"{evidence.name(int(evidence.given[row]))} {percent(own[row])}"
            if heard[row]
            else "no teacher was asked"
            for row in rows
        ]

    def _mean(self, evidence: Evidence) -> tuple[Doubles, NDArray[np.int64]]:
        """(n, k) mean distribution and (n,) how many spoke."""
        assert evidence.judges is not None  # noqa: S101 - `needs` says so
        said = np.asarray(evidence.judges, dtype=np.float64)
        spoke = np.asarray(np.isfinite(said).all(axis=2))  # (j, n)
        heard = spoke.sum(axis=0)
        total = np.where(spoke[:, :, None], said, 0).sum(axis=0)
        return total / np.maximum(heard, 1)[:, None], heard
