"""Smallest margin on large pools: our CPU seconds beside both libraries'."""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.figures import Figure, code_hash, kept
from bench.selection.rivals import ONE_THREAD, PYTHON, installed
from learning.selection.margin import Margin
from learning.types import Pool

LABELS, LABELLED, PICKS, TIMES = 77, 1_000, 100, 3
TARGETS = {100_000: 5.0, 1_000_000: 3.0}  # pool -> times as fast as each library
LIBRARIES = ("small-text", "scikit-activeml")
SCRIPT = Path(__file__).with_name("rival_speed.py")


def figures() -> list[Figure]:
    """How many times as fast we are; the seconds are filed and measured again when code changes."""
    if not installed():
        return []
    made = []
    for rows, target in TARGETS.items():
        code = code_hash("learning/selection", "bench/selection")
        filed = kept(f"selection/speed/margin-{rows}", code, lambda rows=rows: _measure(rows))
        print(f"smallest margin, {rows:,} x {LABELS}, CPU seconds: {filed}")
        made += [
            Figure(
                name=f"selection.margin.{rows}.times_as_fast_as.{library}",
                value=round(filed[library] / filed["ours"], 1),
                unit="times",
                op=">=",
                target=target,
            )
            for library in LIBRARIES
        ]
    return made


def _measure(rows: int) -> dict[str, float]:
    rng = np.random.default_rng(0)
    p = rng.standard_exponential((rows, LABELS), dtype=np.float32) ** 3
    p /= p.sum(axis=1, keepdims=True)
    labelled = np.zeros(rows, dtype=np.bool_)
    labelled[rng.choice(rows, size=LABELLED, replace=False)] = True
    pool = Pool(eligible=np.ones(rows, dtype=np.bool_), labelled=labelled, probabilities=p)
    taken = []
    for _ in range(TIMES):
        began = time.process_time()
        Margin().select(pool, PICKS, rng)
        taken.append(time.process_time() - began)
    found = {"ours": min(taken)}
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "probabilities.npy", p, allow_pickle=False)
        np.save(Path(name) / "labelled.npy", labelled, allow_pickle=False)
        for library in LIBRARIES:
            done = subprocess.run(  # noqa: S603 - our own script
                [str(PYTHON), str(SCRIPT), name, library],
                capture_output=True,
                text=True,
                check=True,
                env={**os.environ, **ONE_THREAD},
            )
            found[library] = float(json.loads(done.stdout)["seconds"])
    return found
