"""Students for a few texts per label, by the same MiniLM: ours, setfit, and transformers' Trainer."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import ROOT, Figure, code_hash, kept
from bench.students.sets import Texts, encode, load
from learning.types import TrainingData, no_report

SETS = ("trec6", "ag_news", "sib200_a")
CELLS = {
    "quick": [("trec6", 8, range(10, 11)), ("ag_news", 8, range(10, 11))],
    "full": [(name, shots, range(10, 13)) for shots in (8, 16) for name in SETS],
}  # on seeds 0 … 2 the contrastive student was chosen
TESTED = 500  # texts to test on: a student that reads texts takes its time
PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))
WORKER = Path(__file__).with_name("few_worker.py")
RIVALS = ("setfit", "trainer")
NAMELESS = "contrastive, no names"
WAYS = ("head", "label-attention", "finetune", NAMELESS, "contrastive", "setfit", "trainer")
BY_VECTORS = ("head", "label-attention")  # which take what labels are called as the project has it


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, compare the contrastive student with setfit."""
    print("\n| set | labels per class | seeds | " + " | ".join(WAYS) + " |")
    print("| --- " * (len(WAYS) + 3) + "|")
    against = []
    for name, shots, seeds in CELLS[grid]:
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


def _cell(name: str, shots: int, seeds: range, way: str) -> tuple[list[float], list[float]]:
    """Scores and CPU seconds by seed; none for a rival that is not installed."""
    scores: list[float] = []
    seconds: list[float] = []
    if way in RIVALS and not _installed(way):
        return scores, seconds
    ours = ("learning/students", "bench/students/few.py")
    code = code_hash(*(ours if way not in RIVALS else ("bench/students/few_worker.py",)))
    data = load(name, "quick")
    for seed in seeds:
        key = f"students/few/{name}-{shots}-{seed}-{way.replace(', ', '-').replace(' ', '-')}"
        found = kept(key, code, partial(_measure, data, shots, seed, way))
        scores.append(found["score"])
        seconds.append(found["seconds"])
    return scores, seconds


def _measure(data: Texts, shots: int, seed: int, way: str) -> dict[str, float]:
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
    return {"score": _score(data, said), "seconds": seconds}


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


def _rival(data: Texts, lesson: TrainingData, seed: int, kind: str) -> dict[str, float]:
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
    return {"score": _score(data, said), "seconds": found["seconds"]}
