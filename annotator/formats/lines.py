"""Plain text: each line is an item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from annotator.formats.records import LIMITS, Limits, Problem, Record, Rows, fault_in_text
from annotator.formats.text import BoundedLines, RowTooLongError, text_of

COLUMN = "text"


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A text on each line, without a line of names. Source: what `sort` and `grep` read.

    Row numbers are those of the lines; empty ones are passed over.
    """

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line that isn't blank."""
        with text_of(stream, self.encoding) as text:
            lines = BoundedLines(text, self.limits)
            row = 0
            while True:
                row += 1
                lines.next_row()
                try:
                    line = next(lines)
                except StopIteration:
                    return
                except RowTooLongError:
                    most = self.limits.row_characters
                    yield Problem(row, COLUMN, f"The line is longer than {most:,} characters.")
                    continue
                line = line.rstrip("\r\n")
                if row == 1:
                    line = line.removeprefix("\ufeff")
                if fault := fault_in_text(line, self.limits):
                    yield Problem(row, COLUMN, fault)
                elif line and not line.isspace():
                    yield Record(row, {COLUMN: line})
