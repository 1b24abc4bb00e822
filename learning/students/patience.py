"""Long work without becoming deaf to a cancel."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

BEAT_SECONDS = 1.0

ResultT = TypeVar("ResultT")


def beside(call: Callable[[], ResultT], beat: Callable[[], None]) -> ResultT:
    """What `call` returns or raises, from a thread of its own, while `beat` is called every second.

    What `beat` raises (a cancel) passes through at once; the call then ends unheard.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="beside")
    future = thread.submit(call)
    thread.shutdown(wait=False)  # it takes no more than this one call
    while not wait([future], timeout=BEAT_SECONDS).done:
        beat()
    return future.result()


def seldom(beat: Callable[[], None]) -> Callable[[], None]:
    """`beat` for places that are passed often: called there every second at most."""
    last = time.monotonic()

    def heard() -> None:
        nonlocal last
        if time.monotonic() - last >= BEAT_SECONDS:
            last = time.monotonic()
            beat()

    return heard
