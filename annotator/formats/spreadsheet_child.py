"""The child that reads a table of a spreadsheet from its standard input and prints a JSON list for each row.

Run by path and isolated, with python-calamine and the standard library only; how it ends is told in
`child.py`. Arguments: the limits as JSON, and the name of a sheet; "" for the first that is seen and
holds something. With a third argument, a number, it prints of each sheet that is seen and holds something an object with
its name, its first rows up to that many that are not blank, and an object that says whether these are all. Of one that is
too wide, or stands behind enough cells and characters, it prints the name alone.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import resource
import sys
from collections.abc import Iterator
from typing import Any

MEMORY_BYTES = 1 << 30
PROCESSOR_SECONDS = 600
MOST_TOLD = 8_000_000  # cells and characters of a sheet; a sheet behind so many is not told


class RefusedError(Exception):
    """The file as a whole is refused."""


def main() -> None:
    """Read, print, and say how it ended."""
    limits, sheet = json.loads(sys.argv[1]), sys.argv[2]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    from python_calamine import CalamineError

    try:
        rows = beginnings(int(sys.argv[3]), limits) if len(sys.argv) > 3 else rows_of(sheet, limits)
        for row in rows:
            sys.stdout.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
        sys.stdout.write(".\n")
    except RefusedError as error:
        sys.stdout.write(f"!{error}\n")
    except (CalamineError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        sys.stdout.write(f"!The spreadsheet is damaged or locked with a password: {reason}.\n")
    sys.stdout.flush()


def rows_of(sheet: str, limits: dict[str, int]) -> Iterator[list[Any]]:
    """Yield the cells of every row, from the sheet's first row and its first used column on."""
    table = opened(sheet)
    if table.width > limits["columns"]:
        raise RefusedError(
            f"The sheet has {table.width:,} columns; at most {limits['columns']:,} are taken."
        )
    yield from cells_of(table)


def cells_of(table: Any) -> Iterator[list[Any]]:
    """Yield the cells of every row. What stands in a merged cell stands in each row beside it that holds
    something, as its author saw it.
    """
    first = table.start[1] if table.start else 0
    begun: dict[int, list[tuple[int, int]]] = {}
    for (top, left), (bottom, _) in table.merged_cell_ranges or ():
        if bottom > top:
            begun.setdefault(top, []).append((left - first, bottom))
    merged: dict[int, tuple[int, Any]] = {}
    for place, cells in enumerate(table.iter_rows()):
        row = [plain(cell) for cell in cells]
        merged = {at: one for at, one in merged.items() if one[0] >= place}
        if not is_blank(row):
            for at, (_, value) in merged.items():
                row[at] = value
        merged |= {at: (last, row[at]) for at, last in begun.get(place, ()) if 0 <= at < len(row)}
        yield row


def is_blank(row: list[Any]) -> bool:
    return all(cell in ("", None) for cell in row)


def opened(sheet: str) -> Any:
    """The sheet of that name, or the first that is seen and holds something."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(sys.stdin.buffer)
    seen = visible(book)
    if sheet and sheet not in seen:
        raise RefusedError(f"The file has no sheet called “{sheet}”.")
    for name in [sheet] if sheet else seen:
        table = book.get_sheet_by_name(name)
        if sheet or table.start is not None:
            return table
    raise RefusedError("No sheet of the file holds anything.")


def beginnings(most: int, limits: dict[str, int]) -> Iterator[Any]:
    """Yield how each sheet begins that is seen and holds something; blank rows are empty lists."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(sys.stdin.buffer)
    told = 0
    for name in visible(book):
        sys.stdout.flush()  # the next sheet may be the one that ends this process
        table = book.get_sheet_by_name(name)
        if table.start is None:
            continue
        yield {"sheet": name}
        if table.width > limits["columns"] or told > MOST_TOLD:
            continue
        filled = weight = 0
        whole = True
        for row in cells_of(table):
            if filled >= most or weight > MOST_TOLD:
                whole = False
                break
            blank = is_blank(row)
            filled += not blank
            weight += len(row) + sum(len(cell) for cell in row if isinstance(cell, str))
            yield [] if blank else row
        told += weight
        yield {"whole": whole}


def visible(book: Any) -> list[str]:
    """Tables that their author did not hide; charts and macros are none."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    return [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    ]


def plain(value: Any) -> Any:
    """A cell's value as JSON has it: whole numbers without a fraction, times as ISO 8601."""
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    return value


if __name__ == "__main__":
    main()
