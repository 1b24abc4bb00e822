"""Bench of the learning library: accuracy against scikit-learn on real data, and speed."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Figure, code_hash, conclude, kept
from bench.learning.vectors import cache_folder, datasets_folder, part

LABELS = (500, 1000)
SEEDS = 5
SETS = ("banking77", "ag_news")
EVERY = {"quick": {"banking77": 1, "ag_news": 3}, "full": {"banking77": 1, "ag_news": 1}}
THREADS = 2


def run(grid: str) -> list[Figure]:
    """Measure what is not filed yet, then print all figures."""
    os.environ.setdefault("OMP_NUM_THREADS", str(THREADS))
    import torch

    from bench.learning import speed

    torch.set_num_threads(THREADS)
    found: list[Figure] = []
    folder = datasets_folder()
    if folder is None:
        print("SKIPPED learning.accuracy: DATASETS names no folder with banking77 and ag_news.")
    else:
        for name in SETS:
            found += _accuracy(folder, name, EVERY[grid][name])
    return conclude("learning", grid, found + speed.figures())


def _accuracy(folder: Path, name: str, every: int) -> list[Figure]:
    from bench.learning.accuracy import curve, replay_of, rival
    from learning.simulation import Schedule

    train, test = (part(folder, name, split, cache_folder(), every) for split in ("train", "test"))
    replay = replay_of(train, test)
    code, schedule = (
        code_hash("learning", "bench/learning"),
        Schedule(start=500, batch=500, budget=1000),
    )
    start = 2 * len(replay.label_names)
    ours, theirs, cold = [], [], []
    for seed in range(SEEDS):
        key = f"learning/{name}-{every}"

        def head(seed: int = seed) -> dict[str, Any]:
            accuracy, rows = curve(replay, schedule, seed)
            return {"accuracy": {str(n): a for n, a in accuracy.items()}, "rows": rows}

        mine = kept(f"{key}-head-{seed}", code, head)

        def sklearn(rows: list[int] = mine["rows"]) -> dict[str, Any]:
            return {str(n): rival(replay, rows[:n]) for n in LABELS}

        def first(seed: int = seed) -> dict[str, Any]:
            once = Schedule(start=start, batch=1, budget=start)
            both = {
                names: curve(replay, once, seed, (names, "margin"))[0][start]
                for names in ("representatives", "random")
            }
            return {"accuracy": both}

        ours.append(mine["accuracy"])
        theirs.append(kept(f"{key}-sklearn-{seed}", code, sklearn))
        cold.append(kept(f"{key}-cold-{seed}", code, first)["accuracy"])
        print(f"{name} seed {seed}: ours {mine['accuracy']}, scikit-learn {theirs[-1]}")
    return _compare(name, ours, theirs) + _cold(name, start, cold)


def _compare(name: str, ours: list[Any], theirs: list[Any]) -> list[Figure]:
    figures = []
    for n in LABELS:
        mine = float(np.mean([seed[str(n)] for seed in ours]))
        for rival in ("default", "tuned"):
            other = float(np.mean([seed[str(n)][rival] for seed in theirs]))
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


def _cold(name: str, start: int, cold: list[Any]) -> list[Figure]:
    gain = np.mean([seed["representatives"] - seed["random"] for seed in cold])
    return [
        Figure(
            name=f"learning.{name}.cold_start_{start}.minus_random",
            value=round(100 * float(gain), 2),
            unit="points",
            op=">=",
            target=10,
        )
    ]
