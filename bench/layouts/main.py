"""Bench of the map: `make bench ONLY=layouts GRID=quick|full`.

How much of every item's neighbourhood the map keeps, on two real sets as MiniLM vectors: the share of
an item's ten nearest by cosine that are among its ten nearest on the map, over 1,000 items drawn at
random, for t-SNE, principal components and places at random. And what a map costs: CPU seconds on
one thread and memory, on made-up vectors in 100 groups, mapped
from disk as in production, each size in a process of its own.

`python -m bench.layouts.main ROWS FOLDER` is the child.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, conclude
from bench.selection.rivals import ONE_THREAD
from bench.selection.sets import load
from learning.encoders.matrix import Matrix
from learning.layouts import LAYOUTS, Drawn
from learning.layouts.places import place
from learning.layouts.regions import count_for, part, region_of

SETS = ("banking77", "ag_news")
SEEDS = {"quick": 1, "full": 3}
SIZES = {"quick": (1_000, 10_000), "full": (1_000, 10_000, 100_000, 1_000_000)}
NEIGHBOURS, PROBES = 10, 1_000
DIMENSIONS, GROUPS = 384, 100
TARGET = 5.0  # times what principal components keep


def run(grid: str) -> list[Figure]:
    """Measure, print the tables, return the figures."""
    found = []
    if os.environ.get("DATASETS"):
        for name in SETS:
            found += _kept_of(name, SEEDS[grid])
    else:
        print("SKIPPED neighbours kept: DATASETS names no folder with data sets.")
    for rows in SIZES[grid]:
        found += _cost_of(rows)
    return conclude("layouts", grid, found)


def _kept_of(name: str, seeds: int) -> list[Figure]:
    vectors = load(name).encodings
    everyone = np.ones(len(vectors), dtype=np.bool_)
    shares: dict[str, list[float]] = {"random": [], "later": [], **{each: [] for each in LAYOUTS}}
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        probes = np.random.default_rng(100 + seed).choice(len(vectors), PROBES, replace=False)
        shares["random"].append(kept(vectors, rng.random((len(vectors), 2)), probes))
        for layout in LAYOUTS:
            drawn = LAYOUTS.create(layout).draw(vectors, everyone, np.random.default_rng(seed))
            shares[layout].append(kept(vectors, drawn.xy, probes))
        shares["later"].append(_later(vectors, seed))
    told = {layout: float(np.mean(each)) for layout, each in shares.items()}
    print(f"{name}, {len(vectors):,} items, {seeds} seeds: {told}")
    return [
        Figure(
            name=f"layouts {name} neighbours kept, {layout}", value=round(share, 4), unit="share"
        )
        for layout, share in told.items()
    ] + [
        Figure(
            name=f"layouts {name} kept by tsne per kept by pca",
            value=round(told["tsne"] / told["pca"], 2),
            unit="times",
            op=">=",
            target=TARGET,
        )
    ]


def _later(vectors: NDArray[np.float32], seed: int) -> float:
    """The share kept of items that came after the map was drawn: a tenth of them, at random."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(vectors))
    mixed, first = vectors[order], len(vectors) * 9 // 10
    layout = LAYOUTS.create("tsne")
    drawn = layout.draw(mixed[:first], np.ones(first, dtype=np.bool_), rng)
    fresh = np.arange(first, len(mixed))
    xy = np.concatenate([drawn.xy, place(drawn, mixed, fresh)])
    return kept(mixed, xy, fresh[:PROBES])


def kept(
    vectors: NDArray[np.float32], xy: NDArray[np.floating], probes: NDArray[np.int64]
) -> float:
    """The mean share of an item's nearest by cosine that are among its nearest on the map."""
    shares = []
    for probe in probes:
        alike = vectors @ vectors[probe]
        apart = ((xy - xy[probe]) ** 2).sum(axis=1)
        alike[probe], apart[probe] = -np.inf, np.inf
        near = np.argpartition(-alike, NEIGHBOURS)[:NEIGHBOURS]
        shown = np.argpartition(apart, NEIGHBOURS)[:NEIGHBOURS]
        shares.append(len(np.intersect1d(near, shown)) / NEIGHBOURS)
    return float(np.mean(shares))


def _cost_of(rows: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        _made_up(Path(folder), rows)
        done = subprocess.run(  # noqa: S603 - this file
            [sys.executable, "-m", "bench.layouts.main", str(rows), folder],
            env={**os.environ, **ONE_THREAD},
            capture_output=True,
            text=True,
            check=True,
        )
    told = json.loads(done.stdout.splitlines()[-1])
    print(f"{rows:,} items: {told}")
    return [
        Figure(name=f"layouts cost {rows} {name}", value=value, unit=name.rsplit("_", 1)[-1])
        for name, value in told.items()
    ]


def _made_up(folder: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(GROUPS, DIMENSIONS)).astype(np.float32)
    matrix = Matrix(folder / "m.f16", DIMENSIONS)
    for start in range(0, rows, 20_000):
        count = min(20_000, rows - start)
        block = centres[rng.integers(GROUPS, size=count)]
        block = block + rng.normal(scale=1.2, size=block.shape).astype(np.float32)
        matrix.write(start, block / np.linalg.norm(block, axis=1, keepdims=True))


def _child(rows: int, folder: str) -> None:
    from sklearn.manifold import TSNE  # noqa: F401 - loading the library is no part of a map

    vectors = Matrix(Path(folder) / "m.f16", DIMENSIONS).view()
    before, began = _megabytes(), time.process_time()
    rng = np.random.default_rng(0)
    drawn: Drawn = LAYOUTS.create("tsne").draw(vectors, np.ones(rows, dtype=np.bool_), rng)
    region_of(drawn.xy, part(drawn.xy[drawn.landmarks], count_for(rows), rng))
    spent, held = time.process_time() - began, _megabytes() - before
    began = time.process_time()
    place(drawn, vectors, np.arange(min(rows, 1_000)))
    later = time.process_time() - began
    told = {"seconds": round(spent, 1), "mb": round(held), "1000_later_seconds": round(later, 2)}
    print(json.dumps(told))


def _megabytes() -> float:
    """The most that the process has held so far, mapped pages of the matrix among it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    _child(int(sys.argv[1]), sys.argv[2])
