"""Log-odds to probabilities by logistic regression, with parameters shared by labels that are
about as frequent. Source: Platt 1999; Feng et al. 2023 (CASENT, content-free prior and groups).

Letters: r pairs of an item and a label, k labels, g groups.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.types import Bools, Floats, Ints, require

CUTS = (2, 4, 8, 16, 32, 64, 128, 256)
EDGE = 1e-4  # probabilities nearer to 0 or 1 are read as this far away
RIDGE = 0.05  # of the regression, around the weights (1, 0) that leave a score as it is
STEPS = 50


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Audited pairs of an item and a label that was said, or could have been.

    label: (r,) columns; score: (r,) log-odds of what the teacher gave it; right: (r,) bool, the
    label is true; prior: (r,) log-odds that the teacher gives the label without any content, or None.
    """

    label: Ints
    score: Floats
    right: Bools
    prior: Floats | None = None

    def __post_init__(self) -> None:
        r = len(self.label)
        for values in (self.score, self.right, self.prior):
            require(values is None or values.shape == (r,), "Each pair needs one of each.")
        require(
            bool(np.all(np.isfinite(self.score)))
            and (self.prior is None or bool(np.all(np.isfinite(self.prior)))),
            "Scores must be finite.",
        )

    @property
    def features(self) -> NDArray[np.float64]:
        """(r, 3): score, prior (0 where there is none), 1."""
        prior = np.zeros(len(self.label)) if self.prior is None else self.prior
        return np.stack([self.score, prior, np.ones(len(self.label))], axis=1).astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class Platt:
    """A fitted calibration. groups: (k,) the group of each label; weights: (g, 3) for score, prior
    and 1. Plain tuples, so that a row can hold it.
    """

    groups: tuple[int, ...]
    weights: tuple[tuple[float, float, float], ...]

    def confidence(
        self, label: Ints, score: Floats, prior: Floats | None = None
    ) -> NDArray[np.float64]:
        """(r,) how likely the labels are true, 0 … 1."""
        label = np.asarray(label)
        pairs = Pairs(
            label=label, score=score, prior=prior, right=np.zeros(len(label), dtype=np.bool_)
        )
        chosen = np.array(self.weights)[np.array(self.groups)[label]]
        return _sigmoid(np.einsum("rf,rf->r", pairs.features, chosen))


def fit_platt(pairs: Pairs, frequency: Ints, *, fewest: int = 30, outcomes: int = 5) -> Platt:
    """Calibrate on audited pairs.

    frequency: (k,) how often each label is true in the audit; labels with 0–1, 2–3, 4–7 … times
    share a group. A group with fewer than `outcomes` of either outcome joins the next one, the last
    joins the one before, so that every label has fitted parameters.
    Raises NotEnoughDataError under `fewest` pairs.
    """
    if fewest < 1 or outcomes < 1:
        raise ParameterError("Calibration needs at least 1 pair and 1 of each outcome.")
    if len(pairs.label) < fewest:
        raise NotEnoughDataError(
            f"Calibration needs at least {fewest} audited answers of this teacher; there are "
            f"{len(pairs.label)}."
        )
    groups = _merged(np.digitize(frequency, CUTS), pairs, outcomes)
    fitted = [_fit(pairs, groups[pairs.label] == g) for g in range(int(groups.max()) + 1)]
    return Platt(groups=tuple(int(g) for g in groups), weights=tuple(fitted))


def log_odds(p: Floats) -> NDArray[np.float64]:
    """Of probabilities 0 … 1; 0 and 1 are read as 0.0001 away."""
    inside = np.clip(np.asarray(p, dtype=np.float64), EDGE, 1 - EDGE)
    return np.asarray(np.log(inside / (1 - inside)))


def _merged(groups: NDArray[np.int64], pairs: Pairs, outcomes: int) -> NDArray[np.int64]:
    """(k,) groups 0 … g - 1, each with enough of both outcomes unless there is only one."""
    of_pair = groups[pairs.label]
    joined, waiting, place = np.zeros(len(CUTS) + 1, dtype=np.int64), [], 0
    right = wrong = 0
    for group in range(len(CUTS) + 1):
        mine = of_pair == group
        right, wrong = right + int(pairs.right[mine].sum()), wrong + int((~pairs.right[mine]).sum())
        waiting.append(group)
        if min(right, wrong) >= outcomes:
            joined[waiting] = place
            waiting, place, right, wrong = [], place + 1, 0, 0
    joined[waiting] = max(0, place - 1)
    return joined[groups]


def _fit(pairs: Pairs, rows: Bools) -> tuple[float, float, float]:
    """Weights by Newton's steps. Targets are Platt's, a little inside of 0 and 1."""
    x, right = pairs.features[rows], pairs.right[rows]
    yes, no = int(right.sum()), int((~right).sum())
    target = np.where(right, (yes + 1) / (yes + 2), 1 / (no + 2))
    home = np.array([1.0, 0.0, 0.0])
    pull = np.array([RIDGE, RIDGE, RIDGE * 1e-3])
    weights = home.copy()
    cost = _cost(weights, x, target, home, pull)
    for _ in range(STEPS):
        p = _sigmoid(x @ weights)
        gradient = x.T @ (p - target) + pull * (weights - home)
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(pull)
        step = np.linalg.solve(curve, gradient)
        size = 1.0
        while size > 1e-6 and (new := _cost(weights - size * step, x, target, home, pull)) > cost:
            size /= 2
        if size <= 1e-6 or cost - new < 1e-10:
            break
        weights, cost = weights - size * step, new
    return float(weights[0]), float(weights[1]), float(weights[2])


def _cost(
    weights: NDArray[np.float64],
    x: NDArray[np.float64],
    target: NDArray[np.float64],
    home: NDArray[np.float64],
    pull: NDArray[np.float64],
) -> float:
    score = x @ weights
    return float(np.sum(np.logaddexp(0, score) - target * score)) + float(
        np.sum(pull * (weights - home) ** 2) / 2
    )


def _sigmoid(score: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(score, -60, 60))))
