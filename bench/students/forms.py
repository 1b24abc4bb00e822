"""Ways to learn a better voice's distributions by a linear head that were measured and not chosen.

Letters: m soft rows, k labels, d dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.students.head import FittedHead
from learning.students.lbfgs import minimise
from learning.students.regression import Problem
from learning.students.strength import Choice
from learning.types import TrainingData

Array = NDArray[np.float32]
STEPS = 200
TOLERANCE = 1e-3
RANKS = 5
LEAST = 1e-4  # probabilities below are read as this


def _log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    found: Array = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


@dataclass(frozen=True, kw_only=True)
class Softened:
    """Cross-entropy of both at a temperature, times its square. Source: Hinton et al. 2015."""

    temperature: float

    def __call__(self, logits: Array, said: Array) -> tuple[Array, Array]:
        logs = _log_softmax(logits / self.temperature)
        target = np.exp(_log_softmax(np.log(np.maximum(said, LEAST)) / self.temperature))
        cost = -(target * logs).sum(axis=1) * self.temperature**2
        return cost, (np.exp(logs) - target) * self.temperature


def squared_logits(logits: Array, said: Array) -> tuple[Array, Array]:
    """Half the mean squared distance of centred logits. Source: Ba, Caruana 2014."""
    told = np.log(np.maximum(said, LEAST))
    gap = logits - logits.mean(axis=1, keepdims=True) - told + told.mean(axis=1, keepdims=True)
    return 0.5 * np.square(gap).mean(axis=1), gap / logits.shape[1]


def ranked(logits: Array, said: Array) -> tuple[Array, Array]:
    """Each of the likeliest labels against those ranked below it, weighed by its probability. Source:
    Zhang et al. 2023 (LLM-Embedder)."""
    order = np.argsort(-said, axis=1)[:, : min(RANKS, said.shape[1] - 1)]
    rows, used = np.arange(len(said)), np.zeros(said.shape, dtype=np.bool_)
    cost, gradient = np.zeros(len(said), np.float32), np.zeros_like(logits)
    for place in order.T:
        weight, logs = said[rows, place], _log_softmax(np.where(used, -np.inf, logits))
        error = np.exp(logs)
        error[rows, place] -= 1
        cost -= weight * logs[rows, place]
        gradient += weight[:, None] * error
        used[rows, place] = True
    return cost, gradient


FORMS = {"T = 2": Softened(temperature=2.0), "logits": squared_logits, "ranked": ranked}


def learn(form: str, soft: TrainingData, strength: float, scale: float) -> FittedHead:
    """A head that learnt soft rows by a form, pulled to the label vectors as `Head` is."""
    problem = Problem.of(soft).towards(scale)

    def objective(point: Array) -> tuple[float, Array]:
        table = point.reshape(problem.d + 1, problem.k)
        logits = problem.x @ table[:-1] + table[-1]
        cost, error = FORMS[form](logits, problem.y)
        weight = np.float32(strength) * problem.weight
        error = np.asarray(error * weight[:, None], dtype=np.float32)
        away = table[:-1] - (0 if problem.centre is None else problem.centre)
        gradient = np.vstack([problem.x.T @ error + away, error.sum(axis=0)])
        value = float((cost * weight).sum()) + 0.5 * float(np.square(away).sum())
        return value, gradient.astype(np.float32).ravel()

    found = minimise(
        objective,
        problem.begin(None),
        evaluations=STEPS,
        tolerance=TOLERANCE,
        after_step=lambda used: None,
    )
    table = found.point.reshape(problem.d + 1, problem.k)
    return FittedHead(
        weights=table[:-1].copy(),
        bias=table[-1].copy(),
        active=problem.active,
        multi_label=False,
        choice=Choice(),
    )
