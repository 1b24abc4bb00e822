"""How likely a label is wrong, from what the detectors say: a small model that reviews teach.

Bayesian logistic regression. It begins as a Gaussian prior over the weights, from sets on which it
is known which labels are wrong, and every settled review moves it; where few are settled it stays
near the prior. Letters in shapes: n labels, m features, c reviewed cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import CONFIDENCE, NOTHING, Estimate
from learning.types import Bools, Floats, require

Doubles = NDArray[np.float64]

STEPS = 50  # of Newton's method at most; it takes some ten
PRECISE = 1e-9
DRAWS = 2_000


@dataclass(frozen=True, kw_only=True)
class Belief:
    """A Gaussian over the weights of the features: mean (m,), covariance (m, m)."""

    mean: Doubles
    covariance: Doubles

    def __post_init__(self) -> None:
        m = len(self.mean)
        require(
            self.covariance.shape == (m, m),
            f"A belief about {m} weights needs a covariance of {m} by {m}.",
        )

    def to_json(self) -> dict[str, Any]:
        """As a row can hold it."""
        return {"mean": self.mean.tolist(), "covariance": self.covariance.tolist()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Belief":
        """The belief that `to_json` gave."""
        return cls(
            mean=np.array(kept["mean"], dtype=np.float64),
            covariance=np.array(kept["covariance"], dtype=np.float64),
        )

    def learn(self, features: Floats, wrong: Bools) -> "Belief":
        """The belief after reviews of cases (c, m), of which some were wrong (c,).

        The mode of the posterior by Newton's method and its curvature there (Laplace). Reviewed
        cases may have been picked by their features: that does not bias what is learnt given them.
        Source: MacKay 1992; Spiegelhalter, Lauritzen 1990.
        """
        x, y = self._table(features), np.asarray(wrong, dtype=np.float64)
        require(len(x) == len(y), "Each reviewed case is either wrong or right.")
        if not len(x):
            return self
        tight = np.linalg.inv(self.covariance)
        weights = self.mean.copy()
        for _ in range(STEPS):
            p = _sigmoid(x @ weights)
            slope = x.T @ (y - p) - tight @ (weights - self.mean)
            bend = (x * (p * (1 - p))[:, None]).T @ x + tight
            step = np.linalg.solve(bend, slope)
            weights = weights + step * min(1.0, 2 / max(float(np.abs(step).max()), 1e-12))
            if float(np.abs(step).max()) < PRECISE:
                break
        p = _sigmoid(x @ weights)
        bend = (x * (p * (1 - p))[:, None]).T @ x + tight
        return Belief(mean=weights, covariance=np.linalg.inv(bend))

    def chance(self, features: Floats) -> Doubles:
        """(n,) how likely each label is wrong, 0 … 1; doubt about the weights draws it to a half.

        Source: MacKay 1992 (the moderated output).
        """
        x = self._table(features)
        spread = np.einsum("nm,mk,nk->n", x, self.covariance, x)
        return _sigmoid(x @ self.mean / np.sqrt(1 + np.pi * spread / 8))

    def precision(
        self, features: Floats, rng: np.random.Generator, confidence: float = CONFIDENCE
    ) -> Estimate:
        """The share of these cases (c, m) that is expected to be wrong.

        Weights are drawn from the belief and outcomes from them, so that the interval holds both
        what is not known of the weights and what chance leaves open in so few cases.
        """
        x = self._table(features)
        if not len(x):
            return NOTHING
        weights = rng.multivariate_normal(self.mean, self.covariance, size=DRAWS, method="cholesky")
        chances = _sigmoid(weights @ x.T)  # (draws, c)
        shares = (rng.random(chances.shape) < chances).mean(axis=1)
        tail = (1 - confidence) / 2
        low, high = np.quantile(shares, [tail, 1 - tail])
        return Estimate(value=float(chances.mean()), low=float(low), high=float(high), n=len(x))

    def _table(self, features: Floats) -> Doubles:
        x = np.asarray(features, dtype=np.float64)
        require(
            x.ndim == 2 and x.shape[1] == len(self.mean),
            f"Cases must have {len(self.mean)} features, not shape {x.shape}.",
        )
        return x


def _sigmoid(logits: Doubles) -> Doubles:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))
