"""Label efficiency of the whole system on banking77: k-means start, `mixed`, and the head with names."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.figures import Figure, code_hash, kept
from bench.selection.figures import labels_to
from bench.students.heads import CODE
from bench.students.sets import Texts, encode, load
from learning.selection import STRATEGIES
from learning.simulation import Loop, Replay, Schedule, full_figures, simulate
from learning.students.head import Head
from learning.tasks import TASKS

SET = "banking77"
SCHEDULE = Schedule(start=154, batch=77, budget=1_001)
SEEDS = {"quick": range(10, 13), "full": range(10, 20)}  # 0 … 3 were seen in development
GOALS = {0.90: 350, 0.95: 650}  # share of what all labels give -> labels at most


def figures(grid: str) -> list[Figure]:
    """Labels to each goal with the names, and without them for comparison."""
    data = load(SET, "full")
    code = code_hash(*CODE, "bench/students/sets.py")
    full = kept("students/efficiency/full", code, lambda: {"score": _loop_full(data)})["score"]
    made = []
    for names in (True, False):
        curves = []
        for seed in SEEDS[grid]:
            key = f"students/efficiency/{'names' if names else 'plain'}-{seed}"
            curves.append(kept(key, code, partial(_curve, data, seed, names=names)))
        labels = curves[0]["labels"]
        mean = np.mean([curve["score"] for curve in curves], axis=0)
        for share, goal in GOALS.items():
            aim = {"op": "<=", "target": goal} if names else {}
            made.append(
                Figure(
                    name=f"students.labels_to_{share:.0%}.{'names' if names else 'without_names'}",
                    value=round(labels_to(labels, mean, share * full)),
                    unit="labels",
                    **aim,  # type: ignore[arg-type]
                )
            )
    return made


def _replay(data: Texts, *, names: bool) -> Replay:
    return Replay(
        encodings=encode(data.texts),
        targets=data.targets,
        test_encodings=encode(data.test_texts),
        test_targets=data.test_targets,
        label_names=data.names,
        label_vectors=data.label_vectors if names else None,
    )


def _loop() -> Loop:
    return Loop(
        task=TASKS.create("single"),
        student=Head(),
        cold_start=STRATEGIES.create("representatives"),
        strategy=STRATEGIES.create("mixed"),
    )


def _loop_full(data: Texts) -> float:
    found = full_figures(_replay(data, names=False), _loop(), np.random.default_rng(0))
    return float(found["accuracy"])


def _curve(data: Texts, seed: int, *, names: bool) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    points = list(simulate(_replay(data, names=names), _loop(), SCHEDULE, rng))
    return {
        "labels": [point.labels for point in points],
        "score": [point.accuracy for point in points],
    }
