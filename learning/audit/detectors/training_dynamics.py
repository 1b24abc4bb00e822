"""Detector: how long through its training a student held on to another label."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence

TINY = 1e-6

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TrainingDynamics:
    """A label is doubtful whose logit stayed below another one's through the student's training.
    Source: Pleiss, Zhang, Elenberg, Weinberger 2020 (area under the margin).

    Margins are those of items the student does not learn from, at points along the penalty path,
    where the paper takes them in sample at each epoch: a head has no epochs in which it memorises.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"training"})

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) sigmoid of the mean margin between the label's and the best other logit."""
        return np.asarray(1 / (1 + np.exp(-self._margins(evidence).mean(axis=0))))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """How often the label was behind."""
        margins = self._margins(evidence)
        return [
            f"at {int((margins[:, row] < 0).sum())} of {len(margins)} points of the training "
            f"another label was ahead of {evidence.name(int(evidence.given[row]))}"
            for row in rows
        ]

    def _margins(self, evidence: Evidence) -> Doubles:
        """(t, n) log-odds of the label against the best other one."""
        assert evidence.training is not None  # noqa: S101 - `needs` says so
        logs = np.log(np.maximum(evidence.training, TINY))
        return np.stack([evidence.own(x) - evidence.rival(x)[1] for x in logs])
