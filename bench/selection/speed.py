"""What every strategy costs on 1,000,000 items × 384 dimensions × 77 labels: 100 picks, one thread.

The pool lies on disk and is mapped, as in production. Each strategy runs in a process of its own.
Time is CPU seconds of the process, the best of three picks. Memory is what the process holds beyond
what it held before the pick, sampled every few milliseconds by this process as `RssAnon`: pages that
the process has made itself, so neither the mapped file pages that the kernel may drop at any time
nor the libraries count. The masks of the pool (2 MB) were there before.

`python -m bench.selection.speed` prints the table; `... speed NAME FOLDER` is the child.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, kept
from bench.selection.rivals import ONE_THREAD
from learning.selection import STRATEGIES
from learning.types import Pool, row_blocks

ITEMS, DIMENSIONS, LABELS, LABELLED, PICKS, TIMES = 1_000_000, 384, 77, 1_000, 100, 3
SECONDS_BETWEEN_LOOKS = 0.003
LARGEST_GB = 1.0
# Seconds that a pick may take: by how doubtful each item is, or by how items lie to one another.
SCORED, DIVERSE = 1.5, 10.0
COMPARING = {
    "badge",
    "contrastive",
    "data-value",
    "density-margin",
    "expected-variance",
    "k-center",
    "keyword",
    "margin-diverse",
    "mixed",
    "probcover",
    "representatives",
    "typiclust",
}


def figures() -> list[Figure]:
    """Seconds and memory of every strategy; filed, and measured again when their code changes."""
    code = code_hash("learning/selection")
    with tempfile.TemporaryDirectory() as folder:
        measure = partial(_measure, Path(folder))
        filed = {
            name: kept(f"selection/speed/{name}", code, partial(measure, name))
            for name in STRATEGIES
        }
    made = []
    for name, found in filed.items():
        made += [
            Figure(
                name=f"selection.{name}.1M.seconds",
                value=round(found["seconds"], 2),
                unit="CPU_s",
                op="<=",
                target=DIVERSE if name in COMPARING else SCORED,
            ),
            Figure(
                name=f"selection.{name}.1M.memory",
                value=round(found["bytes"] / 1e9, 3),
                unit="GB",
                op="<=",
                target=LARGEST_GB,
            ),
        ]
    return made


def make_pool(folder: Path, items: int = ITEMS) -> None:
    """Write a made-up pool: groups of unit vectors, beliefs from sure to undecided."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(LABELS, DIMENSIONS)).astype(np.float32)
    readout = centres.T / np.linalg.norm(centres, axis=1)
    x = _map(folder, "x", np.float16, (items, DIMENSIONS), "w+")
    p = _map(folder, "p", np.float32, (items, LABELS), "w+")
    for block in row_blocks(items):
        rows = block.stop - block.start
        points = 1.5 * rng.standard_normal((rows, DIMENSIONS), dtype=np.float32)
        points += centres[rng.integers(0, LABELS, rows)]
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        logits = rng.uniform(0.6, 13, size=(rows, 1)).astype(np.float32) * (points @ readout)
        likely = np.exp(logits - logits.max(axis=1, keepdims=True))
        x[block], p[block] = points, likely / likely.sum(axis=1, keepdims=True)
    x.flush()
    p.flush()


def open_pool(folder: Path) -> Pool:
    """The pool of `make_pool` as read-only maps, some of it labelled."""
    items = (folder / "x").stat().st_size // (2 * DIMENSIONS)
    x = _map(folder, "x", np.float16, (items, DIMENSIONS), "r")
    p = _map(folder, "p", np.float32, (items, LABELS), "r")
    labelled = np.zeros(items, dtype=np.bool_)
    labelled[np.random.default_rng(1).choice(items, size=LABELLED, replace=False)] = True
    return Pool(
        eligible=np.ones(items, dtype=np.bool_),
        labelled=labelled,
        probabilities=p,
        encodings=x,
        label_names=tuple(f"label {column}" for column in range(LABELS)),
        answers=np.eye(LABELS, dtype=np.float32)[p[labelled].argmax(axis=1)],
        teacher_error=0.1,
        wanted=np.arange(500),
        lengths=np.random.default_rng(2).integers(1, 5_000, items),
    )


def _map(
    folder: Path, name: str, dtype: type, shape: tuple[int, int], mode: Any
) -> NDArray[np.floating[Any]]:
    return np.memmap(folder / name, dtype=dtype, mode=mode, shape=shape)


def _measure(folder: Path, name: str) -> dict[str, Any]:
    """CPU seconds and most bytes beyond the beginning of one strategy in a process of its own."""
    if not (folder / "p").exists():
        make_pool(folder)
    command = [sys.executable, "-m", "bench.selection.speed", name, str(folder)]
    child = subprocess.Popen(  # noqa: S603 - ourselves
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD}
    )
    assert child.stdout is not None
    before = most = int(child.stdout.readline())
    while not select.select([child.stdout], [], [], SECONDS_BETWEEN_LOOKS)[0]:
        most = max(most, _anonymous_bytes(child.pid))
    seconds = json.loads(child.stdout.readline())
    assert child.wait() == 0
    print(f"{name}: {min(seconds):.2f} CPU seconds, {(most - before) / 1e6:.0f} MB", flush=True)
    return {"seconds": min(seconds), "bytes": most - before}


def _anonymous_bytes(process: int | str) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    line = next((line for line in status.splitlines() if line.startswith("RssAnon")), "RssAnon: 0")
    return 1024 * int(line.split()[1])


def _child(name: str, folder: Path) -> None:
    pool = open_pool(folder)
    strategy = STRATEGIES.create(name)
    np.ones((64, 64), dtype=np.float32) @ np.ones((64, 64), dtype=np.float32)  # wakes the BLAS
    print(_anonymous_bytes("self"), flush=True)
    seconds = []
    for _ in range(TIMES):
        began = time.process_time()
        picked = strategy.select(pool, PICKS, np.random.default_rng(0))
        seconds.append(time.process_time() - began)
        assert len(picked.rows) == PICKS
    print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        _child(sys.argv[1], Path(sys.argv[2]))
    else:
        for figure in figures():
            print(figure.line())
