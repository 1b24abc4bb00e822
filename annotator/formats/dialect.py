"""Which delimiter and quotation mark a table is written with, from its first lines."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

DELIMITERS = (",", "\t", ";", "|")
QUOTES = ('"', "", "'")
LONGEST_NAME = 30
NO_DELIMITER = "\x1f"
"""The unit separator: stands for 'one column' where lines hold no delimiter of their own."""


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart; an empty quote means that quotation marks are ordinary text."""

    delimiter: str
    quote: str
    escape: str = ""

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Parse lines, raising csv.Error on malformed quotes instead of guessing."""
        options: dict[str, Any] = {"delimiter": self.delimiter, "strict": True}
        if not self.quote:
            options["quoting"] = csv.QUOTE_NONE
        else:
            options["quotechar"] = self.quote
            options["escapechar"] = self.escape or None
            options["doublequote"] = not self.escape
        return csv.reader(lines, **options)


def dialect_of(head: str, delimiter: str = "", quote: str = "") -> Dialect:
    """Choose the dialect under which the head's rows are as wide as its line of names.

    Of two that fit equally well the earlier in DELIMITERS and QUOTES wins; where none gives two
    columns, each line is one cell.
    """
    delimiters = (delimiter,) if delimiter else DELIMITERS
    quotes = (quote,) if quote else QUOTES
    candidates = [Dialect(one, mark) for mark in quotes for one in delimiters]
    fits = {dialect: _fit(head, dialect) for dialect in candidates}
    best = max(candidates, key=lambda dialect: fits[dialect])
    if fits[best] > 0:
        return _escaped(head, best)
    if delimiter:
        return Dialect(delimiter, quote or '"')
    return (
        Dialect(",", quote or '"') if _one_column(head, quote or '"') else Dialect(NO_DELIMITER, "")
    )


def is_table(head: str, dialect: Dialect) -> bool:
    """Ask whether all rows have the first one's two cells or more, and this could be a line of names."""
    rows = [cells for cells in _sample(head, dialect) if cells]
    names = [cell.strip() for cell in rows[0]] if rows else []
    short = all(0 < len(name) <= LONGEST_NAME for name in names)
    return len(set(names)) == len(names) > 1 and short and {len(names)} == {*map(len, rows)}


def _fit(head: str, dialect: Dialect) -> float:
    """Give the share of rows that are as wide as the first; 0 when that has one cell only."""
    widths = [len(cells) for cells in _sample(head, dialect) if cells]
    if not widths or widths[0] < 2:
        return 0.0
    if dialect.quote == "'" and not _quotes_cells(head, dialect):
        return 0.0
    whole = Counter(widths)[widths[0]] / len(widths)
    return round(whole, 3) - (0.1 if dialect.quote == "" else 0.0)


def _sample(head: str, dialect: Dialect) -> Iterator[list[str]]:
    """Parse the head; a malformed row counts as one of no width that fits, the last is left out."""
    rows = dialect.reader(io.StringIO(head, newline=""))
    waiting: list[str] | None = None
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            break
        except csv.Error:
            cells = ["malformed"]
        if waiting is not None:
            yield waiting
        waiting = cells
    if waiting is not None and head.endswith(("\n", "\r")):
        yield waiting


def _quotes_cells(head: str, dialect: Dialect) -> bool:
    """Ask whether the mark stands at both ends of some cells, and the usual mark of none."""
    mark, delimiter = dialect.quote, dialect.delimiter
    opened = head.count(f"{delimiter}{mark}") + head.count(f"\n{mark}")
    closed = head.count(f"{mark}{delimiter}") + head.count(f"{mark}\n") + head.count(f"{mark}\r")
    usual = head.count(f'{delimiter}"') + head.count('\n"')
    return min(opened, closed) > usual


def _one_column(head: str, quote: str) -> bool:
    """Ask whether the lines are quoted cells of a table with a single column."""
    widths = [len(cells) for cells in _sample(head, Dialect(",", quote)) if cells]
    return all(width == 1 for width in widths)


def _escaped(head: str, dialect: Dialect) -> Dialect:
    """Turn to backslashes before quotation marks when the head has them and no doubled marks."""
    mark = dialect.quote
    if not mark or f"\\{mark}" not in head:
        return dialect
    backslashed = Dialect(dialect.delimiter, mark, "\\")
    return backslashed if _fit(head, backslashed) > _fit(head, dialect) else dialect
