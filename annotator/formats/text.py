"""Bytes to lines: which encoding, and no line longer than a row may be."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from annotator.formats.compressed import plain
from annotator.formats.records import LIMITS, FormatError, Limits

HEAD_CHARACTERS = 64 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MOSTLY = 0.4
# Python knows more codecs, some of which unpack archives or run a little language of escapes.
ENCODINGS = (
    "utf-8", "windows-1252", "iso-8859-1", "utf-16", "windows-1250", "windows-1251", "gb18030",
    "big5", "shift_jis", "euc-jp", "euc-kr", "koi8-r", "koi8-u", "utf-8-sig", "utf-16-le",
    "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "ascii", "iso-8859-2", "iso-8859-5",
    "iso-8859-7", "iso-8859-8", "iso-8859-9", "iso-8859-15", "windows-1253", "windows-1254",
    "windows-1255", "windows-1256", "windows-1257", "windows-1258", "cp874", "cp437", "cp850",
    "cp866", "cp932", "cp949", "gbk", "mac-roman",
)  # fmt: skip
_CODECS = frozenset(codecs.lookup(name).name for name in ENCODINGS)


def encoding_of(head: bytes) -> str:
    """Name the encoding that the first bytes of a text file speak for: UTF-8 unless they say more."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    pairs = len(head) // 2
    if pairs >= 2:
        if head[1 : pairs * 2 : 2].count(0) > pairs * _MOSTLY > head[: pairs * 2 : 2].count(0):
            return "utf-16-le"
        if head[: pairs * 2 : 2].count(0) > pairs * _MOSTLY > head[1 : pairs * 2 : 2].count(0):
            return "utf-16-be"
    return "utf-8"


def better_encoding(head: bytes) -> str:
    """Name another encoding to offer when the head is not valid UTF-8, or '' when it is."""
    if encoding_of(head) != "utf-8":
        return ""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "windows-1252"
    return ""


def _trace(error: UnicodeError) -> tuple[str, int]:
    """Decode what is no character to half surrogates, so that reading goes on and a row is named."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    try:
        return _PASS(error)  # type: ignore[return-value]
    except UnicodeDecodeError:
        bad = error.object[error.start : error.end]
        return "".join(chr(0xDC00 + byte) for byte in bad), error.end


_PASS = codecs.lookup_error("surrogatepass")
codecs.register_error("concord-trace", _trace)


def _spelled(encoding: str, head: bytes) -> str:
    """Give the codec's name; a stated UTF-16 or UTF-32 without a mark is little-endian."""
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        name = ""
    if name not in _CODECS:
        listed = ", ".join(ENCODINGS[:12])
        raise FormatError(
            f"No encoding is called {encoding[:40]!r}. Among those that are read: {listed}."
        )
    marked = any(head.startswith(mark) for mark, _ in _BOMS)
    return f"{name}-le" if name in ("utf-16", "utf-32") and not marked else name


def _errors_of(encoding: str) -> str:
    wide = encoding.startswith(("utf-16", "utf-32"))
    return "concord-trace" if wide else "surrogateescape"


@contextmanager
def text_of(stream: BinaryIO, encoding: str = "") -> Iterator[io.TextIOWrapper]:
    """Open a (perhaps gzipped) binary stream as text with its line ends kept."""
    data = plain(stream)
    head = _peek(data)
    name = _spelled(encoding or encoding_of(head), head)
    wrapper = io.TextIOWrapper(data, encoding=name, errors=_errors_of(name), newline="")
    try:
        yield wrapper
    finally:
        wrapper.detach()  # else its end would close the caller's stream


def head_of(stream: BinaryIO, encoding: str = "") -> str:
    """Read the first characters of a seekable stream and go back to where it stood."""
    start = stream.tell()
    with text_of(stream, encoding) as text:
        head = text.read(HEAD_CHARACTERS)
    stream.seek(start)
    return head


def _peek(data: BinaryIO) -> bytes:
    if isinstance(data, io.BufferedReader) and not data.seekable():
        return data.peek(4096)
    start = data.tell()
    head = data.read(4096)
    data.seek(start)
    return head


class RowTooLongError(Exception):
    """A row went over the limit; the rest of its line has been passed over."""


class BoundedLines:
    """Lines with their ends, as `csv.reader` wants them, counting what one row has taken so far.

    A generator would be finished by its first exception; this goes on with the next line.
    """

    def __init__(self, text: io.TextIOWrapper, limits: Limits = LIMITS) -> None:
        """Read from the text's present position."""
        self._text = text
        self._most = limits.row_characters
        self._taken = 0

    def __iter__(self) -> BoundedLines:
        """Give itself."""
        return self

    def __next__(self) -> str:
        """Give the next line, or raise RowTooLongError once the present row is over the limit."""
        line = self._text.readline(self._most + 1)
        if not line:
            raise StopIteration
        self._taken += len(line)
        if self._taken > self._most:
            self._taken = 0
            self._pass_over(line)
            raise RowTooLongError
        return line

    def next_row(self) -> None:
        """Begin to count anew."""
        self._taken = 0

    def _pass_over(self, line: str) -> None:
        while line and not line.endswith(("\n", "\r")):
            line = self._text.readline(self._most)
