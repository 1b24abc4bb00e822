"""Excel and OpenDocument tables, read by a child process with a ceiling on memory and time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from annotator.formats.child import lines_of
from annotator.formats.delimited import column_names, unguarded
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, FormatError, Limits, RowError, Rows

_CHILD = Path(__file__).with_name("spreadsheet_child.py")
_KIND = "spreadsheet"


@dataclass(frozen=True, kw_only=True)
class Spreadsheet:
    """Rows of one sheet below a row of column names: .xlsx, .xlsb, .xls and .ods. Source: ECMA-376,
    MS-XLS, OpenDocument 1.3, as python-calamine reads them.

    Row numbers are the sheet's. What stands in a cell that is merged over several rows stands in each of
    them, of .xlsx and .xls: python-calamine tells no merged cells of the others. An empty `sheet` is the first that is not hidden and holds something.
    Formulas are read as what they last came to, whole numbers without a fraction, times as ISO 8601. An
    export of ours that was kept as a table loses the apostrophes that our CSV puts before such texts.
    """

    sheet: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every row that isn't blank, and the problems of the bad ones."""
        lines = lines_of(_CHILD, _KIND, stream, self.limits, self.sheet)
        return self.records(json.loads(line) for line in lines)

    def records(self, rows: Iterable[list[Any]]) -> Rows:
        """Yield what `read` does, of the sheet's rows of cells; a blank one may be empty."""
        names: list[str] | None = None
        for row, cells in enumerate(rows, start=1):
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


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """The first rows of cells of a sheet; whole where these are all."""

    rows: list[list[Any]]
    whole: bool


def beginnings(stream: BinaryIO, most: int, limits: Limits = LIMITS) -> dict[str, Beginning | None]:
    """How each sheet begins that is not hidden and holds something, up to `most` rows that are not blank.

    None for one that is too wide or too large, or stands behind enough cells and characters to keep; those
    behind one that is too large are not told. Raises FormatError where no sheet can be read.
    """
    found: dict[str, Beginning | None] = {}
    name, rows = "", []
    try:
        for line in lines_of(_CHILD, _KIND, stream, limits, "", str(most)):
            told: Any = json.loads(line)
            if isinstance(told, list):
                rows.append(told)
            elif "sheet" in told:
                name, rows = told["sheet"], []
                found[name] = None
            else:
                found[name] = Beginning(rows=rows, whole=told["whole"])
    except FormatError:
        if not any(found.values()):
            raise
    return found
