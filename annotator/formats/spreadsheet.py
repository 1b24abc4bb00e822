"""Excel and OpenDocument tables, read by a child process with a ceiling on memory and time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from annotator.formats.child import lines_of
from annotator.formats.delimited import column_names, unguarded
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Limits, RowError, Rows

_CHILD = Path(__file__).with_name("spreadsheet_child.py")
_KIND = "spreadsheet"


@dataclass(frozen=True, kw_only=True)
class Spreadsheet:
    """Rows of one sheet below a row of column names: .xlsx, .xlsb, .xls and .ods. Source: ECMA-376,
    MS-XLS, OpenDocument 1.3, as python-calamine reads them.

    Row numbers are the sheet's. An empty `sheet` is the first that is not hidden and holds something.
    Formulas are read as what they last came to, whole numbers without a fraction, times as ISO 8601. An
    export of ours that was kept as a table loses the apostrophes that our CSV puts before such texts.
    """

    sheet: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every row that isn't blank, and the problems of the bad ones."""
        names: list[str] | None = None
        lines = lines_of(_CHILD, _KIND, stream, self.limits, self.sheet)
        for row, line in enumerate(lines, start=1):
            cells: list[Any] = json.loads(line)
            if all(cell in ("", None) for cell in cells):
                continue
            if names is None:
                titles = ["" if cell is None else str(cell) for cell in cells]
                names, problems = column_names(titles, self.limits, row=row)
                yield from problems
                continue
            try:
                yield unguarded(record_of(row, dict(zip(names, cells, strict=True)), self.limits))
            except RowError as error:
                yield from error.problems(row)


def sheets(stream: BinaryIO, limits: Limits = LIMITS) -> list[str]:
    """Give the names of the sheets that are not hidden and hold something."""
    (line,) = lines_of(_CHILD, _KIND, stream, limits, "", "names")
    found: list[str] = json.loads(line)
    return found
