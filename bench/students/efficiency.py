"""Label efficiency of the whole system on banking77: k-means start, `mixed`, and the head with names, which
learns from unlabelled items too, as it does in a project whose sample shows no harm in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, kept
from bench.selection.figures import labels_to
from bench.students.heads import CODE
from bench.students.sets import Texts, encode, load
from learning.selection import STRATEGIES
from learning.simulation import Loop, Replay, Schedule, full_figures, simulate
from learning.students import Student
from learning.students.head import FittedHead, Head
from learning.students.unlabelled import Unlabelled
from learning.tasks import TASKS
from learning.types import Report, TrainingData

SET = "banking77"
SCHEDULE = Schedule(start=154, batch=77, budget=847)
SEEDS = {"quick": range(10, 13), "full": range(10, 20)}  # 0 … 3 were seen in development
WAYS = ("unlabelled", "names", "without_names")
ROWS = 2_000  # unlabelled items learnt from, as in the application
GOALS = {0.90: 350, 0.95: 650}  # share of what all labels give -> labels at most


@dataclass(frozen=True, kw_only=True)
class Among:
    """The head, and after it what those of the pool that are not in the lesson teach it."""

    needs: ClassVar[Literal["encodings"]] = "encodings"
    pool: NDArray[np.float32]
    head: Head = field(default_factory=Head)

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> FittedHead:
        """From a cold start: what a warm one would begin from is not kept here."""
        del start, checkpoint
        plain = self.head.fit_one(data, rng, report)
        waiting = self._waiting(data)
        drawn = np.sort(rng.choice(len(waiting), min(ROWS, len(waiting)), replace=False))
        made = Unlabelled().fit(self.head, plain, data, waiting[drawn], rng, report)
        return plain if made is None else made

    def _waiting(self, data: TrainingData) -> NDArray[np.float32]:
        """The rows of the pool that are no row of the lesson."""
        learnt = {row.tobytes() for row in np.asarray(data.encodings, dtype=np.float32)}
        return self.pool[[row.tobytes() not in learnt for row in self.pool]]

    def settle(self, fitted: FittedHead) -> Among:
        """Itself: the head chooses anew."""
        return self

    @classmethod
    def load(cls, folder: Path) -> Any:
        """As a head."""
        return Head.load(folder)


def figures(grid: str) -> list[Figure]:
    """Labels to each goal with unlabelled items, with the names alone, and without them."""
    data = load(SET, "full")
    code = code_hash(*CODE, "bench/students/sets.py", "learning/selection/mixed.py")
    full = kept("students/efficiency/full", code, lambda: {"score": _loop_full(data)})["score"]
    more = code_hash(*CODE, "learning/students/unlabelled.py", "bench/students/efficiency.py")
    made = []
    for way in WAYS:
        curves = [
            kept(
                f"students/efficiency/{way}-{seed}",
                more if way == "unlabelled" else code,
                partial(_curve, data, seed, way),
            )
            for seed in SEEDS[grid]
        ]
        labels = curves[0]["labels"]
        mean = np.mean([curve["score"] for curve in curves], axis=0)
        for share, goal in GOALS.items():
            aim = {"op": "<=", "target": goal} if way == WAYS[0] else {}
            made.append(
                Figure(
                    name=f"students.labels_to_{share:.0%}.{way}",
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


def _loop(student: Student) -> Loop:
    return Loop(
        task=TASKS.create("single"),
        student=student,
        cold_start=STRATEGIES.create("representatives"),
        strategy=STRATEGIES.create("mixed"),
    )


def _loop_full(data: Texts) -> float:
    """Of the head that learnt all labels: what is left to learn from is nothing."""
    replay = _replay(data, names=False)
    found = full_figures(replay, _loop(Head()), np.random.default_rng(0))
    return float(found["accuracy"])


def _curve(data: Texts, seed: int, way: str) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    student = Among(pool=encode(data.texts)) if way == "unlabelled" else Head()
    replay = _replay(data, names=way != "without_names")
    points = list(simulate(replay, _loop(student), SCHEDULE, rng))
    return {
        "labels": [point.labels for point in points],
        "score": [point.accuracy for point in points],
    }
