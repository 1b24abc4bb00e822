"""Rows that a child process reads, with a ceiling on memory and time.

A hostile file can make a library take memory without end or fall over; then the child ends and not the
worker. It prints a line of JSON for each row, and at last "." when all was read, or "!" and the reason
why the file is refused.
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from annotator.formats.records import FormatError, Limits

_REFUSED, _FINISHED = "!", "."


def lines_of(
    script: Path, kind: str, stream: BinaryIO, limits: Limits, *wishes: str
) -> Iterator[str]:
    """Yield a line for every row; raise FormatError when the file, of this kind, is refused."""
    with _file_of(stream) as file, _child(script, file, limits, wishes) as child:
        if child.stdout is None:
            raise RuntimeError("The child was started without a pipe.")
        told = ""
        for line in child.stdout:
            if line[0] in (_REFUSED, _FINISHED):
                told = line
                break
            yield line
        _check_end(told, child, kind)


def _check_end(told: str, child: subprocess.Popen[str], kind: str) -> None:
    """Tell a finished file from one that the child refused or was killed over."""
    if told.startswith(_FINISHED):
        return
    if told.startswith(_REFUSED):
        raise FormatError(told[1:].strip())
    child.wait()
    raise FormatError(
        f"The {kind} could not be read within the memory and time that one file is given."
    )


@contextmanager
def _file_of(stream: BinaryIO) -> Iterator[BinaryIO]:
    """Give a real file, because a child process can only be handed one."""
    try:
        stream.fileno()
    except (OSError, AttributeError, io.UnsupportedOperation):
        with tempfile.TemporaryFile() as file:
            shutil.copyfileobj(stream, file)
            file.seek(0)
            yield file
    else:
        yield stream


@contextmanager
def _child(
    script: Path, file: BinaryIO, limits: Limits, wishes: tuple[str, ...]
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-I", str(script), json.dumps(asdict(limits)), *wishes]
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
        command,
        stdin=file.fileno(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        errors="surrogateescape",
        env={"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
    )
    try:
        yield child
    finally:
        child.kill()
        if child.stdout is not None:
            child.stdout.close()
        child.wait()
