"""One fit over several devices: this process leads, and a companion for each further device takes the same steps."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import torch

from learning.errors import CompanionError, ParameterError
from learning.students import companion
from learning.students.patience import BEAT_SECONDS
from learning.students.ranks import Ranks, leave, meet, surroundings

if TYPE_CHECKING:
    from learning.students.training import Schedule
    from learning.taggers.types import Marked
    from learning.types import TrainingData

COUNT = "TRAIN_PROCESSES"
GRACE_SECONDS = 5.0
NOT_COME = (
    "A process that was to train on another device ended before it began, so nothing was trained. Its reason "
    "stands in the log of this worker."
)


@contextmanager
def spread(
    plan: Schedule,
    data: TrainingData | Marked,
    checkpoint: Path | None,
    beat: Callable[[], None],
) -> Iterator[None]:
    """Meet companions for what is trained inside; where there is one device, or this is one, do nothing.

    plan: a student or tagger of a registry, which reads texts. beat: called while they start; what it raises
    passes through. However this ends, they end. Raises CompanionError when one of them does not come.
    """
    count = min(processes(), plan.batch)
    if count == 1 or Ranks.present().count > 1:
        yield
        return
    from accelerate.utils import patch_environment

    with (
        tempfile.TemporaryDirectory(prefix="fit-", ignore_cleanup_errors=True) as folder,
        patch_environment(**surroundings(0, count)),
        ExitStack() as stack,
    ):
        place = Path(folder) / "meeting"
        others = [stack.enter_context(_companion(rank, count, place)) for rank in range(1, count)]
        for other in others:
            _teach(other, plan, data, checkpoint)
        for other in others:
            _await(other, beat)
        stack.callback(leave)
        meet(place, 0, count)
        yield


def processes() -> int:
    """How many processes take one fit: one for each GPU that this one sees, one on a CPU, whose cores it
    uses anyway. TRAIN_PROCESSES says otherwise, but never more than there are GPUs.
    """
    devices = torch.cuda.device_count()
    asked = os.environ.get(COUNT) or str(max(devices, 1))
    if not asked.isdecimal() or int(asked) < 1:
        raise ParameterError(f"{COUNT}={asked} is not a whole number above 0.")
    return min(int(asked), devices or int(asked))


@contextmanager
def _companion(rank: int, count: int, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A companion that ends at the latest when this does."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own module
        [sys.executable, "-m", companion.__name__, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **surroundings(rank, count), **_device(rank), "PYTHONPATH": _path()},
    )
    with process:
        try:
            yield process
        finally:
            with suppress(BrokenPipeError):
                _pipe(process.stdin).close()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _device(rank: int) -> dict[str, str]:
    """One of the GPUs that this process sees as all that a companion does, so that "cuda" means it everywhere."""
    if not torch.cuda.is_available():
        return {}
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"CUDA_VISIBLE_DEVICES": seen.split(",")[rank] if seen else str(rank)}


def _path() -> str:
    """Where this process finds its modules."""
    return os.pathsep.join(filter(None, sys.path))


def _teach(
    other: subprocess.Popen[bytes],
    plan: Schedule,
    data: TrainingData | Marked,
    checkpoint: Path | None,
) -> None:
    try:
        companion.tell(_pipe(other.stdin), plan, data, checkpoint)
    except BrokenPipeError as error:
        raise CompanionError(NOT_COME) from error


def _await(other: subprocess.Popen[bytes], beat: Callable[[], None]) -> None:
    """Return when a companion says that it is about to be there."""
    said = _pipe(other.stdout)
    while not select.select([said], [], [], BEAT_SECONDS)[0]:
        beat()
    if not said.read(1):
        raise CompanionError(NOT_COME)


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("The companion was started without a pipe.")
    return end
