"""Bench of the learning library: accuracy against scikit-learn on real data, and speed."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.figures import Figure, code_hash, conclude, kept
from bench.learning.vectors import cache_folder, datasets_folder, part

if TYPE_CHECKING:
    from learning.simulation import Replay

LABELS = (500, 1000)
SEEDS = 5
SETS = ("banking77", "ag_news")
EVERY = {"quick": {"banking77": 1, "ag_news": 3}, "full": {"banking77": 1, "ag_news": 1}}
THREADS = 2

Results = list[dict[str, Any]]


def run(grid: str) -> list[Figure]:
    """Measure what is not filed yet, then print all figures."""
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    import torch

    from bench.learning import speed

    torch.set_num_threads(THREADS)
    found: list[Figure] = []
    folder = datasets_folder()
    if folder is None:
        print("SKIPPED learning accuracy: DATASETS names no folder with banking77 and ag_news.")
    else:
        for name in SETS:
            found += _accuracy(folder, name, EVERY[grid][name])
    return conclude("learning", grid, found + speed.figures())


def _accuracy(folder: Path, name: str, every: int) -> list[Figure]:
    from bench.learning.accuracy import join

    train, test = (part(folder, name, split, cache_folder(), every) for split in ("train", "test"))
    replay = join(train, test)
    ours, theirs, cold = [], [], []
    for seed in range(SEEDS):
        key = f"learning/{name}-{every}-{seed}"
        code = code_hash("learning", "bench/learning")
        mine = kept(f"{key}-head", code, partial(_head, replay, seed))
        rows = mine["rows"]
        same = f"{code_hash('bench/learning')} {sum(rows[:500])} {sum(rows)}"
        ours.append(mine["accuracy"])
        theirs.append(kept(f"{key}-sklearn", same, partial(_sklearn, replay, rows)))
        cold.append(kept(f"{key}-cold", code, partial(_cold, replay, seed)))
        print(f"{name} seed {seed}: {mine['accuracy']}, scikit-learn {theirs[-1]}, {cold[-1]}")
        sys.stdout.flush()
    return _against_sklearn(name, ours, theirs) + _against_chance(name, cold)


def _head(replay: "Replay", seed: int) -> dict[str, Any]:
    """Our head's accuracy by number of random labels, and which rows those were."""
    from bench.learning.accuracy import curve
    from learning.simulation import Schedule

    accuracy, rows = curve(replay, Schedule(start=500, batch=500, budget=1000), seed)
    return {"accuracy": {str(n): value for n, value in accuracy.items()}, "rows": rows}


def _sklearn(replay: "Replay", rows: list[int]) -> dict[str, Any]:
    from bench.learning.accuracy import rival

    return {str(n): rival(replay, rows[:n]) for n in LABELS}


def _cold(replay: "Replay", seed: int) -> dict[str, Any]:
    """Accuracy after two labels per class, by how the items were chosen."""
    from bench.learning.accuracy import curve
    from learning.simulation import Schedule

    start = 2 * len(replay.label_names)
    once = Schedule(start=start, batch=1, budget=start)
    return {
        name: curve(replay, once, seed, (name, "margin"))[0][start]
        for name in ("representatives", "random")
    }


def _against_sklearn(name: str, ours: Results, theirs: Results) -> list[Figure]:
    figures = []
    for n in map(str, LABELS):
        mine = float(np.mean([seed[n] for seed in ours]))
        figures.append(
            Figure(name=f"learning.{name}.{n}.accuracy", value=round(100 * mine, 2), unit="%")
        )
        for rival in ("default", "tuned"):
            other = float(np.mean([seed[n][rival] for seed in theirs]))
            figures.append(
                Figure(
                    name=f"learning.{name}.{n}.minus_sklearn_{rival}",
                    value=round(100 * (mine - other), 2),
                    unit="points",
                    op=">=",
                    target=-1,
                )
            )
    return figures


def _against_chance(name: str, cold: Results) -> list[Figure]:
    gain = np.mean([seed["representatives"] - seed["random"] for seed in cold])
    return [
        Figure(
            name=f"learning.{name}.cold_start.minus_random",
            value=round(100 * float(gain), 2),
            unit="points",
            op=">=",
            target=10,
        )
    ]
