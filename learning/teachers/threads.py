"""Several batches at once: threads, because what they do is wait for an endpoint."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from learning.teachers.limits import Stopped
from learning.types import Report

REPORT_SECONDS = 0.5

BatchT = TypeVar("BatchT")
AnswerT = TypeVar("AnswerT")


def in_threads(
    work: Callable[[BatchT, Stopped], list[AnswerT]],
    batches: Sequence[BatchT],
    threads: int,
    report: Report,
    total: int,
) -> Iterator[AnswerT]:
    """The answers of each batch as it is done, in any order.

    work: gets a batch and `stopped`, which turns true when the run ends early; it then returns soon.
    report: called twice a second at least, also while nothing comes, so that a cancel is noticed.
    What it raises, or what work raises, ends the run.
    """
    ended = threading.Event()
    done: queue.SimpleQueue[Future[list[AnswerT]]] = queue.SimpleQueue()
    waiting = iter(batches)
    pool = ThreadPoolExecutor(max(1, min(threads, len(batches))), thread_name_prefix="teacher")

    def start() -> int:
        for batch in waiting:
            pool.submit(work, batch, ended.is_set).add_done_callback(done.put)
            return 1
        return 0

    finished = 0
    try:
        # Twice as many as threads, so that none waits while the reader is busy with an answer
        running = sum(start() for _ in range(2 * threads))
        while running:
            try:
                future = done.get(timeout=REPORT_SECONDS)
            except queue.Empty:
                report(finished, total)
                continue
            running += start() - 1
            for answer in future.result():
                yield answer
                finished += 1
            report(finished, total)
    finally:
        ended.set()
        pool.shutdown(wait=True, cancel_futures=True)
