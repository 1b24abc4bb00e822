"""What items without a label tell a head: how items of one label differ, and which it is sure of.

Letters: n rows of the lesson, p items without a label, k label columns, d dimensions.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.students.head import FittedHead, Head
from learning.students.regression import Problem
from learning.students.strength import FEWEST_PER_LABEL, TEMPERATURES, splits
from learning.types import Floats, Report, TrainingData, no_report, require

# Fewer items than dimensions say little of how they differ; fewer rows, little of what is to be told apart.
FEWEST_WAITING, LEAST_ROWS = 500, 150
# A head that is less sure of the items, on average, is wrong on too many to learn from its own word.
LEAST_SURE = 0.7

Fit = Callable[[TrainingData], FittedHead]


@dataclass(frozen=True, kw_only=True)
class Unlabelled:
    """A head learns once more, where directions in which items of one label differ anyway count less, and
    beside its lesson from items that it is sure of. One label an item and one text,
    without grades.

    What differs is the covariance of the items without a label around the means of their labels, by the
    word of the head that the lesson alone made; what they are sure of is learnt as labels of its own
    making. Source: Fisher 1936; Friedman 1989 (the shrinkage); Lee 2013 (pseudo-labels).

    share: 0 … below 1, of that covariance in the metric; the rest is a sphere.
    sure: the least probability of an item that is learnt from; weight: what it counts beside an answer.
    """

    share: float = 0.3
    sure: float = 0.8
    weight: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1 or not 0 < self.sure <= 1 or self.weight <= 0:
            raise ParameterError(
                "What is unlabelled needs a share of 0 to 1, a sureness up to 1, a weight above 0."
            )

    def suits(self, lesson: TrainingData) -> bool:
        """Whether a lesson is of the kind and the size to learn from unlabelled items: one label and one text
        each, at least LEAST_ROWS rows and FEWEST_PER_LABEL for each label that occurs.
        """
        if lesson.multi_label or lesson.ordered or lesson.parts or lesson.encodings is None:
            return False
        if lesson.paired:  # a head of two texts is no linear map of encodings
            return False
        given = int((np.asarray(lesson.targets) > 0).any(axis=0).sum())
        return lesson.rows >= max(LEAST_ROWS, FEWEST_PER_LABEL * given)

    def fit(
        self,
        head: Head,
        plain: FittedHead,
        lesson: TrainingData,
        waiting: Floats,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> FittedHead | None:
        """The head of `lesson` and of `waiting`, (p, d) encodings of items without a label, after `plain`, the
        head of `lesson` alone; a linear map of encodings like any other. Its temperature is chosen on
        held-out rows of the lesson. The same generator state gives the same head.

        None where the lesson does not suit, where there are fewer than FEWEST_WAITING items, or where
        `plain` is less than LEAST_SURE of them on average. Raises ShapeError where dimensions differ.
        """
        if not self.suits(lesson):
            return None
        require(
            waiting.ndim == 2 and waiting.shape[1] == len(plain.weights),
            f"Items without a label need encodings of shape (p, {len(plain.weights)}), "
            f"not {waiting.shape}.",
        )
        if len(waiting) < FEWEST_WAITING:
            return None
        items = np.asarray(waiting, dtype=np.float32)
        if float(plain.predict(items).max(axis=1).mean()) < LEAST_SURE:
            return None
        near = head.fit_one(_turned(lesson, self.metric(plain, items)), rng, report)
        alone, close = _like(plain, head, report), _like(near, head, report)
        costs = np.zeros(len(TEMPERATURES))
        for learn, ask in splits(lesson.rows, rng):
            part, problem = lesson.subset(learn), Problem.of(lesson.subset(ask))
            made = self._beside(close, part, alone(part), items)
            costs += problem.costs(np.vstack([made.weights, made.bias]).ravel(), TEMPERATURES)
        warm = float(TEMPERATURES[int(costs.argmin())])
        made = self._beside(close, lesson, plain, items)
        return replace(made, choice=replace(near.choice, temperature=warm))

    def _beside(
        self, close: Fit, lesson: TrainingData, plain: FittedHead, items: NDArray[np.float32]
    ) -> FittedHead:
        metric = self.metric(plain, items)
        turned = _turned(lesson, metric)
        made = close(self._with_sure(turned, close(turned), items @ metric))
        return replace(made, weights=metric @ made.weights)

    def metric(self, plain: FittedHead, waiting: Floats) -> NDArray[np.float32]:
        """(d, d) symmetric: encodings times it spread alike in all directions around their labels' means, as
        far as `share` says, and as much in all as before.
        """
        points = np.asarray(waiting, dtype=np.float32)
        said = plain.predict(points)  # (p, k)
        mass = said.sum(axis=0)
        means = (said.T @ points) / np.maximum(mass, 1e-9)[:, None]
        within = (points.T @ points - (means.T * mass) @ means).astype(np.float64) / len(points)
        d = len(within)
        sphere = np.trace(within) / d * np.eye(d)
        values, vectors = np.linalg.eigh((1 - self.share) * sphere + self.share * within)
        least = 1e-9 * max(float(values[-1]), 1e-30)
        metric = (vectors / np.sqrt(np.maximum(values, least))) @ vectors.T
        spread = float(np.trace(metric @ within @ metric))
        metric *= np.sqrt(np.trace(within) / spread) if spread > 0 else 1.0
        return np.asarray(metric, dtype=np.float32)

    def _with_sure(
        self, turned: TrainingData, near: FittedHead, items: NDArray[np.float32]
    ) -> TrainingData:
        """The lesson and the items that the head is sure of, with the labels that it gives them."""
        said = near.predict(items)
        kept = said.max(axis=1) >= self.sure
        own = np.eye(turned.labels, dtype=np.float32)[said[kept].argmax(axis=1)]
        given = np.ones(turned.rows) if turned.weights is None else turned.weights
        known = np.ones(turned.targets.shape, np.bool_) if turned.known is None else turned.known
        younger = turned.younger
        if younger is not None:
            younger = np.vstack([younger, np.zeros(own.shape, dtype=np.bool_)])
        return replace(
            turned,
            targets=np.vstack([turned.targets, own]),
            encodings=np.vstack([np.asarray(turned.encodings), items[kept]]),
            weights=np.concatenate([given, np.full(len(own), self.weight)]).astype(np.float32),
            known=np.vstack([known, np.tile(near.active, (len(own), 1))]),
            younger=younger,
        )


def _turned(lesson: TrainingData, metric: NDArray[np.float32]) -> TrainingData:
    """The lesson where the metric is the usual one, its label vectors too."""
    vectors = lesson.label_vectors
    return replace(
        lesson,
        encodings=np.asarray(lesson.encodings, dtype=np.float32) @ metric,
        texts=None,
        label_vectors=None if vectors is None else np.asarray(vectors, dtype=np.float32) @ metric,
    )


def _like(fitted: FittedHead, head: Head, report: Report) -> Fit:
    """Learns other rows with what `fitted` chose, the temperature too, beginning where it ended."""
    plan = head.settle(fitted)

    def fit(data: TrainingData) -> FittedHead:
        made = plan.fit_one(
            data, np.random.default_rng(0), report, fitted
        )  # nothing is left to chance
        return replace(made, choice=fitted.choice)

    return fit
