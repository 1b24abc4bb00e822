"""One curve: label, learn, test, pick again; every strategy from the same start."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.selection.sets import BenchSet
from learning.selection.random import Random
from learning.selection.representatives import Representatives
from learning.students.head import FittedHead, Head
from learning.tasks import TASKS
from learning.types import Pool, TrainingData, no_report

STRENGTH = 30  # C of the logistic regression, the same for everybody
STARTS = {"k-means": Representatives, "random": Random}

Rows = NDArray[np.int64]
Pick = Callable[[Pool, FittedHead, int, np.random.Generator], tuple[Rows, float]]
"""(pool, the student, how many, generator) -> (rows, CPU seconds)."""


class OverLimitError(Exception):
    """A rival took longer for one pick than it may."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """labels, score: (r,) per round; seconds: (r - 1,) CPU seconds of each pick."""

    labels: list[int]
    score: list[float]
    seconds: list[float]


def start_rows(bench: BenchSet, start: str, seed: int) -> Rows:
    """What everybody begins with: representatives of the pool, or random items."""
    pool = _pool(bench, np.zeros(len(bench.targets), dtype=np.bool_), None)
    rng = np.random.default_rng([seed, 1])
    return STARTS[start]().select(pool, bench.schedule.start, rng).rows


def curve(bench: BenchSet, rows: Rows, pick: Pick, seed: int) -> Curve:
    """Replay the set from `rows` on, with the generator of this seed."""
    rng = np.random.default_rng([seed, 2])
    labelled = np.zeros(len(bench.targets), dtype=np.bool_)
    labelled[rows] = True
    fitted = _fit(bench, labelled, None)
    found = Curve(labels=[len(rows)], score=[score(bench, fitted)], seconds=[])
    end = min(bench.schedule.budget, len(labelled))
    while (have := int(labelled.sum())) < end:
        want = min(bench.schedule.batch, end - have)
        chosen, seconds = pick(_pool(bench, labelled, fitted), fitted, want, rng)
        assert len(np.unique(chosen)) == want, "a strategy picked too few, or an item twice"
        assert not labelled[chosen].any(), "a strategy picked what has a label"
        labelled[chosen] = True
        fitted = _fit(bench, labelled, fitted)
        found.labels.append(int(labelled.sum()))
        found.score.append(score(bench, fitted))
        found.seconds.append(seconds)
    return found


def full_score(bench: BenchSet) -> float:
    """What the student reaches with the labels of the whole pool."""
    return score(bench, _fit(bench, np.ones(len(bench.targets), dtype=np.bool_), None))


def ours(strategy: Any) -> Pick:
    """One of our strategies as a pick, timed."""

    def pick(pool: Pool, _fitted: FittedHead, n: int, rng: np.random.Generator) -> Any:
        began = time.process_time()
        rows = strategy.select(pool, n, rng).rows
        return rows, time.process_time() - began

    return pick


def score(bench: BenchSet, fitted: FittedHead) -> float:
    """Accuracy on the test part; micro-F1 where items have any number of labels."""
    task = TASKS.create("multi" if bench.multi_label else "single")
    predicted = fitted.predict(bench.test_encodings)
    if bench.multi_label:
        return task.metrics(bench.test_targets, predicted)[task.headline]
    return float(task.correct(bench.test_targets, predicted).mean())


def _fit(bench: BenchSet, labelled: NDArray[np.bool_], former: FittedHead | None) -> FittedHead:
    data = TrainingData(
        targets=bench.targets[labelled],
        encodings=bench.encodings[labelled],
        multi_label=bench.multi_label,
    )
    return Head(strength=STRENGTH).fit(data, np.random.default_rng(0), no_report, former)


def _pool(bench: BenchSet, labelled: NDArray[np.bool_], fitted: FittedHead | None) -> Pool:
    return Pool(
        eligible=np.ones(len(labelled), dtype=np.bool_),
        labelled=labelled.copy(),
        probabilities=None if fitted is None else fitted.predict(bench.encodings),
        encodings=bench.encodings,
        label_names=bench.label_names,
        multi_label=bench.multi_label,
        answers=None if fitted is None else bench.targets[labelled],
    )
