"""Gzip, unpacked as it is read, and refused once it unpacks to more than a file honestly would."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

from annotator.formats.records import LIMITS, MEGABYTE, FormatError, Limits

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"


class Inflated(io.RawIOBase):
    """The unpacked bytes of a gzip stream; `read` raises FormatError on a bomb or a broken file."""

    def __init__(self, packed: BinaryIO, limits: Limits = LIMITS) -> None:
        """Start at the packed stream's present position."""
        self._packed = packed
        self._unpack = gzip.GzipFile(fileobj=packed, mode="rb")
        self._limits = limits
        self._unpacked_bytes = 0

    def readable(self) -> bool:
        """Say yes, as io.BufferedReader asks."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer with unpacked bytes and check what has come out so far."""
        view = memoryview(buffer)
        try:
            data = self._unpack.read(len(view))
        except (OSError, EOFError, zlib.error) as error:
            raise FormatError(f"The compressed file is damaged: {error}.") from error
        view[: len(data)] = data
        self._unpacked_bytes += len(data)
        self._check()
        return len(data)

    def _check(self) -> None:
        honest = max(MEGABYTE, self._packed.tell() * self._limits.inflation)
        if self._unpacked_bytes > min(honest, self._limits.unpacked_bytes):
            raise FormatError(
                f"The compressed file unpacks to more than {self._limits.inflation} times its "
                "size; it is refused as a possible bomb."
            )


def plain(stream: BinaryIO, limits: Limits = LIMITS) -> BinaryIO:
    """Give the stream itself, or its unpacked bytes when it is gzip."""
    start = stream.tell()
    magic = stream.read(len(GZIP_MAGIC))
    stream.seek(start)
    if magic != GZIP_MAGIC:
        return stream
    return io.BufferedReader(Inflated(stream, limits), buffer_size=256 * 1024)
