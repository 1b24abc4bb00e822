"""The learning curve: measured points, a power law through them, and what it forecasts.

Letters in shapes: v versions of a student, m audit items, s drawn curves, q asked numbers of labels.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import (
    CONFIDENCE,
    Estimate,
    linearised,
    ratio,
    share,
    worth,
)
from learning.errors import NotEnoughDataError
from learning.types import Bools, Floats, Ints, require

Array = NDArray[np.float64]

# A curve needs so many versions, over such a growth of labels, to say anything of its shape.
FEWEST_VERSIONS = 4
MOST_VERSIONS = 8
LEAST_GROWTH = 1.5

# The grid of the posterior: the share of what is left above the last point that more labels could
# ever reach, the exponent, a version's own luck, and how far a curve strays from any power law
# while its labels grow e-fold, as a share of what is left above it.
REACH = np.linspace(0.02, 0.98, 25)
EXPONENTS = np.geomspace(0.1, 2.0, 14)
LUCK = np.array([0.001, 0.002, 0.004])
STRAY = np.array([0.01, 0.03, 0.06, 0.12])
LEVELS = 41
DRAWS = 4_000

# Priors. Exponents of heads on frozen encodings lie around 0.6. Half of what is left can be reached
# from 40 labels of each kind on, more from fewer; that guess weighs as much as three observations.
USUAL_EXPONENT, EXPONENT_SPREAD = 0.6, 0.8
HALF_REACHED, REACH_WEIGHT = 40.0, 3.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What versions of one student got right on the audit items.

    labels: (v,) how many labels each learned from, ascending; right: (v, m) bool, or how much of an
    item, 0 … whole; asked: (v, m) bool, False where a version was not asked about an item, or had
    learned from it; whole: (v, m) how much there is to get right of each item, 1 of each by default.

    Accuracy here is right by whole, summed over items: with spans that are in both by twice, and
    spans of either, it is their F1.
    """

    labels: Ints
    right: Bools | Floats
    asked: Bools
    whole: Floats | None = None

    def __post_init__(self) -> None:
        v = len(self.labels)
        require(self.right.ndim == 2 and len(self.right) == v, "There must be one row per version.")
        require(self.right.shape == self.asked.shape, "right and asked differ in shape.")
        whole = self.right if self.whole is None else self.whole
        require(self.right.shape == whole.shape, "right and whole differ in shape.")
        require(bool(np.all(np.diff(self.labels) >= 0)), "Versions come in the order of labels.")
        require(v == 0 or int(self.labels[0]) > 0, "A student learns from one label at least.")

    def points(self, confidence: float = CONFIDENCE) -> list[Estimate]:
        """Each version's accuracy on the items it was asked about."""
        rows = list(zip(self.right, self.asked, strict=True))
        if self.whole is None:
            return [share(row[asked], confidence=confidence) for row, asked in rows]
        wholes = zip(rows, self.whole, strict=True)
        found = [ratio(row[asked], whole[asked], confidence) for (row, asked), whole in wholes]
        sizes = self.asked.sum(axis=1).tolist()
        return [replace(each, n=n) for each, n in zip(found, sizes, strict=True)]

    def accuracy(self) -> Array:
        """(v,) right by whole over the items that were asked; 1 where there is nothing to get right."""
        whole = np.where(self.asked, 1.0 if self.whole is None else self.whole, 0).sum(axis=1)
        right = np.where(self.asked, self.right, 0).sum(axis=1)
        found: Array = np.where(whole > 0, right / np.maximum(whole, 1e-12), 1.0)
        return found

    def told(self) -> Array:
        """(v, m) what each asked item says of the accuracy, whose mean they have; 0 elsewhere."""
        found: Array = np.where(self.asked, self.right, 0).astype(np.float64)
        if self.whole is not None:
            for row, (right, whole, asked) in enumerate(
                zip(self.right, self.whole, self.asked, strict=True)
            ):
                if whole[asked].any():
                    found[row, asked] = linearised(right[asked], whole[asked])
        return found

    def worths(self) -> Array:
        """(v,) how many items that are right or wrong would tell as much."""
        if self.whole is None:
            return np.asarray(self.asked.sum(axis=1), dtype=np.float64)
        rows = zip(self.right, self.whole, self.asked, strict=True)
        return np.array([max(worth(r[asked], w[asked]), 1.0) for r, w, asked in rows])

    def thinned(self, most: int = MOST_VERSIONS) -> "Measured":
        """Versions that were asked something, at even steps of log labels, the last one included."""
        rows = np.flatnonzero(self.asked.any(axis=1))
        if len(rows) > most:
            wanted = np.geomspace(self.labels[rows[0]], self.labels[rows[-1]], most)
            places = np.searchsorted(self.labels[rows], wanted - 1e-9)
            rows = np.unique(rows[np.minimum(places, len(rows) - 1)])
        whole = None if self.whole is None else self.whole[rows]
        return Measured(
            labels=self.labels[rows], right=self.right[rows], asked=self.asked[rows], whole=whole
        )


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Curves that agree with the points, drawn from their posterior.

    at: labels of the last point; level, reach, exponent: (s,) of accuracy(n) = a - (a - level) ·
    (n / at) ^ -exponent with a = level + reach · (1 - level); luck, stray: (s,) standard
    deviations, of one version and of the curve per e-fold growth; n: audit items of the last point.
    normals: (s, 3) standard normal numbers, so that a curve's forecasts go together.
    """

    at: int
    level: Array
    reach: Array
    exponent: Array
    luck: Array
    stray: Array
    n: int
    normals: Array = field(repr=False)

    def mean(self, labels: Floats | Ints) -> Array:
        """(s, q) the drawn power laws at so many labels."""
        ratio = np.asarray(labels, dtype=np.float64) / self.at
        room = (self.reach * (1 - self.level))[:, None]
        return self.level[:, None] + room * (1 - ratio[None, :] ** -self.exponent[:, None])

    def versions(self, labels: Floats | Ints) -> Array:
        """(s, q) the accuracy in the pool of students that learned from so many labels, `at` or
        more, with their luck and with the stray of the curve."""
        asked = np.asarray(labels, dtype=np.float64)
        way = np.sqrt(np.maximum(np.log(asked / self.at), 0))
        # One normal number per curve and kind: the forecast's band moves as a whole.
        strayed = self.stray[:, None] * way[None, :] * self.normals[:, :1]
        lucky = self.luck[:, None] * self.normals[:, 1:2]
        return np.clip(self.mean(asked) + strayed + lucky, 0, 1)

    def forecast(self, labels: Floats | Ints, confidence: float = CONFIDENCE) -> list[Estimate]:
        """Accuracy to expect at so many labels, `at` or more."""
        return [self._estimate(column, confidence) for column in self.versions(labels).T]

    def changes(self, more: int) -> Array:
        """(s,) the next student's accuracy less that of the last point's, by so many more labels;
        negative where the next one is worse."""
        now = self.level + self.luck * self.normals[:, 2]
        return np.asarray(self.versions(np.array([self.at + more]))[:, 0] - now, dtype=np.float64)

    def _estimate(self, drawn: Array, confidence: float) -> Estimate:
        low, high = np.quantile(drawn, _tails(confidence))
        return Estimate(value=float(drawn.mean()), low=float(low), high=float(high), n=self.n)


def fit(measured: Measured, kinds: int, rng: np.random.Generator, draws: int = DRAWS) -> Curve:
    """The posterior of a power law, accuracy(n) = a - b · n ^ -c, on a grid.

    kinds: how many labels the schema has; the more labels of each kind were given, the less is
    expected of further ones.

    Versions were measured on the same items, so their errors go together: the covariance of the
    points is that of the items' rights and wrongs, whose common part moves the level of the curve
    but hardly its slope. To it come each version's own luck and a random walk in log labels away
    from any power law, which trusts near points more than far ones and widens the forecast with
    its distance. Source: the power law, Cortes et al. 1993 and Hestness et al. 2017; the random
    walk and the priors are [ours], set on replays of four sets. The forecast begins at what the last
    point by itself lets expect, (right + 1) / (n + 2), whatever the points before it were.

    Raises NotEnoughDataError for fewer than FEWEST_VERSIONS versions, or too little growth.
    """
    points = measured.thinned()
    labels = points.labels.astype(np.float64)
    if len(labels) < FEWEST_VERSIONS or labels[-1] < LEAST_GROWTH * labels[0]:
        raise NotEnoughDataError(
            f"A forecast needs {FEWEST_VERSIONS} measured students, the last of which learned "
            f"from {LEAST_GROWTH} times as many labels as the first."
        )
    accuracy, covariance = points.accuracy(), _covariance(points)
    n = int(points.asked[-1].sum())
    size = float(points.worths()[-1])
    room = 1 - (accuracy[-1] * size + 2) / (size + 4)
    spread = float(np.sqrt(covariance[-1, -1]))
    levels = np.clip(accuracy[-1] + spread * np.linspace(-4, 4, LEVELS), 0.005, 0.995)
    likelihood = [
        _log_likelihood(accuracy, covariance + noise, labels, levels)
        for noise in _noises(labels, room)
    ]
    posterior = np.stack(likelihood) + _log_prior(labels[-1] / kinds)
    weights = np.exp(posterior - posterior.max()).ravel()
    chosen = rng.choice(weights.size, size=draws, p=weights / weights.sum())
    noise, exponent, level, reach = np.unravel_index(chosen, posterior.shape)
    cell = float(REACH[1] - REACH[0])
    return Curve(
        at=int(points.labels[-1]),
        level=_anchored(level + rng.random(draws), accuracy[-1] * size, size, rng),
        reach=np.clip(REACH[reach] + cell * (rng.random(draws) - 0.5), 0.0, 1.0),
        exponent=EXPONENTS[exponent],
        luck=np.repeat(LUCK, len(STRAY))[noise],
        stray=np.tile(STRAY, len(LUCK))[noise] * room,
        n=n,
        normals=rng.normal(size=(draws, 3)),
    )


def _anchored(levels: Array, right: float, n: float, rng: np.random.Generator) -> Array:
    """The levels as the last point alone has them, in the order that the whole curve gave them.

    Earlier points shape the curve; they should not move its end away from what was measured there.
    """
    drawn = np.sort(rng.beta(right + 1, n - right + 1, size=len(levels)))
    return np.asarray(drawn[levels.argsort().argsort()], dtype=np.float64)


def _log_prior(labels_of_a_kind: float) -> Array:
    """(1, exponents, 1, reaches)"""
    surprise = np.log(EXPONENTS / USUAL_EXPONENT) / EXPONENT_SPREAD
    middle = 1 / (1 + labels_of_a_kind / HALF_REACHED)
    up, down = (max(part * REACH_WEIGHT, 0.2) for part in (middle, 1 - middle))
    reach = (up - 1) * np.log(REACH) + (down - 1) * np.log(1 - REACH)
    return np.asarray(-0.5 * np.square(surprise)[None, :, None, None] + reach, dtype=np.float64)


def _noises(labels: Array, room: float) -> list[Array]:
    """(v, v) covariances of luck and stray, in the order of LUCK x STRAY."""
    way = np.log(labels[-1] / labels)  # 0 at the last point
    walk = np.minimum(way[:, None], way[None, :])
    alone = np.eye(len(labels))
    return [luck**2 * alone + (stray * room) ** 2 * walk for luck in LUCK for stray in STRAY]


def _log_likelihood(accuracy: Array, covariance: Array, labels: Array, levels: Array) -> Array:
    """(exponents, levels, reaches): the curve is linear in level and asymptote at a given exponent,
    so six inner products give the whole plane."""
    root = np.linalg.cholesky(covariance)
    y = np.linalg.solve(root, accuracy)
    found = np.empty((len(EXPONENTS), len(levels), len(REACH)))
    asymptote = levels[:, None] + REACH[None, :] * (1 - levels[:, None])
    for place, exponent in enumerate(EXPONENTS):
        near = (labels / labels[-1]) ** -exponent  # the weight of the level, 1 at the last point
        g, h = np.linalg.solve(root, near), np.linalg.solve(root, 1 - near)
        level = levels[:, None]
        found[place] = (
            y @ y
            + level**2 * (g @ g)
            + asymptote**2 * (h @ h)
            + 2 * level * asymptote * (g @ h)
            - 2 * level * (y @ g)
            - 2 * asymptote * (y @ h)
        )
    return np.asarray(-0.5 * found - np.log(np.diag(root)).sum(), dtype=np.float64)


def _covariance(points: Measured) -> Array:
    """(v, v) of the accuracies, from the items that two versions were both asked about.

    Variances as with four more items, half of them right, so that a perfect row has one too.
    """
    asked = points.asked.astype(np.float64)
    right = points.told()
    size = asked.sum(axis=1)
    both = asked @ asked.T
    shared = np.maximum(both, 1)
    mean = (right @ asked.T) / shared  # of row version, on the items shared with the column one
    apart = (right @ right.T) / shared - mean * mean.T
    smooth = np.clip((right.sum(axis=1) + 2) / (size + 4), 0, 1)
    variance = smooth * (1 - smooth) * size / points.worths()
    scale = np.sqrt(np.maximum(np.diag(apart), 1e-12))
    correlation = np.clip(apart / np.outer(scale, scale), -1, 1)
    np.fill_diagonal(correlation, 1.0)
    found = correlation * np.sqrt(np.outer(variance, variance)) * both / np.outer(size, size)
    values, vectors = np.linalg.eigh((found + found.T) / 2)
    floor = 1e-3 * max(float(values[-1]), 1e-8)
    few = float(size.min())
    vectors = vectors * np.sqrt((few + 1) / max(few - len(size), 1))
    return np.asarray((vectors * np.maximum(values, floor)) @ vectors.T, dtype=np.float64)


def _tails(confidence: float) -> list[float]:
    return [(1 - confidence) / 2, (1 + confidence) / 2]
