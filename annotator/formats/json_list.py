"""JSON: one list of objects, read element by element."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from annotator.formats.json_text import (
    DECODER,
    fault_of,
    nesting_of,
    record_of,
    too_deep,
)
from annotator.formats.records import (
    LIMITS,
    FormatError,
    Limits,
    Problem,
    Record,
    RowError,
    Rows,
)
from annotator.formats.text import text_of

BLOCK = 64 * 1024
_CUT_SHORT = 16
"""An error this near to the end of what has been read may come from the cut ('-Infinit' is 8)."""
_SPACE = " \t\n\r"


@dataclass(frozen=True, kw_only=True)
class JsonList:
    """One JSON list of objects; the row number is the place in the list. Source: RFC 8259.

    A broken element ends the reading, because nothing tells where the next one begins.
    """

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every element, and the problems of the bad ones."""
        return rows_of_list(stream, self.encoding, self.limits, record_of)


def rows_of_list(
    stream: BinaryIO,
    encoding: str,
    limits: Limits,
    make: Callable[[int, Any, Limits], Record],
) -> Rows:
    """Decode every element and make a record of it; `make` raises RowError for what it can't take."""
    with text_of(stream, encoding) as text:
        elements = _Elements(text, limits)
        row = 0
        while True:
            row += 1
            try:
                value = elements.next()
                yield make(row, value, limits)
            except StopIteration:
                return
            except RowError as error:
                yield from error.problems(row)
            except _BrokenError as error:
                told = f"{error} Nothing after this element can be read."
                yield Problem(row, error.column, told)
                return


class _BrokenError(Exception):
    """The list can't be read on."""

    def __init__(self, message: str, column: str = "") -> None:
        super().__init__(message)
        self.column = column


class _Elements:
    """The elements of a JSON list, of which only the present one is held."""

    def __init__(self, text: io.TextIOWrapper, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._buffer = ""
        self._at = 0
        self._ended = False
        self._first = True

    def next(self) -> Any:
        """Decode the next element; raise StopIteration at the end of the list."""
        if self._first:
            if self._peek() != "[":
                raise FormatError("A list of objects was expected: the file has to begin with '['.")
            self._at += 1
        mark = self._peek()
        if mark == "]":
            self._at += 1
            if self._peek():
                raise _BrokenError("Text follows after the end of the list.")
            raise StopIteration
        if not self._first:
            if mark != ",":
                raise _BrokenError(self._missing(mark))
            self._at += 1
            self._peek()
        self._first = False
        return self._decode()

    def _missing(self, mark: str) -> str:
        if not mark:
            return "The file ends inside the list."
        return f"A comma or ']' was expected and {mark!r} stands here."

    def _peek(self) -> str:
        """Go to the next character that isn't white space; give it, or '' at the end of the file."""
        while True:
            while self._at < len(self._buffer):
                if self._buffer[self._at] not in _SPACE:
                    return self._buffer[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read another block; what has been used is let go."""
        if self._ended:
            return False
        block = self._text.read(BLOCK)
        self._ended = not block
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        return not self._ended

    def _decode(self) -> Any:
        while True:
            try:
                value, end = DECODER.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._within_limit() and self._more():
                    continue
                raise _BrokenError(self._told(error)) from error
            except (ValueError, RecursionError) as error:
                column, message = fault_of(error, self._limits)
                raise _BrokenError(message, column) from error
            if end == len(self._buffer) and self._more():
                continue  # a number may go on in the next block
            element, self._at = self._buffer[self._at : end], end
            if len(element) > self._limits.row_characters:
                raise RowError([("", self._too_long())])
            if nesting_of(element, self._limits.nesting) > self._limits.nesting:
                raise RowError([("", too_deep(self._limits))])
            return value

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        unterminated = error.msg.startswith("Unterminated string")
        return unterminated or error.pos >= len(self._buffer) - _CUT_SHORT

    def _within_limit(self) -> bool:
        return len(self._buffer) - self._at <= self._limits.row_characters + BLOCK

    def _told(self, error: json.JSONDecodeError) -> str:
        if not self._within_limit():
            return self._too_long()
        if self._ended:
            return "The file ends inside this element."
        return f"This is not valid JSON: {error.msg} at character {error.pos - self._at + 1:,}."

    def _too_long(self) -> str:
        return f"The element is longer than {self._limits.row_characters:,} characters."
