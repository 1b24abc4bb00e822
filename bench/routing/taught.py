"""Students taught by people only, by the teacher only, and by both as routed, on items that none of
them met."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.routing import loops
from bench.routing.loops import Desk
from bench.routing.sets import RoutingSet
from learning.routing.loop import LoopPolicy
from learning.students.head import Head
from learning.types import TrainingData, no_report

EXAM = 0.25  # of the items
CONFIDENCE = 0.9  # from which on a word of the teacher is a verdict, the default of policies
ROUND = 50
ROUTED = (0.1, 0.2)  # shares of the pool that people label
PEOPLE = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)

Rows = NDArray[np.int64]


def taught(data: RoutingSet, seed: int) -> dict[str, list[float]]:
    """Way -> accuracy on the exam: `people` at PEOPLE, `routed` at ROUTED, `teacher` with all of its
    answers; `believed` and `believed_right`: words that are verdicts at ROUTED, by item of the pool, and
    the share of them that is right."""
    exam = loops.drawn(data, round(EXAM * data.rows), seed + 1_000)
    pool = _subset(data, np.setdiff1d(np.arange(data.rows), exam))
    alone = replace(pool, items=replace(pool.items, answered=np.zeros(pool.rows, dtype=np.bool_)))
    found: dict[str, list[float]] = {
        "people": [_examined(data, exam, desk.lesson()) for desk in _desks(alone, PEOPLE, seed)],
        "teacher": [_examined(data, exam, _words(pool, pool.items.answered, None))],
        "routed": [],
        "believed": [],
        "believed_right": [],
    }
    for desk in _desks(pool, ROUTED, seed):
        right = _right(desk, seed)
        kept = pool.items.answered & ~desk.labelled & (right >= CONFIDENCE)
        lesson = _both(desk.lesson(), _words(pool, kept, right))
        found["routed"].append(_examined(data, exam, lesson))
        found["believed"].append(float(kept.mean()))
        same = (pool.items.said() == (pool.truth >= 0.5)).all(axis=1)
        found["believed_right"].append(float(same[kept].mean()) if kept.any() else 1.0)
    return found


def needed(people: NDArray[np.float64], accuracy: float) -> float:
    """The share of the pool with which people alone reach this, between the shares that were tried;
    the largest one where none does."""
    rising = np.maximum.accumulate(people)
    return float(np.interp(accuracy, rising, PEOPLE))


def _subset(data: RoutingSet, rows: Rows) -> RoutingSet:
    groups = np.unique(data.groups[rows], return_inverse=True)[1].astype(np.int64)
    return replace(data, items=data.items.subset(rows), truth=data.truth[rows], groups=groups)


def _desks(pool: RoutingSet, shares: tuple[float, ...], seed: int) -> list[Desk]:
    """What the loop has labelled at each share of the pool."""
    count = min(loops.AUDIT, round(shares[0] * pool.rows))
    desk = Desk.open(pool, count, seed, held_out=False)
    step = loops.ours(LoopPolicy(), seed)
    budgets = [round(share * pool.rows) for share in shares]
    return [at for at, _ in loops.course(desk, step, budgets, ROUND, seed)]


def _right(desk: Desk, seed: int) -> NDArray[np.float64]:
    """(n,) how likely each word of the teacher is right, by the router; 0 where it may not learn."""
    heard = loops.voices(desk, desk.student(None), seed, routed=True)
    return np.zeros(desk.data.rows) if heard.wrong is None else 1 - np.asarray(heard.wrong)


def _words(pool: RoutingSet, kept: NDArray[np.bool_], right: Any) -> TrainingData:
    """The teacher's answers to these items, each weighing as much as it is likely right."""
    return TrainingData(
        targets=pool.items.said()[kept].astype(np.float32),
        encodings=np.asarray(pool.items.encodings)[kept],
        weights=None if right is None else right[kept],
        multi_label=pool.items.multi_label,
    )


def _both(people: TrainingData, words: TrainingData) -> TrainingData:
    return replace(
        people,
        targets=np.concatenate([people.targets, words.targets]),
        encodings=np.concatenate([people.encodings, words.encodings]),
        weights=np.concatenate([np.ones(len(people.targets)), words.weights]),
    )


def _examined(data: RoutingSet, exam: Rows, lesson: TrainingData) -> float:
    student = Head().fit(lesson, np.random.default_rng(0), no_report)
    said = student.predict(np.asarray(data.items.encodings)[exam])
    return float((said.argmax(axis=1) == data.truth[exam].argmax(axis=1)).mean())
