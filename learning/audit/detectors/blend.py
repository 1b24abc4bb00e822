"""Detector: several views, blended as they explain labels some of which are wrong."""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Evidence
from learning.audit.detectors.neighbours import Neighbours
from learning.audit.detectors.noise import posterior
from learning.audit.detectors.normalised_margin import NormalisedMargin
from learning.audit.detectors.odds import log_odds
from learning.errors import ParameterError
from learning.selection.reading import percent
from learning.students.lbfgs import minimise
from learning.types import Floats

Doubles = NDArray[np.float64]

TINY = 1e-6
MOST_ENTRIES = 900_000  # of the table on which the few weights are fitted
EVALUATIONS = 60
# A trial step of the search may go so far that an exponential overflows; here nothing changes any more.
FARTHEST = 30.0
USUAL_ERROR = -2.2  # log-odds of an error, about 10 %


@dataclass(frozen=True, kw_only=True)
class Blend:
    """Views of unlike skill are mixed as they explain the labels, allowing for two sorts of errors.
    Source: own; a product of experts (Hinton 2002) fitted under symmetric noise (Larsen et al. 1998).

    q(j) ∝ Π_v p_v(j)^w_v over the student, the student without doubtful labels and the neighbours'
    vote. Weights and the rate ε of errors at random maximise
        Σ_i log((1 - ε) q(y_i) + ε / (k - 1) (1 - q(y_i))),
    so a random error costs no view much. Errors among labels that are alike are learnt by the views
    themselves and leave ε near 0. Hence the score mixes log-odds: for errors at random those of
    q(y), else those given what gets mixed up with what (as in confident learning) and of the
    student's margin, with λ = 1 / (1 + (ε / usual)²) on the latter.

    usual: the ε at which both sides weigh the same. margin: the weight of the margin, times √k: the
        more labels there are, the more of a belief is lost to labels that are no rivals.
    """

    needs: ClassVar[frozenset[str]] = frozenset()

    usual: float = 0.02
    margin: float = 0.16

    def __post_init__(self) -> None:
        if self.usual <= 0 or self.margin < 0:
            raise ParameterError("A blend needs a usual rate above 0 and a margin of 0 or more.")

    def score(self, evidence: Evidence) -> Doubles:
        """(n,) the mixed log-odds as a share; it ranks, and is sure of itself rather too often."""
        mixed = self._mix(evidence)
        own = evidence.own(mixed.beliefs)
        confused = evidence.own(posterior(mixed.beliefs, evidence.given))
        margin, labels = NormalisedMargin().score(evidence), mixed.beliefs.shape[1]
        share = 1 / (1 + (mixed.error / self.usual) ** 2)
        odds = (1 - share) * log_odds(own) + share * (
            log_odds(confused) + self.margin * math.sqrt(labels) * log_odds(margin)
        )
        return np.asarray(1 / (1 + np.exp(-odds)))

    def words(self, evidence: Evidence, rows: NDArray[np.int64]) -> list[str]:
        """What all views come to."""
        beliefs = self._mix(evidence).beliefs
        own, (other, likely) = evidence.own(beliefs), evidence.rival(beliefs)
        return [
            f"students and neighbours together: {evidence.name(int(other[row]))} "
            f"{percent(likely[row])}, {evidence.name(int(evidence.given[row]))} {percent(own[row])}"
            for row in rows
        ]

    def _mix(self, evidence: Evidence) -> "_Mix":
        logs = np.stack([np.log(np.maximum(view, TINY)) for view in _views(evidence)])
        return _fitted(logs.astype(np.float64), evidence.given)


@dataclass(frozen=True, kw_only=True)
class _Mix:
    """beliefs: (n, k) of all views together; error: how many labels are wrong at random, 0 … 1."""

    beliefs: Doubles
    error: float


def _views(evidence: Evidence) -> list[Floats]:
    """(n, k) each, as many as the evidence holds."""
    views: list[Floats] = [evidence.probabilities]
    if evidence.cleaned is not None:
        views.append(evidence.cleaned)
    if evidence.encodings is not None:
        views.append(Neighbours().votes(evidence))
    return views


def _fitted(logs: Doubles, given: NDArray[np.int64]) -> _Mix:
    """Views (v, n, k) of log-probabilities, mixed as they explain the labels (n,)."""
    count, n, k = logs.shape
    most = max(1, MOST_ENTRIES // (count * k))
    rows = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))
    start = np.append(np.full(count, -np.log(count)), USUAL_ERROR)
    found = minimise(
        partial(_loss, logs[:, rows], given[rows], start),
        start.astype(np.float32),
        evaluations=EVALUATIONS,
        tolerance=1e-4,
        after_step=lambda _used: None,
    )
    weights, error = _read(found.point.astype(np.float64))
    return _Mix(beliefs=_mixed(weights, logs), error=error)


def _read(point: Doubles) -> tuple[Doubles, float]:
    """The views' weights and the share of errors at a point."""
    near = np.clip(point, -FARTHEST, FARTHEST)
    return np.exp(near[:-1]), float(1 / (1 + np.exp(-near[-1])))


def _loss(
    logs: Doubles, given: NDArray[np.int64], usual: Doubles, point: NDArray[np.float32]
) -> tuple[float, NDArray[np.float32]]:
    """The negative log-likelihood with a unit Gaussian around `usual`, and its gradient."""
    n, k = logs.shape[1:]
    at = point.astype(np.float64)
    weights, error = _read(at)
    q, every = _mixed(weights, logs), np.arange(n)
    own = q[every, given]
    even = error / max(1, k - 1)
    likely = (1 - error) * own + even * (1 - own)
    pull = (1 - error - even) / likely * own
    apart = logs[:, every, given] - np.einsum("nk,vnk->vn", q, logs)  # d log own / d weight
    by_error = (((1 - own) / max(1, k - 1) - own) / likely).sum() * error * (1 - error)
    gradient = np.append(weights * (apart @ pull), by_error) - (at - usual)
    value = np.log(likely).sum() - 0.5 * np.square(at - usual).sum()
    return -float(value), -gradient.astype(np.float32)


def _mixed(weights: Doubles, logs: Doubles) -> Doubles:
    """(n, k) the normalised product of the views to these powers."""
    mixed = np.tensordot(weights, logs, 1)
    mixed -= mixed.max(axis=1, keepdims=True)
    np.exp(mixed, out=mixed)
    return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))
