"""RAD against margin on the teacher's queue: wrong labels bought, and the student they make."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.routing import loops
from bench.routing.sets import RoutingSet
from learning.audit.intervals import wilson_share
from learning.selection import STRATEGIES
from learning.students.head import Head
from learning.types import Pool, TrainingData, no_report

WAYS = ("rad", "margin", "random")
ROUNDS, BATCH = 4, 50
SURE = 0.9  # of the upper bound of the teacher's error, as the application takes it


def queued(data: RoutingSet, seed: int) -> dict[str, dict[str, float]]:
    """Way -> the share of wrong labels among those the teacher gave, and the accuracy on all other
    items of a student that learned from a person's seed and from them."""
    rows = loops.drawn(data, min(loops.AUDIT, data.rows // 10), seed)
    answered = data.items.answered
    wrong = (data.items.said() != (data.truth >= 0.5)).any(axis=1)
    error = float(wrong[rows][answered[rows]].mean())
    bound = wilson_share(error, int(answered[rows].sum()), SURE)[1]
    return {way: _way(data, rows, wrong, bound, way, seed) for way in WAYS}


def _way(
    data: RoutingSet,
    rows: NDArray[np.int64],
    wrong: NDArray[np.bool_],
    bound: float,
    way: str,
    seed: int,
) -> dict[str, float]:
    items, rng = data.items, np.random.default_rng([seed, 7])
    encodings = np.asarray(items.encodings)
    targets = data.truth.copy()
    labelled = np.zeros(data.rows, dtype=np.bool_)
    labelled[rows] = True
    bought: list[int] = []
    fitted: Any = None
    for _ in range(ROUNDS):
        fitted = _fit(encodings, targets, labelled, fitted)
        pool = Pool(
            eligible=items.answered,
            labelled=labelled,
            probabilities=fitted.predict(encodings),
            teacher_error=bound,
        )
        picked = STRATEGIES.create(way).select(pool, BATCH, rng).rows
        targets[picked] = items.said()[picked]
        bought += picked.tolist()
        labelled = labelled.copy()
        labelled[picked] = True
    said = _fit(encodings, targets, labelled, fitted).predict(encodings).argmax(axis=1)
    right = (said == data.truth.argmax(axis=1))[~labelled]
    return {"wrong": float(wrong[bought].mean()), "student": float(right.mean())}


def _fit(encodings: Any, targets: Any, labelled: Any, former: Any) -> Any:
    data = TrainingData(targets=targets[labelled], encodings=encodings[labelled])
    return Head(strength=loops.STRENGTH).fit(data, np.random.default_rng(0), no_report, former)
