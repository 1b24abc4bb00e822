"""How fast the training loop is beside transformers' Trainer at its defaults: real tokens a second.

Weights and texts are made on the spot: speed does not depend on what they mean. On CUDA seconds are
those of the clock; on the CPU they are CPU seconds of one thread, which other work on the machine
disturbs least. Trainer wants the package accelerate, which the product does not need; without it
the rival is not run, and the bench says so.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Figure, code_hash, conclude, kept

# Layers, hidden size, heads: of MiniLM-L6 and of BERT-base.
SIZES = {"minilm": (6, 384, 12), "base": (12, 768, 12)}
CELLS = {  # (size, texts) by device and grid
    "cpu": {"quick": [("minilm", 160)], "full": [("minilm", 640), ("base", 160)]},
    "cuda": {
        "quick": [("minilm", 6_400), ("base", 6_400)],
        "full": [("minilm", 64_000), ("base", 32_000)],
    },
}
BATCH = 8  # Trainer's default
TOKENS = 128
MEAN_TOKENS = 44  # of ag_news by MiniLM's tokenizer
LABELS = 4
FIRST_STEPS = 5  # not counted: kernels are chosen, memory is taken
TARGET = 1.5  # times Trainer, on an H200

Clock = Callable[[], float]
Steps = list[tuple[int, float]]


def run(grid: str) -> list[Figure]:
    """Both loops on the same texts and weights."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    machine = torch.cuda.get_device_name() if device == "cuda" else "one CPU thread"
    figures = []
    for size, texts in CELLS[device][grid]:
        key = f"training/{device}-{size}-{texts}"
        code = code_hash("learning/students", "bench/training.py")
        found = kept(key, code, lambda size=size, texts=texts: measure(size, texts, device))
        for name, value in found.items():
            unit = "MB" if name.startswith("memory") else "tokens/s"
            figures.append(Figure(name=f"{name}_{device}_{size}", value=value, unit=unit))
        if "trainer" in found:
            times = found["loop"] / found["trainer"]
            goal: dict[str, Any] = {"op": ">=", "target": TARGET} if device == "cuda" else {}
            figures.append(Figure(name=f"times_{device}_{size}", value=times, unit="x", **goal))
    print(f"Measured on {machine}, batches of {BATCH} texts.")
    return conclude("training", grid, figures)


def measure(size: str, count: int, device: str) -> dict[str, float]:
    """Tokens a second of both loops, and on CUDA the memory that each took at most, in MB."""
    import torch
    from transformers import AutoTokenizer

    from learning.encoders.minilm import model_folder

    tokenizer = AutoTokenizer.from_pretrained(model_folder(), local_files_only=True)
    texts, labels = made_up(tokenizer, count)
    rivals: dict[str, Callable[..., Steps]] = {"loop": our_steps}
    if importlib.util.find_spec("accelerate") is None:
        print("SKIPPED Trainer: the package accelerate is not installed.")
    else:
        rivals["trainer"] = trainer_steps
    threads = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    result: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        model = random_model(Path(folder) / "model", tokenizer, size)
        tokens = sum(map(len, tokenizer(texts, truncation=True, max_length=TOKENS)["input_ids"]))
        for name, steps_of in rivals.items():
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            steps = steps_of(model, texts, labels, clock_of(device))
            result[name] = tokens * share_of(steps) / (steps[-1][1] - steps[FIRST_STEPS][1])
            if device == "cuda":
                result[f"memory_{name}"] = torch.cuda.max_memory_allocated() / 1e6
    torch.set_num_threads(threads)
    return result


def made_up(tokenizer: Any, count: int) -> tuple[list[str], np.ndarray]:
    """Texts of random words whose lengths spread as those of news do, and random labels."""
    rng = np.random.default_rng(0)
    words = sorted(word for word in tokenizer.get_vocab() if word.isalpha())
    lengths = np.clip(rng.lognormal(np.log(MEAN_TOKENS - 2), 0.4, count), 3, TOKENS).astype(int)
    texts = [" ".join(rng.choice(words, length)) for length in lengths]
    return texts, rng.integers(LABELS, size=count)


def random_model(folder: Path, tokenizer: Any, size: str) -> Path:
    """A BERT with random weights, as files."""
    from transformers import BertConfig, BertModel

    layers, hidden, heads = SIZES[size]
    config = BertConfig(
        vocab_size=len(tokenizer),
        num_hidden_layers=layers,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
    )
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def clock_of(device: str) -> Clock:
    """Seconds, when all that was asked of the device is done."""
    if device == "cpu":
        return time.process_time
    import torch

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return clock


def share_of(steps: Steps) -> float:
    """The share of the steps that are counted; batches come in random order."""
    return (steps[-1][0] - steps[FIRST_STEPS][0]) / steps[-1][0]


def our_steps(model: Path, texts: list[str], labels: np.ndarray, clock: Clock) -> Steps:
    """One epoch of `finetune`: (steps done, clock), looked at where it counts only."""
    from learning.students.finetune import Finetune
    from learning.types import TrainingData

    steps: Steps = []

    def report(done: int, total: int) -> None:
        if done <= FIRST_STEPS or done == total:
            steps.append((done, clock()))

    targets = np.eye(LABELS, dtype=np.float32)[labels]
    student = Finetune(model=str(model), epochs=1, batch=BATCH, tokens=TOKENS)
    student.fit(TrainingData(targets=targets, texts=texts), np.random.default_rng(0), report)
    return sorted(dict(steps).items())


def trainer_steps(model: Path, texts: list[str], labels: np.ndarray, clock: Clock) -> Steps:
    """One epoch of transformers' Trainer at its defaults, on rows that are cut into tokens before."""
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    steps: Steps = []

    class Watch(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            steps.append((0, clock()))

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step <= FIRST_STEPS or state.global_step == state.max_steps:
                steps.append((state.global_step, clock()))

    tokenizer = AutoTokenizer.from_pretrained(model)
    cut = tokenizer(texts, truncation=True, max_length=TOKENS)
    rows = [
        {**{name: cut[name][row] for name in cut}, "labels": int(label)}
        for row, label in enumerate(labels)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        Trainer(
            model=AutoModelForSequenceClassification.from_pretrained(model, num_labels=LABELS),
            args=arguments,
            train_dataset=rows,
            data_collator=DataCollatorWithPadding(tokenizer),
            callbacks=[Watch()],
        ).train()
    return steps
