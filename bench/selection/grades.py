"""Ratings: choosing by the variance of the grade beside the other ways, from the same start.

Three sets of real judgements: how far a sentence agrees that the climate warms (five grades, the mean of
eight people's votes), how polite a request is (three), and whether a comment speaks of good feelings or bad
ones (three: more kinds of one, of neither, of the other). `python -m bench.selection.grades` measures what is
not kept yet and prints the table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import code_hash, kept
from bench.learning.vectors import datasets_folder, read_rows
from bench.students.grades import BOUNDS, VOTES
from bench.students.grades import SETS as GRADED
from bench.students.sets import encode
from learning.selection import STRATEGIES
from learning.simulation import Loop, Replay, Schedule, simulate
from learning.students.head import Head
from learning.tasks import TASKS

STRATEGY_NAMES = ("random", "margin", "mixed", "expected-variance")
SEEDS = range(10, 16)  # 0 … 4 were seen in development
START, BATCH, BUDGET = 20, 40, 340
TESTED = 0.3  # share of a set that the curve is measured on
COMMENTS = 4_500
GOOD = frozenset(
    [
        "admiration",
        "amusement",
        "approval",
        "caring",
        "desire",
        "excitement",
        "gratitude",
        "joy",
        "love",
        "optimism",
        "pride",
        "relief",
    ]
)
BAD = frozenset(
    [
        "anger",
        "annoyance",
        "disappointment",
        "disapproval",
        "disgust",
        "embarrassment",
        "fear",
        "grief",
        "nervousness",
        "remorse",
        "sadness",
    ]
)
TOLD = ("quadratic_kappa", "mean_absolute_error", "accuracy")

Read = Callable[[], tuple[list[str], NDArray[np.int64], int]]


def main() -> None:
    """Measure, and print the mean height of the curves with its standard error."""
    code = code_hash("learning/selection", "learning/students/head.py", "bench/selection/grades.py")
    print("| set | strategy | " + " | ".join(TOLD) + " |")
    print("| --- " * (len(TOLD) + 2) + "|")
    for name in SETS:
        for strategy in STRATEGY_NAMES:
            cells = [
                kept(
                    f"selection/grades/{name}-{strategy}-{seed}",
                    code,
                    partial(_cell, name, strategy, seed),
                )
                for seed in SEEDS
            ]
            print(
                f"| {name} | {strategy} | " + " | ".join(_told(cells, one) for one in TOLD) + " |"
            )


def _told(cells: list[dict[str, Any]], figure: str) -> str:
    values = [cell[figure] for cell in cells]
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"


def _cell(name: str, strategy: str, seed: int) -> dict[str, float]:
    """Mean figures over the rounds in which the strategy chose."""
    loop = Loop(
        task=TASKS.create("rating"),
        student=Head(),
        cold_start=STRATEGIES.create("representatives"),
        strategy=STRATEGIES.create(strategy),
    )
    replay = _replay(name, seed)
    schedule = Schedule(start=START, batch=BATCH, budget=min(BUDGET, len(replay.targets) - 10))
    points = list(simulate(replay, loop, schedule, np.random.default_rng(seed)))[1:]
    return {figure: float(np.mean([point.metrics[figure] for point in points])) for figure in TOLD}


def _replay(name: str, seed: int) -> Replay:
    texts, grades, count = SETS[name]()
    order = np.random.default_rng(seed + 1000).permutation(len(texts))
    vectors, hot = encode(texts)[order], np.eye(count, dtype=np.float32)[grades[order]]
    tested = int(TESTED * len(texts))
    return Replay(
        encodings=vectors[tested:],
        targets=hot[tested:],
        test_encodings=vectors[:tested],
        test_targets=hot[:tested],
        label_names=tuple(str(grade + 1) for grade in range(count)),
    )


def _rows(name: str, split: str) -> list[dict[str, Any]]:
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    return read_rows(folder, name, split)


def _climate() -> tuple[list[str], NDArray[np.int64], int]:
    rows = [row for split in ("train", "test") for row in _rows("gwsd_gpt", split)]
    rows = [row for row in rows if not row["meta"].get("screening_item")]
    means = [np.mean([VOTES[one["label"]] for one in row["annotations"]]) for row in rows]
    return [row["text"] for row in rows], np.digitize(means, BOUNDS), len(BOUNDS) + 1


def _feelings() -> tuple[list[str], NDArray[np.int64], int]:
    rows = _rows("goemotions", "train")[:COMMENTS]
    more = [len(GOOD & set(row["labels"])) - len(BAD & set(row["labels"])) for row in rows]
    return [row["text"] for row in rows], np.sign(more).astype(np.int64) + 1, 3


SETS: dict[str, Read] = {
    "climate": _climate,
    "politeness": GRADED["css_politeness"],
    "feelings": _feelings,
}


if __name__ == "__main__":
    main()
