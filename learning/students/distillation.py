"""What a better voice says of items without a label, learnt before one's own labels.

Letters: m soft rows, n rows of the lesson, k label columns, d dimensions.
"""

from dataclasses import dataclass, replace

import numpy as np

from learning.errors import ParameterError
from learning.students.head import FittedHead, Head
from learning.students.regression import Problem
from learning.students.strength import TEMPERATURES, USUAL_OWN
from learning.types import Report, TrainingData, no_report, require

# Rows of a lesson from which on they tell how closely a voice is to be followed.
FEWEST_TO_CHOOSE = 100


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """A head learns the voice's distributions, then the lesson with its weights pulled to what it learnt,
    so that few labels correct what the voice gets wrong. Source: Hinton et al. 2015 (soft targets);
    Chang et al. 2008 (the prior).

    strengths: C of the first fit, see `Head`, ascending: the one that explains the lesson best, which it
        has not met, is taken; the least one with fewer than FEWEST_TO_CHOOSE rows.
    prior_scale: how far the first fit is pulled to the label vectors.
    Cross-entropy with the voice's probabilities as targets is its cost: softened targets, squared
    logits and ranked labels were measured beside it and are within the noise.
    """

    strengths: tuple[float, ...] = (3.0, 10.0, 30.0)
    prior_scale: float = 10.0

    def __post_init__(self) -> None:
        if not self.strengths or min(self.strengths) <= 0 or self.prior_scale < 0:
            raise ParameterError("Distillation needs strengths above 0, a scale of 0 or more.")

    def fit(
        self,
        head: Head,
        lesson: TrainingData,
        soft: TrainingData,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> FittedHead:
        """The head of `lesson`, n rows, after `soft`, m rows: encodings (m, d), the voice's probabilities
        (m, k) as targets, how reliable it is in 0 … 1 as weights (m,).

        How far the lesson may leave what was learnt from `soft` is chosen on held-out rows of the
        lesson; no row of `soft` is ever held out. Raises ShapeError where columns differ, and what
        `Head.fit` raises.
        """
        require(
            (soft.labels, soft.multi_label) == (lesson.labels, lesson.multi_label),
            "Soft rows and the lesson need the same label columns.",
        )
        require(
            not lesson.parts and not soft.parts, "A form's questions are not taught by a voice."
        )
        taught = self.taught(head, lesson, soft, rng, report)
        return head.fit_towards(taught, lesson, rng, report)

    def taught(
        self,
        head: Head,
        lesson: TrainingData,
        soft: TrainingData,
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> FittedHead:
        """The head of the soft rows alone; its `choice` tells the strength."""
        strengths = self.strengths if lesson.rows >= FEWEST_TO_CHOOSE else self.strengths[:1]
        found: list[FittedHead] = []
        for strength in strengths:
            plan = replace(head, strength=strength, prior_scale=self.prior_scale)
            found.append(plan.fit_one(soft, rng, report, found[-1] if found else None))
        if len(found) == 1:
            return found[0]

        def cost(taught: FittedHead) -> float:
            problem = Problem.of(lesson, own=taught.own or USUAL_OWN)
            point = np.vstack([taught.weights, taught.bias]).ravel()
            return float(problem.costs(point, TEMPERATURES).min())

        return min(found, key=cost)
