"""Curves as filed results, measured by several processes where they are not there yet."""

import hashlib
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from typing import Any

import numpy as np

from bench.figures import RESULTS, kept
from bench.selection import code, loop, rivals, sets
from learning.selection import STRATEGIES


@dataclass(frozen=True, kw_only=True)
class Task:
    """One curve: our strategies by their names, rivals as library:name."""

    name: str
    start: str
    strategy: str
    seed: int

    @property
    def key(self) -> str:
        """Where it is filed."""
        return f"selection/{self.name}/{self.start}/{self.strategy.replace(':', '.')}-{self.seed}"


@cache
def _bench(name: str) -> tuple[sets.BenchSet, str]:
    bench = sets.load(name)
    digest = hashlib.sha256(bench.encodings.tobytes() + bench.targets.tobytes())
    return bench, digest.hexdigest()[:16]


@cache
def _start(name: str, start: str, seed: int) -> tuple[int, ...]:
    bench, digest = _bench(name)
    chooser = code.of_strategy(
        {"k-means": "representatives", "random": "random"}[start], several=bench.multi_label
    )
    filed = kept(
        f"selection/{name}/{start}/start-{seed}",
        f"{chooser} {digest} {code.common()}",
        lambda: {"rows": loop.start_rows(bench, start, seed).tolist()},
    )
    return tuple(filed["rows"])


def measure(task: Task) -> dict[str, Any]:
    """The curve, from its file or measured now: labels, score, seconds; or error."""
    bench, digest = _bench(task.name)
    rows = np.array(_start(task.name, task.start, task.seed), dtype=np.int64)
    theirs = ":" in task.strategy
    how = code.of_rival() if theirs else code.of_strategy(task.strategy, several=bench.multi_label)
    began = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
    return kept(
        task.key,
        f"{how} {code.common()} {digest} {began}",
        partial(_rival if theirs else _own, task, bench, rows),
    )


def filed(tasks: Iterable[Task]) -> dict[Task, dict[str, Any]]:
    """The curves that are filed, by whatever code; nothing is measured."""
    found = {}
    for task in tasks:
        path = RESULTS / f"{task.key}.json"
        if path.exists():
            found[task] = json.loads(path.read_text())
    return found


def full(name: str) -> float:
    """What the student reaches with all labels of the pool."""
    bench, digest = _bench(name)
    key = f"{code.common()} {digest}"
    filed = kept(f"selection/{name}/full", key, lambda: {"score": loop.full_score(bench)})
    return float(filed["score"])


def note(name: str) -> str:
    """What a table must say about the set."""
    bench, _ = _bench(name)
    kind = "micro-F1" if bench.multi_label else "accuracy"
    size = f"{len(bench.targets):,} to label, {len(bench.test_targets):,} to test on"
    return f"{size}, {len(bench.label_names)} classes, {kind}" + (
        f"; {bench.note}" if bench.note else ""
    )


def _own(task: Task, bench: sets.BenchSet, rows: loop.Rows) -> dict[str, Any]:
    strategy = STRATEGIES.create(task.strategy)
    return vars(loop.curve(bench, rows, loop.ours(strategy), task.seed))


def _rival(task: Task, bench: sets.BenchSet, rows: loop.Rows) -> dict[str, Any]:
    try:
        with rivals.rival(bench, task.strategy, task.seed) as pick:
            return vars(loop.curve(bench, rows, pick, task.seed))
    except loop.OverLimitError:
        return {"error": "over limit"}
    except rivals.RivalError as error:
        return {"error": str(error)}


def run_all(tasks: Iterable[Task]) -> dict[Task, dict[str, Any]]:
    """All curves, by WORKERS processes (default: one per core) with one thread each."""
    workers = int(os.environ.get("WORKERS", os.cpu_count() or 1))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # for the children, who begin after this
    wanted = list(tasks)
    found: dict[Task, dict[str, Any]] = {}
    began = told = time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_polite) as executor:
        futures: dict[Future[dict[str, Any]], Task] = {
            executor.submit(measure, task): task for task in wanted
        }
        for future in as_completed(futures):
            found[futures[future]] = future.result()
            now = time.monotonic()
            if now - told > 30:
                told = now
                print(f"{len(found)} of {len(wanted)} curves, {now - began:.0f} s", flush=True)
    return found


def _polite() -> None:
    os.setpriority(os.PRIO_PROCESS, 0, max(10, os.getpriority(os.PRIO_PROCESS, 0)))
