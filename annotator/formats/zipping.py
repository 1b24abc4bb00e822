"""A folder as a zip that is written while it is sent: nothing waits, nothing is kept."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 256 * 1024


class _Pipe:
    """What the zip writer has written and nobody has sent yet."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, block: bytes, /) -> int:
        self._parts.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """There is nothing to close."""

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def zipped(members: Iterable[tuple[str, Path | bytes]]) -> Iterator[bytes]:
    """The bytes of a zip of (name in the zip, file or content); stored, since weights do not get
    smaller. Every file is opened at once, so that the zip is whole though they are removed while it is sent.

    Raises FileNotFoundError, before anything is sent, for a file that is gone.
    """
    opened: list[tuple[str, BinaryIO]] = []
    try:
        for name, content in members:
            found = io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")
            opened.append((name, found))
    except OSError:
        _close(opened)
        raise
    sent = _written(opened)
    next(sent)  # a generator that never began would not close the files when it is closed
    return sent


def _close(opened: list[tuple[str, BinaryIO]]) -> None:
    for _, each in opened:
        each.close()


def _written(opened: list[tuple[str, BinaryIO]]) -> Iterator[bytes]:
    """Nothing, then the bytes."""
    pipe = _Pipe()
    try:
        yield b""
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
            for name, source in opened:
                # A fixed date: the same files give the same bytes.
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                with archive.open(entry, "w", force_zip64=True) as target:
                    while block := source.read(BLOCK):
                        target.write(block)
                        yield pipe.take()
                yield pipe.take()
        yield pipe.take()
    finally:
        _close(opened)
