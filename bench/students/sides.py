"""Which of two answers is better: the head that treats both sides alike beside the one that learns them apart.

pandalm_pref: two models' answers to an instruction, and the majority of three people, ties among them. An item's
texts are the answers alone, as in a file with two columns; what was asked stands before neither.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, kept
from bench.learning.vectors import datasets_folder, read_rows
from bench.students.heads import CODE
from bench.students.sets import encode
from learning.students.head import Head
from learning.types import TrainingData, no_report

SIZES = (100, 300, 750)
LARGEST = SIZES[-1]  # all others are asked about, whatever was learnt from
SEEDS = {"quick": range(10, 15), "full": range(10, 20)}
COLUMNS = ("response_1", "response_2", "tie")
WAYS = ("apart", "twice", "alike")
TOLD = ("accuracy", "log loss", "asymmetry")


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, and tell what treating both sides alike gains."""
    print("\n| answers | " + " | ".join(f"{way}: {', '.join(TOLD)}" for way in WAYS) + " |")
    print("| --- " * (len(WAYS) + 1) + "|")
    code = code_hash(*CODE, "learning/encoders/apart.py", "bench/students/sides.py")
    gains = []
    for size in SIZES:
        cells = [
            kept(f"students/sides/{size}-{seed}", code, partial(_cell, size, seed))
            for seed in SEEDS[grid]
        ]
        told = " | ".join(
            ", ".join(f"{np.mean([cell[way][one] for cell in cells]):.3f}" for one in TOLD)
            for way in WAYS
        )
        print(f"| {size} | {told} |", flush=True)
        gains += [cell["alike"]["accuracy"] - cell["apart"]["accuracy"] for cell in cells]
    gain = round(100 * float(np.mean(gains)), 2)
    return [
        Figure(name="students.sides.accuracy_gain", value=gain, unit="points", op=">=", target=0.0)
    ]


def _cell(size: int, seed: int) -> dict[str, dict[str, float]]:
    vectors, hot = _pairs()
    order = np.random.default_rng(seed).permutation(len(hot))
    vectors, hot = vectors[order], hot[order]
    lesson = TrainingData(encodings=vectors[:size], targets=hot[:size], paired=True)
    twice = replace(
        lesson,
        encodings=np.concatenate([vectors[:size], _turned(vectors[:size])]),
        targets=np.concatenate([hot[:size], hot[:size][:, [1, 0, 2]]]),
    )
    lessons = {"apart": lesson, "twice": twice, "alike": replace(lesson, sided=True)}
    found = {}
    for way, given in lessons.items():
        fitted = Head().fit(given, np.random.default_rng(seed), no_report)
        said, other = (
            fitted.predict(each) for each in (vectors[LARGEST:], _turned(vectors[LARGEST:]))
        )
        truth = hot[LARGEST:]
        found[way] = {
            "accuracy": float((said.argmax(axis=1) == truth.argmax(axis=1)).mean()),
            "log loss": float(-np.log(np.maximum((said * truth).sum(axis=1), 1e-9)).mean()),
            "asymmetry": float(np.abs(said - other[:, [1, 0, 2]]).mean()),
        }
    return found


def _turned(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same pairs, the second text first."""
    half = vectors.shape[1] // 2
    return np.concatenate([vectors[:, half:], vectors[:, :half]], axis=1)


def _pairs() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, 2 d) vectors of two texts side by side, and (n, 3) which is better."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    rows = [row for row in read_rows(folder, "pandalm_pref", "test") if row["label"]]
    sides = [encode([str(row[name]) for row in rows]) for name in ("text_a", "text_b")]
    hot = np.eye(3, dtype=np.float32)[[COLUMNS.index(row["label"]) for row in rows]]
    return np.concatenate(sides, axis=1) / np.float32(np.sqrt(2)), hot
