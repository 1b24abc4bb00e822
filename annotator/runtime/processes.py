"""Child processes: started so that they die with us, and found again when they did not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psutil

from annotator.runtime import child

MARK = "CONCORD_SUPERVISED"  # names the data folder in the environment of every process of ours


def spawn(
    program: Sequence[str | Path],
    log: IO[Any],
    *,
    account: str | None = None,
    nice: int = 0,
    dies_by: signal.Signals | None = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; `dies_by` reaches it when this process dies."""
    options = ["--nice", str(nice)]
    if account:
        options += ["--account", account]
    if dies_by is not None:
        options += ["--parent", str(os.getpid()), "--signal", dies_by.name]
    return subprocess.Popen(  # noqa: S603 (our own programs, no shell)
        [sys.executable, "-I", child.__file__, *options, "--", *map(str, program)],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=None if environment is None else dict(environment),
        cwd=folder,
        pass_fds=pass_fds,
        start_new_session=True,
    )


def marked(data_dir: Path) -> Iterator[psutil.Process]:
    """Find every live process that a supervisor of this data folder started, but not ourselves."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            other = process.pid != os.getpid() and not gone(process)
            if other and process.environ().get(MARK) == str(data_dir):
                yield process


def end(processes: Iterable[psutil.Process], *, grace_seconds: float) -> None:
    """Ask the processes to end, then make them; returns when all are gone."""
    left = list(processes)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in left:
            with suppress(psutil.Error):
                process.send_signal(number)
        deadline = time.monotonic() + grace_seconds
        while (left := [one for one in left if not gone(one)]) and time.monotonic() < deadline:
            time.sleep(0.02)


def gone(process: psutil.Process) -> bool:
    """Tell whether it has ended, also when nobody has reaped it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
