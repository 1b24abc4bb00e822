"""Curves, measured by several processes where the same code has not filed them yet."""

import hashlib
import os
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from typing import Any

from bench.selection import code, filed, loop, rivals, sets
from bench.selection.filed import Cell, Task
from learning.selection import STRATEGIES

CHOOSERS = {"k-means": "representatives", "random": "random"}


@cache
def _bench(name: str) -> tuple[sets.BenchSet, str]:
    bench = sets.load(name)
    digest = hashlib.sha256(bench.encodings.tobytes() + bench.targets.tobytes())
    return bench, digest.hexdigest()[:16]


@cache
def _start(name: str, start: str, seed: int) -> loop.Rows:
    return loop.start_rows(_bench(name)[0], start, seed)


def code_of(task: Task) -> str:
    """A hash of all that the curve depends on: strategy, start, student, harness and set."""
    bench, digest = _bench(task.name)
    several = bench.multi_label
    theirs = ":" in task.strategy
    return _short(
        code.of_rival(task.strategy)
        if theirs
        else code.of_strategy(task.strategy, several=several),
        code.of_strategy(CHOOSERS[task.start], several=several),
        code.common(),
        digest,
    )


def _short(*parts: str) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]


def measure(task: Task) -> Cell:
    """The curve, measured now: score and the mean CPU seconds of a pick; or error."""
    bench, _ = _bench(task.name)
    rows = _start(task.name, task.start, task.seed)
    try:
        if ":" in task.strategy:
            with rivals.rival(bench, task.strategy, task.seed) as pick:
                found = loop.curve(bench, rows, pick, task.seed)
        else:
            pick = loop.ours(STRATEGIES.create(task.strategy))
            found = loop.curve(bench, rows, pick, task.seed)
    except loop.OverLimitError:
        return {"error": "over limit"}
    except rivals.RivalError as error:
        return {"error": str(error)}
    return {"score": found.score, "pick": round(sum(found.seconds) / len(found.seconds), 4)}


def describe(name: str) -> None:
    """File what tables say about the set, unless the same code did."""
    bench, digest = _bench(name)
    key = _short(code.common(), digest)
    if filed.about(name).get("code") == key:
        return
    kind = "micro-F1" if bench.multi_label else "accuracy"
    size = f"{len(bench.targets):,} to label, {len(bench.test_targets):,} to test on"
    note = f"{size}, {len(bench.label_names)} classes, {kind}"
    plan = bench.schedule
    end = min(plan.budget, len(bench.targets))
    filed.describe(
        name,
        code=key,
        full=round(loop.full_score(bench), filed.DIGITS),
        note=f"{note}; {bench.note}" if bench.note else note,
        labels=[*range(plan.start, end, plan.batch), end],
    )


def found(tasks: Iterable[Task]) -> dict[Task, Cell]:
    """The curves that are filed, by whatever code; nothing is measured."""
    return {task: filed.cells(task.name)[task] for task in tasks if task in filed.cells(task.name)}


def missing(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks whose curve this code has not filed, nor an error for another seed of it."""
    for task in tasks:
        same = filed.cells(task.name)
        if same.get(task, {}).get("code") == code_of(task):
            continue
        if not any(_refused(other, same[other], task) for other in same):
            yield task


def _refused(other: Task, cell: Cell, task: Task) -> bool:
    """Whether the rival fell out on another seed or start of the set: it is not tried again."""
    return "error" in cell and other.strategy == task.strategy and cell["code"] == code_of(other)


def run_all(tasks: Iterable[Task]) -> None:
    """File all curves, by WORKERS processes (default: one per core) with one thread each."""
    workers = int(os.environ.get("WORKERS", os.cpu_count() or 1))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # for the children, who begin after this
    wanted = list(tasks)
    for name in dict.fromkeys(task.name for task in wanted):
        describe(name)
    wanted = list(missing(wanted))
    if not wanted:
        return
    print(f"{len(wanted)} curves are to be measured", flush=True)
    done, told = 0, time.monotonic()
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_polite) as executor:
        futures = {executor.submit(measure, task): task for task in wanted}
        for future in as_completed(futures):
            if future.cancelled():
                continue
            task, cell = futures[future], future.result()
            filed.put(task, cell, code_of(task))
            if "error" in cell:
                _give_up(futures, task)
            done += 1
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"{done} of {len(wanted)} curves", flush=True)


def _give_up(futures: dict[Future[Any], Task], failed: Task) -> None:
    for future, task in futures.items():
        if (task.name, task.strategy) == (failed.name, failed.strategy):
            future.cancel()


def _polite() -> None:
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, max(10, nice))
