"""Consensus: accuracy of every method on real votes and in a simulation, beside crowd-kit and CROWDLAB.

The real votes are those on product pairs (three each), beside the truth. The simulation labels 3,000
TREC questions by 40 workers of accuracy 0.45 … 0.95, 0.66 on average, half of whose errors fall on a
favourite wrong label, with 2 or 4 votes an item; students are heads on MiniLM vectors, out of fold.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import ROOT, Figure, code_hash, kept
from bench.learning.vectors import cache_folder, datasets_folder, part, read_rows
from learning.consensus import CONSENSUS, WITH_STUDENT
from learning.students.folds import out_of_fold
from learning.students.head import Head
from learning.types import TrainingData, Votes

WORKER = Path(__file__).with_name("consensus_worker.py")
PYTHON = ROOT / ".venv-bench" / "bin" / "python"
ITEMS, WORKERS = 3_000, 40
# Between 0.45 and 0.95 with a mean of 0.66, which is how often a single vote was right in the measurement
# that the targets come from.
LEAST, SPAN, SHAPE = 0.45, 0.5, (1.3, 1.8)
SEEDS = {"quick": 2, "full": 5}
# What the measurement of others' methods found on the same votes, and its gaps to CROWDLAB.
PRODUCT_PAIRS, WITHIN = 0.9397, 0.002
GAPS = {2: 0.015, 4: 0.05}

Found = dict[str, float]
Labels = NDArray[np.int64]


def figures(grid: str) -> list[Figure]:
    """Measure what is not filed yet, print the table, return the figures."""
    folder = datasets_folder()
    if folder is None:
        print("SKIPPED consensus: DATASETS names no folder with data sets.")
        return []
    code = code_hash("learning/consensus", "learning/students", "bench/quality/consensus.py")
    real = kept("quality/consensus-product", code, partial(_product_pairs, folder))
    print(_table("product_pairs", [real]))
    best = max(real["dawid-skene"], real.get("crowd-kit DawidSkene", 0.0))
    found = [
        Figure(
            name="consensus-product-pairs",
            value=round(real["dawid-skene"], 4),
            unit="accuracy",
            op=">=",
            target=round(max(PRODUCT_PAIRS, best) - WITHIN, 4),
        )
    ]
    for each, gap in GAPS.items():
        runs = [
            kept(f"quality/consensus-{each}-{seed}", code, partial(_simulated, folder, each, seed))
            for seed in range(SEEDS[grid])
        ]
        print(_table(f"simulation, {each} votes an item, {len(runs)} seeds", runs))
        sys.stdout.flush()
        for rival, target in (("CROWDLAB", gap), ("CROWDLAB, our student", 0.0)):
            if rival in runs[0]:
                above = [run["student-aware"] - run[rival] for run in runs]
                found.append(
                    Figure(
                        name=f"consensus-above-{rival.lower().replace(', ', '-').replace(' ', '-')}-{each}",
                        value=round(float(np.mean(above)), 4),
                        unit="accuracy",
                        op=">=",
                        target=target,
                    )
                )
    return found


def _product_pairs(folder: Path) -> Found:
    rows: list[Any] = [
        r for split in ("train", "test") for r in read_rows(folder, "product_pairs", split)
    ]
    said = [
        (i, a["annotator"], a["label"]) for i, row in enumerate(rows) for a in row["annotations"]
    ]
    who = {name: at for at, name in enumerate(dict.fromkeys(name for _, name, _ in said))}
    votes = Votes(
        items=len(rows),
        item=np.array([i for i, _, _ in said]),
        annotator=np.array([who[name] for _, name, _ in said]),
        answers=np.eye(2, dtype=np.float32)[[int(label == "same") for _, _, label in said]],
    )
    truth = np.array([int(row["label"] == "same") for row in rows])
    return _ours(votes, truth) | _rivals(votes, truth, {})


def _simulated(folder: Path, each: int, seed: int) -> Found:
    trec = part(folder, "trec6", "train", cache_folder())
    names = sorted(set(trec.labels))
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(trec.labels), ITEMS, replace=False))
    truth = np.array([names.index(trec.labels[row]) for row in rows])
    votes = simulated_votes(truth, len(names), each, rng)
    encodings = np.asarray(trec.vectors[rows], dtype=np.float32)
    majority = CONSENSUS.create("majority").aggregate(votes)
    skilled = CONSENSUS.create("dawid-skene").aggregate(votes)
    p = _student(encodings, skilled.shares, seed)
    once = replace(votes, probabilities=p)
    taught = CONSENSUS.create("student-aware").aggregate(once)
    # The student of the next round has learnt from better labels, as in a project.
    p = _student(encodings, taught.shares, seed)
    found = _ours(replace(votes, probabilities=p), truth)
    found["student alone"] = _accuracy(p, truth)
    found["student-aware, first round"] = _accuracy(taught.answers, truth)
    naive = _student(encodings, majority.answers, seed)
    given = {"p": naive, "x": encodings, "majority": majority.answers.argmax(axis=1)}
    return found | _rivals(votes, truth, given)


def simulated_votes(truth: Labels, labels: int, each: int, rng: np.random.Generator) -> Votes:
    """`each` different workers on every item."""
    skill = LEAST + SPAN * rng.beta(*SHAPE, WORKERS)
    favourite = rng.integers(0, labels, WORKERS)
    item = np.repeat(np.arange(len(truth)), each)
    worker = np.concatenate([rng.permutation(WORKERS)[:each] for _ in truth])
    right = rng.random(len(item)) < skill[worker]
    other = (truth[item] + rng.integers(1, labels, len(item))) % labels
    drawn = (rng.random(len(item)) < 0.5) & (favourite[worker] != truth[item])
    said = np.where(right, truth[item], np.where(drawn, favourite[worker], other))
    answers = np.eye(labels, dtype=np.float32)[said]
    return Votes(items=len(truth), item=item, annotator=worker, answers=answers)


def _student(encodings: Any, targets: Any, seed: int) -> NDArray[np.float32]:
    """(n, k) out of fold, learnt from these labels."""
    soft = np.asarray(targets, dtype=np.float32)
    data = TrainingData(encodings=encodings, targets=soft / soft.sum(axis=1, keepdims=True))
    return out_of_fold(Head(), data, np.random.default_rng(seed)).probabilities


def _ours(votes: Votes, truth: Labels) -> Found:
    heard = votes.probabilities is not None
    return {
        name: _accuracy(CONSENSUS.create(name).aggregate(votes).answers, truth)
        for name in CONSENSUS
        if heard or name not in WITH_STUDENT
    }


def _accuracy(table: Any, truth: Labels) -> float:
    return float((np.asarray(table).argmax(axis=1) == truth).mean())


def _rivals(votes: Votes, truth: Labels, given: dict[str, Any]) -> Found:
    """Others' methods on the same votes; nothing where they are not installed."""
    if not PYTHON.exists():
        print("SKIPPED rivals of consensus: run `make install-bench` first.")
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        said = np.asarray(votes.answers).argmax(axis=1)
        np.save(folder / "votes.npy", np.stack([votes.item, votes.annotator, said], axis=1))
        np.save(folder / "truth.npy", truth)
        for what, table in given.items():
            np.save(folder / f"{what}.npy", table)
        done = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), str(WORKER), name],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def _table(title: str, runs: list[Found]) -> str:
    lines = [f"\n{title}", "| method | accuracy |", "| --- | --- |"]
    means = {
        name: float(np.mean([run[name] for run in runs])) for name in runs[0] if name != "code"
    }
    lines += [
        f"| {name} | {value:.4f} |" for name, value in sorted(means.items(), key=lambda x: x[1])
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    for figure in figures(sys.argv[1] if len(sys.argv) > 1 else "quick"):
        print(figure.line())
