"""JSONL: one JSON object on each line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import orjson

from annotator.formats.json_text import decoded, record_of
from annotator.formats.records import LIMITS, Limits, Problem, Record, RowError, Rows
from annotator.formats.text import BoundedLines, RowTooLongError, text_of
from annotator.formats.writing import Field

_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, kw_only=True)
class JsonLines:
    """One JSON object on each line; the row number is the line number. Source: jsonlines.org."""

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line that isn't blank, and the problems of the bad ones."""
        return rows_of_lines(stream, self.encoding, self.limits, record_of)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write one object a line, keys in the order of the fields; give the number of records."""
        names = [field.name for field in fields]
        return written_lines(({name: one[name] for name in names} for one in records), stream)


def written_lines(values: Iterable[dict[str, Any]], stream: BinaryIO) -> int:
    """Write one object a line; give their number."""
    count = 0
    buffered = io.BufferedWriter(stream, BUFFER_BYTES)
    try:
        for value in values:
            buffered.write(_line(value))
            count += 1
    finally:
        buffered.flush()
        buffered.detach()
    return count


def _line(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer beyond 64 bits in somebody's metadata
        return _JSON.encode(record).encode() + b"\n"


def rows_of_lines(
    stream: BinaryIO,
    encoding: str,
    limits: Limits,
    make: Callable[[int, Any, Limits], Record],
) -> Rows:
    """Decode every line and make a record of it; `make` raises RowError for what it can't take."""
    with text_of(stream, encoding) as text:
        lines = BoundedLines(text, limits)
        row = 0
        while True:
            row += 1
            try:
                line = next(lines)
                lines.next_row()
                if line.strip():
                    yield make(row, decoded(line, limits), limits)
            except StopIteration:
                return
            except RowTooLongError:
                most = limits.row_characters
                yield Problem(row, "", f"The line is longer than {most:,} characters.")
            except RowError as error:
                yield from error.problems(row)
