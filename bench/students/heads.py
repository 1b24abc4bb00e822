"""Heads on the same MiniLM vectors and labels: with names, without, and scikit-learn's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT, Figure, code_hash, kept
from bench.students.sets import SETS, Texts, encode, load
from learning.students.head import Head
from learning.types import TrainingData, no_report

SHOTS = (8, 16, 32, 64, 0)  # labels per class; 0 is all
SEEDS = {"quick": 2, "full": 5}
MOST = {"quick": 5_500, "full": 50_000}  # rows that a cell may learn from
RIVALS = {"sklearn, C = 1": 1.0, "sklearn, C = 30": 30.0}
WORKER = Path(__file__).with_name("sklearn_worker.py")
CODE = tuple(f"learning/students/{name}.py" for name in ("head", "regression", "strength", "lbfgs"))
NOISE = -1.0  # points below scikit-learn's better one that say nothing


def figures(grid: str) -> list[Figure]:
    """Measure every cell that is small enough, print the table, and compare with scikit-learn."""
    print("\n| set | labels per class | head | without names | sklearn, C = 1 | C = 30 |")
    print("| --- | --- | --- | --- | --- | --- |")
    made = []
    for name in SETS:
        for shots in SHOTS:
            found = _cell(name, shots, grid)
            told = shots or "all"
            if not found:
                print(f"| {name} | {told} | not run | | | |", flush=True)
                continue
            means = {way: float(np.mean(scores)) for way, scores in found.items()}
            print(f"| {name} | {told} | " + " | ".join(f"{x:.3f}" for x in means.values()) + " |")
            best = max(means[rival] for rival in RIVALS)
            made.append(
                Figure(
                    name=f"students.head.{name}.{told}.minus_sklearn",
                    value=round(100 * (means["head"] - best), 2),
                    unit="points",
                    op=">=",
                    target=NOISE,
                )
            )
    return made


def _cell(name: str, shots: int, grid: str) -> dict[str, list[float]]:
    """Way -> score by seed; nothing for a cell that is too large."""
    data = load(name, grid)
    seeds = range(SEEDS[grid] if shots else 1)
    if any(len(data.draw(shots, seed)) > MOST[grid] for seed in seeds):
        return {}
    code = code_hash(*CODE, "bench/students/sets.py")
    found: dict[str, list[float]] = {}
    for seed in seeds:
        key = f"students/heads/{name}-{shots}-{seed}-{grid}"
        for way, score in kept(key, code, partial(_measure, data, shots, seed)).items():
            found.setdefault(way, []).append(score)
    return found


def _measure(data: Texts, shots: int, seed: int) -> dict[str, float]:
    lesson, test = data.lesson(data.draw(shots, seed)), encode(data.test_texts)
    scores = {}
    for way, names in (("head", lesson.label_vectors), ("without names", None)):
        given = TrainingData(
            targets=lesson.targets,
            encodings=lesson.encodings,
            multi_label=data.multi_label,
            label_vectors=names,
        )
        fitted = Head().fit(given, np.random.default_rng(seed), no_report)
        scores[way] = data.score(fitted.predict(test))
    for way, strength in RIVALS.items():
        scores[way] = data.score(_sklearn(lesson, test, strength))
    return scores


def _sklearn(
    lesson: TrainingData, test: NDArray[np.float32], strength: float
) -> NDArray[np.float32]:
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
            [python, str(WORKER), folder, str(strength)],
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        said: NDArray[np.float32] = np.load(Path(folder) / "said.npy", allow_pickle=False)
    return said
