"""What it costs that a strategy looks at some candidates of a large pool only.

Each thinned strategy is replayed twice from the same start, looking at all candidates and at a
twentieth of the pool (what 20,000 is to 400,000 items); the paired difference of the mean height of
the curves is the loss. K-center, whose thinning is proved by bounds where it can be, is compared
with its full run on a million made-up items by how far the pool is from its picks.

`python -m bench.selection.thinning` prints the table; curves are filed.
"""

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import Figure, kept
from bench.selection import code, sets
from bench.selection.figures import area, paired
from bench.selection.loop import curve, ours, start_rows
from bench.selection.speed import PICKS, make_pool, open_pool
from learning.selection import STRATEGIES
from learning.selection.k_center import KCenter
from learning.types import Floats, row_blocks

THINNED = (
    "committee",
    "contrastive",
    "data-value",
    "density-margin",
    "k-center",
    "probcover",
    "typiclust",
)
SETS = ("banking77", "mnist_12k", "trec6")
SEEDS = range(10, 13)
SHARE = 20  # one of so many candidates is looked at
WORST_POINTS = -1.0
ALL = 1_000_000_000


def figures() -> list[Figure]:
    """Points of mean accuracy gained or lost by looking at a twentieth, over sets and seeds."""
    made = []
    for name in THINNED:
        differences = []
        for set_name in SETS:
            found = [_areas(name, set_name, seed) for seed in SEEDS]
            each = np.array([100 * (some["thinned"] - some["all"]) for some in found])
            print(f"{name} on {set_name}: {_told(each)}", flush=True)
            differences.append(each)
        mean = np.concatenate(differences)
        print(f"{name}: {_told(mean)}", flush=True)
        made.append(
            Figure(
                name=f"selection.{name}.thinned",
                value=round(float(mean.mean()), 2),
                unit="points",
                op=">=",
                target=WORST_POINTS,
            )
        )
    return made


def _told(differences: Any) -> str:
    mean, low, high = paired(differences)
    return f"{mean:+.2f} points ({low:+.2f} … {high:+.2f})"


def _areas(name: str, set_name: str, seed: int) -> dict[str, float]:
    key = f"selection/thinning/{name}-{set_name}-{seed}"
    return kept(
        key,
        f"{code.common()} {code.of_strategy(name, several=False)} {SHARE}",
        partial(_replay, name, set_name, seed),
    )


def _replay(name: str, set_name: str, seed: int) -> dict[str, float]:
    bench = sets.load(set_name)
    rows = start_rows(bench, "k-means", seed)
    found = {}
    for which, keep in (("all", ALL), ("thinned", len(bench.targets) // SHARE)):
        strategy = STRATEGIES.create(name, {"keep": keep})
        drawn = curve(bench, rows, ours(strategy), seed)
        found[which] = float(area(drawn.labels, np.array([drawn.score]))[0])
    return found


def k_center_on_a_million() -> list[dict[str, float]]:
    """By rounds: CPU seconds, and the greatest and mean distance to picks and labels."""
    with tempfile.TemporaryDirectory() as folder:
        make_pool(Path(folder))
        pool = open_pool(Path(folder))
        assert pool.encodings is not None
        found = []
        for rounds in (1, 3, 10, 100):
            began = time.process_time()
            strategy = KCenter(rounds=rounds)
            rows = strategy.select(pool, PICKS, np.random.default_rng(0)).rows
            seconds = time.process_time() - began
            places = np.concatenate([np.flatnonzero(pool.labelled), rows])
            greatest, mean = _reach(pool.encodings, places)
            found.append({"rounds": rounds, "seconds": seconds, "greatest": greatest, "mean": mean})
            print(found[-1], flush=True)
    return found


def _reach(encodings: Floats, places: Any) -> tuple[float, float]:
    """The greatest and the mean distance of unit rows to the nearest of some."""
    others = np.asarray(encodings[places], dtype=np.float32)
    nearest = np.empty(len(encodings), dtype=np.float32)
    for block in row_blocks(len(encodings)):
        alike = np.asarray(encodings[block], dtype=np.float32) @ others.T
        nearest[block] = np.sqrt(np.maximum(2 - 2 * alike.max(axis=1), 0))
    return float(nearest.max()), float(nearest.mean())


if __name__ == "__main__":
    for figure in figures():
        print(figure.line())
    kept("selection/thinning/k-center-1M", "1", lambda: {"rounds": k_center_on_a_million()})
