"""Students for a few texts per label, by the same MiniLM: ours, setfit, and transformers' Trainer."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import ROOT, Figure, code_hash, kept
from bench.students.sets import Texts, encode, load
from learning.types import TrainingData, no_report

SETS = ("trec6", "ag_news", "sib200_a")
CELLS = {
    "quick": [("trec6", 8, range(1))],
    "full": [(name, shots, range(3)) for shots in (8, 16) for name in SETS],
}
TESTED = 500  # texts to test on: a student that reads texts takes its time
PYTHON = Path(os.environ.get("BENCH_PYTHON", ROOT / ".venv-bench" / "bin" / "python"))
WORKER = Path(__file__).with_name("few_worker.py")
RIVALS = ("setfit", "trainer")
CONTRASTIVE = ("contrastive: texts", "contrastive: labels", "contrastive")
GROUPS = (("head",), ("finetune",), CONTRASTIVE, ("setfit",), ("trainer",))
Cells = dict[str, tuple[list[float], list[float]]]
LEAST = -1.0  # points below the better copy, or below setfit, that chance may take


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, compare the fused student with its copies and rivals."""
    ways = [way for group in GROUPS for way in group]
    print("\n| set | labels per class | seeds | " + " | ".join(ways) + " |")
    print("| --- " * (len(ways) + 3) + "|")
    means: list[dict[str, float]] = []
    for name, shots, seeds in CELLS[grid]:
        found: Cells = {}
        for group in GROUPS:
            found |= _cell(name, shots, seeds, group)
        told = [
            f"{np.mean(scores):.3f} ({np.mean(seconds):.0f} s)" if scores else "not run"
            for scores, seconds in found.values()
        ]
        print(f"| {name} | {shots} | {len(seeds)} | " + " | ".join(told) + " |", flush=True)
        means.append({way: float(np.mean(s)) for way, (s, _) in found.items() if s})
    gains = [one["contrastive"] - max(one[way] for way in CONTRASTIVE[:2]) for one in means]
    made = [_figure("minus_better_copy", gains)]
    against = [one["contrastive"] - one["setfit"] for one in means if "setfit" in one]
    return made + ([_figure("minus_setfit", against)] if against else [])


def _figure(name: str, gains: list[float]) -> Figure:
    return Figure(
        name=f"students.contrastive.{name}",
        value=round(100 * float(np.mean(gains)), 2),
        unit="points",
        op=">=",
        target=LEAST,
    )


def _cell(name: str, shots: int, seeds: range, group: tuple[str, ...]) -> Cells:
    """Way -> (scores, CPU seconds) by seed; nothing for a rival that is not installed."""
    found: Cells = {way: ([], []) for way in group}
    if group[0] in RIVALS and not _installed(group[0]):
        return found
    ours = ("learning/students", "bench/students/few.py")
    code = code_hash(*(ours if group[0] not in RIVALS else ("bench/students/few_worker.py",)))
    data = load(name, "quick")
    for seed in seeds:
        key = f"students/few/{name}-{shots}-{seed}-{group[-1]}"
        for way, figure in kept(key, code, partial(_measure, data, shots, seed, group)).items():
            found[way][0].append(figure["score"])
            found[way][1].append(figure["seconds"])
    return found


def _measure(
    data: Texts, shots: int, seed: int, group: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    lesson = data.lesson(data.draw(shots, seed))
    if group == CONTRASTIVE:
        return _contrastive(data, lesson, seed)
    if group[0] in RIVALS:
        return {group[0]: _rival(data, lesson, seed, group[0])}
    from learning.students import STUDENTS

    texts = data.test_texts[:TESTED]
    student = STUDENTS.create(group[0])
    began = time.process_time()
    fitted = student.fit(lesson, np.random.default_rng(seed), no_report)
    seconds = time.process_time() - began
    said = fitted.predict(encode(texts) if student.needs == "encodings" else texts)
    return {group[0]: {"score": _score(data, said), "seconds": seconds}}


def _contrastive(data: Texts, lesson: TrainingData, seed: int) -> dict[str, dict[str, float]]:
    """Both copies with a head on each, and their fusion, from one tuning."""
    from learning.students.contrastive import Contrastive
    from learning.students.fusion import fuse
    from learning.students.tuning import Tuning

    plan = Contrastive()
    tuning = Tuning.of(plan, lesson, lambda: None)
    rng = np.random.default_rng(seed)
    found, copies, total = {}, [], 0.0
    for way, stage in zip(CONTRASTIVE, ("texts", "labels", ""), strict=True):
        began = time.process_time()
        if stage:
            copies.append(tuning.copy(stage, rng, no_report, None))
            network = copies[-1]
        else:
            one, other = (copy.encoder.state_dict() for copy in copies)
            network.encoder.load_state_dict(fuse(one, other, plan.fusion))
        fitted = tuning.finished(network, np.random.default_rng(seed))
        seconds = time.process_time() - began
        total += seconds
        score = _score(data, fitted.predict(data.test_texts[:TESTED]))
        found[way] = {"score": score, "seconds": seconds if stage else total}
    return found


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
