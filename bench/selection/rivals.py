"""The bridge to small-text and scikit-activeml, which run in their own environment."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import ROOT
from bench.selection.loop import OverLimitError, Pick, Rows
from bench.selection.sets import BenchSet
from learning.students.head import FittedHead
from learning.types import Pool

PYTHON = ROOT / ".venv-bench" / "bin" / "python"
WORKER = Path(__file__).with_name("rival_worker.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

SMALL_TEXT = (
    "breaking-ties",
    "least-confidence",
    "prediction-entropy",
    "embedding-k-means",
    "contrastive",
    "lightweight-coreset",
    "discriminative",
    "greedy-coreset",
)
ACTIVEML = (
    "margin",
    "entropy",
    "least-confident",
    "clue",
    "drop-query",
    "falcun",
    "contrastive",
    "typiclust",
    "core-set",
    "prob-cover",
    "max-herding",
    "badge",
    "query-by-committee",
)
RIVALS = tuple(
    [f"small-text:{name}" for name in SMALL_TEXT] + [f"scikit-activeml:{name}" for name in ACTIVEML]
)
SEVERAL_LABELS = ("small-text:cvirs",)
# The same picks by both libraries, which the first seed of a set shows; more would say nothing new.
TWINS = {
    "scikit-activeml:margin": "small-text:breaking-ties",
    "scikit-activeml:least-confident": "small-text:least-confidence",
    "small-text:prediction-entropy": "scikit-activeml:entropy",
    "small-text:greedy-coreset": "scikit-activeml:core-set",
}


class RivalError(Exception):
    """A rival could not pick; its words follow."""


def installed() -> bool:
    """Whether `make install-bench` has been run."""
    return PYTHON.exists()


@contextmanager
def rival(bench: BenchSet, strategy: str, seed: int) -> Iterator[Pick]:
    """A rival's strategy as a pick, while the folder that it reads from exists.

    A pick raises OverLimitError, or RivalError with what the rival said.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, encodings=bench.encodings, multi_label=np.array(bench.multi_label))

        def pick(
            pool: Pool, fitted: FittedHead, n: int, _rng: np.random.Generator
        ) -> tuple[Rows, float]:
            _write(
                folder,
                labelled=pool.labelled,
                answers=pool.answers,
                weights=fitted.weights,
                bias=fitted.bias,
            )
            return _ask({"folder": name, "strategy": strategy, "n": n, "seed": seed})

        yield pick


@cache
def _process() -> "subprocess.Popen[str]":
    """The rivals' process: their libraries take seconds to import, so it serves many curves.

    It ends when this process does, because its input ends then.
    """
    return subprocess.Popen(  # noqa: S603 - our own script
        [str(PYTHON), str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **ONE_THREAD},
    )


def _write(folder: Path, **arrays: Any) -> None:
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)


def _ask(request: dict[str, Any]) -> tuple[Rows, float]:
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        _process.cache_clear()
        if process.wait() != -signal.SIGXCPU:
            raise RuntimeError(f"The rivals' process ended while it did {request['strategy']}.")
        raise OverLimitError(f"{request['strategy']} was ended by its limit.")
    reply = json.loads(line)
    if "error" in reply:
        raise RivalError(reply["error"])
    return np.array(reply["rows"], dtype=np.int64), float(reply["seconds"])
