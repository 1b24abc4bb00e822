"""Grades: the head that knows their order beside the one that takes them for mere labels.

Two sets of real judgements: how polite a request is (three grades), and how far a sentence holds that
the climate warms, by the mean of eight people's votes (five grades).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, kept
from bench.learning.vectors import datasets_folder, read_rows
from bench.students.heads import CODE
from bench.students.sets import encode
from learning.students.head import Head
from learning.tasks import TASKS
from learning.types import TrainingData, no_report

SIZES = {"css_politeness": (20, 40, 100, 300), "gwsd_gpt": (20, 40, 100, 300, 800)}
SEEDS = {"quick": range(10, 14), "full": range(10, 20)}  # 0 … 5 were seen in development
USED = 1_500  # sentences about the climate
VOTES = {"disagrees": -1, "neutral": 0, "agrees": 1}
BOUNDS = (-0.6, -0.2, 0.2, 0.6)  # means of votes between two grades
TOLD = ("accuracy", "mean_absolute_error", "quadratic_kappa")


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, and compare the kappas."""
    print("\n| set | answers | " + " | ".join(f"{name}, labels → grades" for name in TOLD) + " |")
    print("| --- " * (len(TOLD) + 2) + "|")
    code = code_hash(*CODE, "bench/students/grades.py")
    gains = []
    for name, sizes in SIZES.items():
        for size in sizes:
            cells = [
                kept(
                    f"students/grades/{name}-{size}-{seed}", code, partial(_cell, name, size, seed)
                )
                for seed in SEEDS[grid]
            ]
            plain, ordered = (
                {told: float(np.mean([cell[way][told] for cell in cells])) for told in TOLD}
                for way in ("labels", "grades")
            )
            told = " | ".join(f"{plain[name]:.3f} → {ordered[name]:.3f}" for name in TOLD)
            print(f"| {name} | {size} | {told} |", flush=True)
            gains.append(ordered["quadratic_kappa"] - plain["quadratic_kappa"])
    gain = round(100 * float(np.mean(gains)), 2)
    return [
        Figure(name="students.grades.kappa_gain", value=gain, unit="points", op=">=", target=0.0)
    ]


def _cell(name: str, size: int, seed: int) -> dict[str, dict[str, float]]:
    texts, grades, labels = SETS[name]()
    order = np.random.default_rng(seed).permutation(len(texts))
    vectors, hot = encode(texts)[order], np.eye(labels, dtype=np.float32)[grades[order]]
    lesson = TrainingData(encodings=vectors[:size], targets=hot[:size])
    task = TASKS.create("rating")
    found = {}
    for way in ("labels", "grades"):
        given = replace(lesson, ordered=way == "grades")
        fitted = Head().fit(given, np.random.default_rng(seed), no_report)
        found[way] = task.metrics(hot[size:], fitted.predict(vectors[size:]))
    return found


def _politeness() -> tuple[list[str], NDArray[np.int64], int]:
    scale = ("impolite", "neutral", "polite")
    rows = _rows("css_politeness", "test")
    grades = [scale.index(str(row["label"])) for row in rows]
    return [str(row["text"]) for row in rows], np.array(grades), len(scale)


def _climate() -> tuple[list[str], NDArray[np.int64], int]:
    rows = [row for row in _rows("gwsd_gpt", "train") if not row["meta"].get("screening_item")]
    votes = [[VOTES[one["label"]] for one in row["annotations"]] for row in rows[:USED]]
    grades = np.digitize([np.mean(given) for given in votes], BOUNDS)
    return [str(row["text"]) for row in rows[:USED]], grades.astype(np.int64), len(BOUNDS) + 1


def _rows(name: str, split: str) -> list[dict[str, Any]]:
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    return read_rows(folder, name, split)


SETS: dict[str, Callable[[], tuple[list[str], NDArray[np.int64], int]]] = {
    "css_politeness": _politeness,
    "gwsd_gpt": _climate,
}
