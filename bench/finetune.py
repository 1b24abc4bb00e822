"""The fine-tuned student against the head on the same labels: accuracy and seconds, by device.

DATASETS names the real data. BENCH_MODEL is a folder with a transformer; MiniLM without it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Figure, code_hash, conclude, kept
from bench.learning.vectors import datasets_folder, read_rows

SET = "banking77"
LABELS = {"quick": (1_000,), "full": (1_000, 5_000)}
SEED = 0


def run(grid: str) -> list[Figure]:
    """Train both students on random labels and test them on the whole test set."""
    import torch

    folder = datasets_folder()
    if folder is None:
        print("SKIPPED finetune: DATASETS names no folder with banking77.")
        return []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    figures = []
    for labels in LABELS[grid]:
        key = f"finetune/{device}-{SET}-{labels}-{SEED}"
        code = code_hash("learning")
        result = kept(key, code, lambda labels=labels: measure(folder, labels))
        for student in ("head", "finetune"):
            name = f"{student}_{device}_{SET}_{labels}"
            accuracy, seconds = result[student]["accuracy"], result[student]["seconds"]
            figures.append(Figure(name=f"accuracy_{name}", value=accuracy, unit="share"))
            figures.append(Figure(name=f"seconds_{name}", value=seconds, unit="s"))
    return conclude("finetune", grid, figures)


def measure(folder: Path, labels: int) -> dict[str, Any]:
    """Accuracy on the test set and seconds of training, for both students."""
    from learning.encoders.named import Transformers
    from learning.students.finetune import Finetune
    from learning.students.head import Head

    model = os.environ.get("BENCH_MODEL", "minilm")
    train, test = read_rows(folder, SET, "train"), read_rows(folder, SET, "test")
    names = sorted({str(row["label"]) for row in train})
    rows = np.random.default_rng(SEED).choice(len(train), labels, replace=False)
    texts = [str(train[row]["text"]) for row in rows]
    targets = np.zeros((labels, len(names)), dtype=np.float32)
    targets[np.arange(labels), [names.index(str(train[row]["label"])) for row in rows]] = 1
    truth = np.array([names.index(str(row["label"])) for row in test])
    questions = [str(row["text"]) for row in test]
    if model == "minilm":
        from learning.encoders.minilm import MiniLM

        encoder: Any = MiniLM().fit()
    else:
        encoder = Transformers(name=model).fit(texts)
    return {
        "head": _score(Head(), targets, truth, encoder.encode(texts), encoder.encode(questions)),
        "finetune": _score(Finetune(model=model), targets, truth, texts, questions),
    }


def _score(student: Any, targets: Any, truth: Any, known: Any, asked: Any) -> dict[str, float]:
    from learning.types import TrainingData, no_report

    given = {"texts": known} if student.needs == "texts" else {"encodings": known}
    began = time.perf_counter()
    data = TrainingData(targets=targets, **given)
    fitted = student.fit(data, np.random.default_rng(SEED), no_report)
    seconds = time.perf_counter() - began
    accuracy = float((fitted.predict(asked).argmax(axis=1) == truth).mean())
    return {"accuracy": accuracy, "seconds": seconds}
