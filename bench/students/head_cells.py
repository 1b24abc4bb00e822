"""One cell of the table of heads: the same vectors and labels, learnt in each way."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT
from bench.students.sets import Texts, encode
from learning.students.head import FittedHead, Head
from learning.students.unlabelled import Unlabelled
from learning.types import TrainingData, no_report

SAMPLE = (
    100  # answered evaluation items, by which a project keeps what unanswered ones taught, or not
)
WAITING = 2_000  # unanswered items learnt from, as in the application
RIVALS = {"sklearn, C = 1": 1.0, "sklearn, C = 30": 30.0}
SHIPPED, BEST_F1 = "as it ships", "by its best F1"
WORKER = Path(__file__).with_name("sklearn_worker.py")

Scores = dict[str, dict[str, float]]


def measure(data: Texts, shots: int, seed: int) -> Scores:
    """Way -> figure -> value, on the texts that nobody learns from."""
    vectors, test = encode(data.texts), encode(data.test_texts)
    sample = np.random.default_rng([seed, 1]).choice(len(vectors), SAMPLE, replace=False)
    rows = np.setdiff1d(data.draw(shots, seed), sample)
    lesson = TrainingData(
        targets=data.targets[rows],
        encodings=vectors[rows],
        multi_label=data.multi_label,
        label_vectors=data.label_vectors,
    )
    alone = Head().fit_one(lesson, np.random.default_rng(seed), no_report)
    nameless = replace(lesson, label_vectors=None)
    left = np.setdiff1d(np.arange(len(vectors)), np.concatenate([rows, sample]))
    shipped = _among(alone, lesson, vectors[left], (vectors[sample], data.targets[sample]), seed)
    said = {
        SHIPPED: shipped.predict(test),
        "answers alone": alone.predict(test),
        "without names": Head().fit(nameless, np.random.default_rng(seed), no_report).predict(test),
        **_sklearn(lesson, test),
    }
    if data.multi_label:
        drawn = replace(Head().settle(alone), cut=None)  # what else it chose stays
        drawn = drawn.fit_one(lesson, np.random.default_rng(seed), no_report)
        said[BEST_F1] = drawn.predict(test)
    return {way: data.scores(given) for way, given in said.items()}


def _among(
    alone: FittedHead,
    lesson: TrainingData,
    waiting: NDArray[np.float32],
    sample: tuple[NDArray[np.float32], NDArray[np.float32]],
    seed: int,
) -> FittedHead:
    """The head that learnt from unanswered items too, where it is right on no fewer of the sample."""
    rng = np.random.default_rng([seed, 2])
    drawn = np.sort(rng.choice(len(waiting), min(WAITING, len(waiting)), replace=False))
    made = Unlabelled().fit(Head(), alone, lesson, waiting[drawn], rng)
    if made is None:
        return alone
    vectors, truth = sample[0], sample[1].argmax(axis=1)
    right = [int((head.predict(vectors).argmax(axis=1) == truth).sum()) for head in (alone, made)]
    return made if right[1] >= right[0] else alone


def _sklearn(lesson: TrainingData, test: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Rival -> (t, k) probabilities."""
    own = ROOT / ".venv-bench" / "bin" / "python"
    python = str(own) if own.exists() else sys.executable
    arrays: dict[str, Any] = {
        "x": lesson.encodings,
        "y": lesson.targets,
        "test_x": test,
        "multi": np.array(lesson.multi_label),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, values in arrays.items():
            np.save(Path(folder) / f"{name}.npy", values, allow_pickle=False)
        subprocess.run(  # noqa: S603 - our own script
            [python, str(WORKER), folder, *map(str, RIVALS.values())],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        return {
            way: np.load(Path(folder) / f"said-{place}.npy", allow_pickle=False)
            for place, way in enumerate(RIVALS)
        }
