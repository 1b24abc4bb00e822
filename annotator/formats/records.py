"""What every reader gives: records and problems, one at a time, within fixed limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

MEGABYTE = 1 << 20
# Between the steps of a label's path, and between a question of a form and an answer to it.
LABEL_PATH = " > "


class FormatError(ValueError):
    """The file as a whole is refused; the message is a sentence for the person who chose it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one file may ask of us. A row beyond a limit is a problem, a file beyond one is refused."""

    row_characters: int = MEGABYTE
    field_characters: int = 256 * 1024
    columns: int = 1_000
    nesting: int = 32
    inflation: int = 200
    """Most bytes that one stored byte may unpack to."""
    unpacked_bytes: int = 16 * 1024 * MEGABYTE
    members: int = 200_000
    image_bytes: int = 32 * MEGABYTE
    image_pixels: int = 50_000_000


LIMITS = Limits()


class Given(NamedTuple):
    """One voice's answer that stands in the file itself."""

    labels: tuple[str, ...]
    voice: str = ""
    kind: Literal["answer", "prediction"] = "answer"
    score: float | None = None
    # Marked places, (start, end, label) in code points; None where labels are the answer. `labels`
    # names those that occur.
    spans: tuple[tuple[int, int, str], ...] | None = None
    # The whole answer as a text; None where labels or places are the answer.
    words: str | None = None
    # Boxes in a picture, (x, y, w, h, label) as shares of its sides; None where they are no answer.
    boxes: tuple[tuple[float, float, float, float, str], ...] | None = None
    # What answers questions of a form in writing, (what the question is called, text).
    texts: tuple[tuple[str, str], ...] = ()

    @property
    def is_marked(self) -> bool:
        """Whether it marks places, or says that there are none."""
        return self.spans is not None or self.boxes is not None


@dataclass(slots=True)
class Record:
    """One row of the file. `given` is filled by formats whose labels have a fixed place."""

    row: int
    fields: dict[str, Any]
    given: tuple[Given, ...] = ()
    image: bytes | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row could not be read: where (row as a spreadsheet counts, column by name) and what."""

    row: int
    column: str
    message: str


Rows = Iterator[Record | Problem]


class Reader(Protocol):
    """Bytes in, records and problems out; nothing is held but the present row."""

    def read(self, stream: BinaryIO) -> Rows:
        """Yield the rows of a seekable binary stream, from its present position."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Stands in a decoded value where something was that can't be stored, so that reading goes on."""

    message: str
    column: str = ""


@dataclass(slots=True)
class RowError(Exception):
    """Inside a reader: this row is bad, for these reasons."""

    faults: list[tuple[str, str]] = field(default_factory=list)

    def problems(self, row: int) -> Iterator[Problem]:
        """Name the row that the faults belong to."""
        for column, message in self.faults:
            yield Problem(row, column, message)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_BYTE_FIRST, _ESCAPED_BYTE_LAST = 0xDC00, 0xDCFF


def fault_in_text(text: str, limits: Limits = LIMITS) -> str:
    """Say what is wrong with one text, or nothing ('') when it can be stored as it is.

    Readers decode a byte that is no character to the half surrogate U+DC00 + byte.
    """
    if len(text) > limits.field_characters:
        most = limits.field_characters
        return f"The field holds {len(text):,} characters; at most {most:,} are taken."
    if text.isascii() and "\0" not in text:
        return ""
    found = _UNSTORABLE.search(text)
    if found is None:
        return ""
    code = ord(found.group())
    place = f"at character {found.start() + 1:,}"
    if code == 0:
        return f"A NUL character stands {place}; it cannot be stored."
    if _ESCAPED_BYTE_FIRST <= code <= _ESCAPED_BYTE_LAST:
        byte = code - 0xDC00
        return f"The byte 0x{byte:02X} {place} is no character in this file's encoding."
    return f"Half of a surrogate pair (U+{code:04X}) stands {place}; it is no character."


def weight(value: Any) -> int:
    """Give roughly how many characters a value of any JSON type holds."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + weight(part) for name, part in value.items())
    if isinstance(value, list):
        return len(value) + sum(weight(part) for part in value)
    return 1


def fault_in_value(value: Any, limits: Limits = LIMITS) -> str:
    """Say what is wrong with a value of any JSON type, looking into lists and objects."""
    if isinstance(value, str):
        return fault_in_text(value, limits)
    if isinstance(value, Fault):
        return value.message
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list):
        parts = value
    else:
        return ""
    return next((fault for part in parts if (fault := fault_in_value(part, limits))), "")
