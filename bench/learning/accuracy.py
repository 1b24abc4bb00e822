"""The replayed loop on real data, and scikit-learn on the same vectors and labels."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT
from bench.learning.vectors import Part
from learning.selection import STRATEGIES, Strategy
from learning.simulation import Loop, Replay, Schedule, replay_of, simulate
from learning.students import STUDENTS
from learning.tasks import TASKS
from learning.types import Pool, Selection


@dataclass
class Recording:
    """A strategy that remembers what it picked, so that a rival learns from the same items."""

    strategy: Strategy
    rows: list[int] = field(default_factory=list)

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """What the strategy selects."""
        found = self.strategy.select(pool, n, rng)
        self.rows += found.rows.tolist()
        return found


def join(train: Part, test: Part) -> Replay:
    """Both parts over the same label columns."""
    return replay_of(
        np.concatenate([train.vectors, test.vectors]),
        [[label] for label in train.labels + test.labels],
        np.arange(len(train.labels) + len(test.labels)) >= len(train.labels),
    )


def curve(
    replay: Replay, schedule: Schedule, seed: int, names: tuple[str, str] = ("random", "random")
) -> tuple[dict[int, float], list[int]]:
    """(accuracy by number of labels, rows in the order of their labelling)."""
    recorded = [Recording(STRATEGIES.create(name)) for name in names]
    loop = Loop(
        task=TASKS.create("single"),
        student=STUDENTS.create("head"),
        cold_start=recorded[0],
        strategy=recorded[1],
        names=names,
    )
    points = simulate(replay, loop, schedule, np.random.default_rng(seed))
    accuracy = {point.labels: point.accuracy for point in points}
    return accuracy, recorded[0].rows + recorded[1].rows


def rival(replay: Replay, rows: list[int]) -> dict[str, Any]:
    """scikit-learn on these rows, in its own environment (.venv-bench) where that is installed."""
    own = ROOT / ".venv-bench" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    arrays: dict[str, NDArray[Any]] = {
        "x": np.asarray(replay.encodings[rows], dtype=np.float32),
        "y": replay.targets[rows].argmax(axis=1),
        "test_x": np.asarray(replay.test_encodings, dtype=np.float32),
        "test_y": replay.test_targets.argmax(axis=1),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, values in arrays.items():
            np.save(Path(folder) / f"{name}.npy", values, allow_pickle=False)
        done = subprocess.run(  # noqa: S603 - our own script
            [python, str(Path(__file__).with_name("rival.py")), folder],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "python": "its own environment" if own.exists() else "ours"}
