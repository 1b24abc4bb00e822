"""Recorded answers of real models: quality by human share under each router."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.routing import loops
from bench.routing.sets import RoutingSet
from learning.routing import ROUTERS
from learning.routing.loop import LoopPolicy
from learning.routing.types import Candidates, Seed, first
from learning.students.folds import out_of_fold
from learning.students.head import Head
from learning.types import TrainingData, no_report

SHARES = tuple(round(0.1 * tenth, 1) for tenth in range(2, 11))
SMALLEST_SEED, LARGEST_SEED = 80, 200
REPLACING = ("random", "threshold", "error_model", "ppm", "oracle")
WAYS = (*REPLACING, "unaudited", "loop")
"""`unaudited` is the threshold without a seed: people label nothing but what it sends them."""


def replayed(data: RoutingSet, seed: int) -> dict[str, list[float]]:
    """Way -> accuracy of the finished labels at SHARES of all items labelled by people.

    The seed (a tenth of the set, 80 to 200 items) is part of every way's budget but `unaudited`.
    """
    count = min(LARGEST_SEED, max(SMALLEST_SEED, data.rows // 10))
    found = replacing(data, count, REPLACING, SHARES, seed)
    desk = loops.Desk.open(data, count, seed, held_out=False)
    batch = max(10, data.rows // 10)
    step = loops.ours(LoopPolicy(), seed, routed=True)
    budgets = [round(share * data.rows) for share in SHARES]
    found["loop"] = loops.replay(desk, step, budgets, batch, seed)
    return found


def replacing(
    data: RoutingSet, count: int, ways: Sequence[str], shares: Sequence[float], seed: int
) -> dict[str, list[float]]:
    """Way -> accuracy at these shares when people's answers only replace the teacher's."""
    rows = loops.drawn(data, count, seed)
    items = replace(data.items, student=student_of(data, rows))
    budgets = [round(share * data.rows) for share in shares]
    found = {way: _curve(data, items, rows, way, budgets, seed) for way in ways}
    sure = _benefit("threshold", items, rows[:0], data, seed)
    found["unaudited"] = _accuracies(data, rows[:0], sure, budgets, seed)
    return found


def student_of(data: RoutingSet, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """(n, k) by a student of the seed, out of fold on the seed."""
    encodings = np.asarray(data.items.encodings)
    lesson = TrainingData(
        targets=data.truth[rows], encodings=encodings[rows], multi_label=data.items.multi_label
    )
    head, rng = Head(strength=loops.STRENGTH), np.random.default_rng(0)
    said = head.fit(lesson, rng, no_report).predict(encodings)
    said[rows] = out_of_fold(head, lesson, rng, groups=data.groups[rows]).probabilities
    return said


def _curve(
    data: RoutingSet,
    items: Candidates,
    rows: NDArray[np.int64],
    way: str,
    budgets: list[int],
    seed: int,
) -> list[float]:
    if way == "random":
        benefit = np.zeros(data.rows)
    elif way == "oracle":
        benefit = wrong_answers(data).astype(np.float64)
    else:
        benefit = _benefit(way, items, rows, data, seed)
    return _accuracies(data, rows, benefit, budgets, seed)


def _benefit(
    way: str, items: Candidates, rows: NDArray[np.int64], data: RoutingSet, seed: int
) -> Any:
    """What a router makes of the seed items that have an answer of the teacher."""
    learn = rows[items.answered[rows]]
    given = Seed(items=items.subset(learn), truth=data.truth[learn])
    fitted = ROUTERS.create(way).fit(given, np.random.default_rng([seed, 4]), no_report)
    # Without an answer there is nothing to stand by: a person must say.
    return np.where(items.answered, fitted.benefit(items), np.inf)


def wrong_answers(data: RoutingSet) -> NDArray[np.bool_]:
    """(n,) whether the teacher's answer is wrong, or missing."""
    return np.asarray((data.items.said() != (data.truth >= 0.5)).any(axis=1))


def _accuracies(
    data: RoutingSet, rows: NDArray[np.int64], benefit: Any, budgets: list[int], seed: int
) -> list[float]:
    """The seed first, then by benefit."""
    order = np.array(benefit, dtype=np.float64)
    order[rows] = np.inf
    ranked = first(order, data.rows, np.random.default_rng([seed, 5]))
    ranked = np.concatenate([rows, ranked[~np.isin(ranked, rows)]])
    wrong = wrong_answers(data)[ranked]
    left = wrong.sum() - np.concatenate([[0], np.cumsum(wrong)])
    return [float(1 - left[budget] / data.rows) for budget in budgets]
