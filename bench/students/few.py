"""Students for a few texts per label, by the same MiniLM: ours, setfit, and transformers' Trainer.

python -m bench.students.few --shots 8 --seeds 3    # measure a part, and print what is filed
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import ROOT, Figure, code_hash
from bench.students import filed
from bench.students.sets import Texts, encode, load
from learning.types import TrainingData, no_report

SETS = ("trec6", "ag_news", "sib200_a")
SEEDS = range(10, 13)  # on seeds 0 … 2 the contrastive student was chosen
CELLS = {
    "quick": [("trec6", 8, SEEDS[:1]), ("ag_news", 8, SEEDS[:1])],
    "full": [(name, shots, SEEDS) for shots in (8, 16) for name in SETS],
}
TESTED = 500  # texts to test on: a student that reads texts takes its time
PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))
WORKER = Path(__file__).with_name("few_worker.py")
NAMELESS = "contrastive, no names"
TUNED = ("learning/students/tuning.py", "learning/students/training.py")
# Each way, and the code that says what it learns.
WAYS = {
    "head": ("learning/students/head.py", "learning/students/regression.py"),
    "label-attention": ("learning/students/label_attention.py", "learning/students/reading.py"),
    "finetune": ("learning/students/classification.py", "learning/students/training.py"),
    NAMELESS: ("learning/students/contrastive.py", *TUNED),
    "contrastive": ("learning/students/contrastive.py", *TUNED),
    "setfit": (),
    "trainer": (),
}
RIVALS = ("setfit", "trainer")
BY_VECTORS = ("head", "label-attention")  # which take what labels are called as the project has it


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, compare the contrastive student with setfit."""
    return _compared(CELLS[grid])


def _compared(cells: Sequence[tuple[str, int, Sequence[int]]]) -> list[Figure]:
    print("\n| set | labels per class | seeds | " + " | ".join(WAYS) + " |")
    print("| --- " * (len(WAYS) + 3) + "|")
    against = []
    for name, shots, seeds in cells:
        found = {way: _cell(name, shots, seeds, way) for way in WAYS}
        told = [
            f"{np.mean(scores):.3f} ({np.mean(seconds):.0f} s)" if scores else "not run"
            for scores, seconds in found.values()
        ]
        print(f"| {name} | {shots} | {len(seeds)} | " + " | ".join(told) + " |", flush=True)
        means = {way: float(np.mean(scores)) for way, (scores, _) in found.items() if scores}
        if "setfit" in means:
            against.append(means["contrastive"] - means["setfit"])
    if not against:
        return []
    value = round(100 * float(np.mean(against)), 2)
    name = "students.contrastive.minus_setfit"
    return [Figure(name=name, value=value, unit="points", op=">=", target=0.0)]


def _cell(name: str, shots: int, seeds: Sequence[int], way: str) -> tuple[list[float], list[float]]:
    """Scores and CPU seconds by seed; none for a rival that is not installed."""
    if way in RIVALS and not _installed(way):
        return [], []
    code = code_hash("bench/students/few_worker.py", *WAYS[way])
    data = load(name, "quick")
    found = [
        filed.kept(
            f"few-{name}", shots, seed, code, partial(_measure, data, shots, seed, way), way=way
        )[way]
        for seed in seeds
    ]
    return [one["accuracy"] for one in found], [one["seconds"] for one in found]


def _measure(data: Texts, shots: int, seed: int, way: str) -> dict[str, dict[str, float]]:
    accuracy, seconds = _learnt(data, shots, seed, way)
    return {way: {"accuracy": accuracy, "seconds": round(seconds, 1)}}


def _learnt(data: Texts, shots: int, seed: int, way: str) -> tuple[float, float]:
    """The accuracy on the test texts, and the CPU seconds of the fit."""
    from learning.students import STUDENTS

    lesson = data.lesson(data.draw(shots, seed), vectors=way in BY_VECTORS)
    if way in RIVALS:
        return _rival(data, lesson, seed, way)
    if way == NAMELESS:
        lesson = replace(lesson, label_texts=None)
    texts = data.test_texts[:TESTED]
    student = STUDENTS.create(way.split(",", maxsplit=1)[0])
    began = time.process_time()
    fitted = student.fit(lesson, np.random.default_rng(seed), no_report)
    seconds = time.process_time() - began
    said = fitted.predict(encode(texts) if student.needs == "encodings" else texts)
    return _score(data, said), seconds


def _score(data: Texts, predicted: Any) -> float:
    truth = data.test_targets[:TESTED].argmax(axis=1)
    return float((np.asarray(predicted).argmax(axis=1) == truth).mean())


@cache
def _installed(rival: str) -> bool:
    module = {"setfit": "setfit", "trainer": "accelerate"}[rival]
    if not PYTHON.exists():
        return False
    done = subprocess.run(  # noqa: S603 - our own words
        [str(PYTHON), "-c", f"import torch, {module}"], capture_output=True, check=False
    )
    return done.returncode == 0


def _rival(data: Texts, lesson: TrainingData, seed: int, kind: str) -> tuple[float, float]:
    from learning.encoders.minilm import model_folder

    with tempfile.TemporaryDirectory() as folder:
        request = {
            "kind": kind,
            "model": str(model_folder()),
            "texts": lesson.texts,
            "labels": lesson.targets.argmax(axis=1).tolist(),
            "test_texts": data.test_texts[:TESTED],
            "classes": lesson.labels,
            "seed": seed,
        }
        (Path(folder) / "request.json").write_text(json.dumps(request))
        done = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), str(WORKER), folder], capture_output=True, text=True, check=True
        )
    found = json.loads(done.stdout.splitlines()[-1])
    said = np.eye(lesson.labels)[found["predicted"]]
    return _score(data, said), found["seconds"]


def main() -> None:
    """Measure a part of the grid, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--shots", nargs="*", type=int, default=[8, 16])
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    asked = parser.parse_args()
    cells = [(name, shots, SEEDS[: asked.seeds]) for shots in asked.shots for name in asked.sets]
    for figure in _compared(cells):
        print(figure.line())


if __name__ == "__main__":
    main()
