"""CSV and TSV: any delimiter, quotes and line ends, found out from the file unless told."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from annotator.formats.dialect import Dialect, dialect_of
from annotator.formats.records import (
    LIMITS,
    FormatError,
    Limits,
    Problem,
    Record,
    RowError,
    Rows,
    fault_in_text,
)
from annotator.formats.text import BoundedLines, RowTooLongError, head_of, text_of
from annotator.formats.writing import OWN, Field, cell
from learning.errors import ParameterError

LONGEST_NAME = 500
# What a spreadsheet would run, and what would be taken for such a text with its apostrophe: each gets one
# more, so that taking one away gives every text back.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(f"'{_FORMULA.pattern}")


@dataclass(frozen=True, kw_only=True)
class Csv:
    """Rows of cells below a line of column names. Source: RFC 4180, read more widely.

    Row numbers are a spreadsheet's: the names are row 1. An empty `delimiter`, `quote` or `encoding`
    is found out from the file; `formula_safe` puts an apostrophe before a written text that a
    spreadsheet would run as a formula. In an export of ours it is taken away again; one that was written
    without tells so by names in quotation marks.
    """

    delimiter: str = ""
    quote: str = ""
    encoding: str = ""
    header: bool = True
    formula_safe: bool = True
    limits: Limits = LIMITS

    def __post_init__(self) -> None:
        """Refuse what can't tell cells apart."""
        marks = {"delimiter": self.delimiter, "quote": self.quote}
        for name, mark in marks.items():
            if len(mark) > 1 or mark in {"\r", "\n", "\0"}:
                raise ParameterError(f"The {name} is one character, and no line end.")
        if self.delimiter and self.delimiter == self.quote:
            raise ParameterError("Delimiter and quotation mark have to differ.")

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every row that isn't blank, and the problems of the bad ones."""
        head = head_of(stream, self.encoding)
        dialect = dialect_of(head, self.delimiter, self.quote)
        exact = bool(dialect.quote) and head.startswith(dialect.quote)
        with text_of(stream, self.encoding) as text:
            rows = self._rows(BoundedLines(text, self.limits), dialect)
            yield from rows if exact else map(unguarded, rows)

    def _rows(self, lines: BoundedLines, dialect: Dialect) -> Rows:
        names: list[str] | None = None
        for row, cells in _parsed(lines, dialect, self.limits):
            if isinstance(cells, Problem):
                if names is None:
                    raise FormatError(f"The line of column names can't be read: {cells.message}")
                yield cells
            elif not cells:
                continue
            elif names is None:
                names, problems = column_names(cells, self.limits, header=self.header)
                yield from problems
                if not self.header:
                    yield from _record(row, cells, names, self.limits)
            else:
                yield from _record(row, cells, names, self.limits)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write the names and every record with CRLF line ends; give the number of records."""
        text = io.TextIOWrapper(
            stream,
            encoding=self.encoding or "utf-8",
            errors="strict",
            newline="",
            write_through=False,
        )
        try:
            quote = self.quote or '"'
            delimiter = self.delimiter or ","
            names = csv.writer(
                text,
                delimiter=delimiter,
                quotechar=quote,
                quoting=csv.QUOTE_MINIMAL if self.formula_safe else csv.QUOTE_ALL,
            )
            names.writerow([self._guarded(field.name) for field in fields])
            rows = csv.writer(text, delimiter=delimiter, quotechar=quote)
            return self._write_rows(rows, records, fields)
        finally:
            text.flush()
            text.detach()

    def _write_rows(
        self, rows: Any, records: Iterable[Mapping[str, Any]], fields: Sequence[Field]
    ) -> int:
        names = [(field.name, field.is_text) for field in fields]
        count = 0
        for record in records:
            rows.writerow(
                [
                    self._guarded(cell(record[name])) if is_text else cell(record[name])
                    for name, is_text in names
                ]
            )
            count += 1
        return count

    def _guarded(self, text: str) -> str:
        return f"'{text}" if self.formula_safe and _FORMULA.match(text) else text


@dataclass(frozen=True, kw_only=True)
class Tsv(Csv):
    """Rows of cells between tabs. Source: the IANA type text/tab-separated-values, with quotes."""

    delimiter: str = "\t"


def unguarded(row: Record | Problem) -> Record | Problem:
    """A row of an export of ours without the apostrophes that were put before its texts; any other as it is."""
    if isinstance(row, Problem) or not all(name in row.fields for name in OWN):
        return row
    found = {
        name: value[1:] if isinstance(value, str) and _GUARDED.match(value) else value
        for name, value in row.fields.items()
    }
    return replace(row, fields=found)


def _parsed(
    lines: BoundedLines, dialect: Dialect, limits: Limits
) -> Iterator[tuple[int, list[str] | Problem]]:
    csv.field_size_limit(limits.row_characters)  # one for the process; rows are held shorter anyway
    rows = dialect.reader(lines)
    row = 0
    while True:
        row += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except RowTooLongError:
            yield row, Problem(row, "", _too_long(limits))
        except csv.Error as error:
            yield row, Problem(row, "", f"{_sentence(error)}.")
        else:
            yield row, cells
        lines.next_row()


def _too_long(limits: Limits) -> str:
    most = limits.row_characters
    return f"The row is longer than {most:,} characters; perhaps a quotation mark is never closed."


def _sentence(error: csv.Error) -> str:
    text = str(error)
    if text == "unexpected end of data":
        return "A quotation mark is opened and never closed"
    if "expected after" in text:
        return "Text stands between a closing quotation mark and the next delimiter"
    return text[:1].upper() + text[1:]


def column_names(
    cells: list[str], limits: Limits, *, header: bool = True, row: int = 1
) -> tuple[list[str], list[Problem]]:
    """Give every column a name of its own; a name that comes twice is a problem of this row."""
    if len(cells) > limits.columns:
        raise FormatError(
            f"The file has {len(cells):,} columns; at most {limits.columns:,} are taken. "
            "Is the delimiter right?"
        )
    names: list[str] = []
    problems: list[Problem] = []
    given = [cell.strip() if header else "" for cell in cells]
    for position, name in enumerate(given, start=1):
        if fault := fault_in_text(name, limits):
            raise FormatError(f"The name of column {position} can't be read: {fault}")
        if len(name) > LONGEST_NAME:
            raise FormatError(
                f"The name of column {position} has {len(name):,} characters; at most "
                f"{LONGEST_NAME} are taken. Does the file begin with a line of names?"
            )
        spare = free_name(position, [*names, *given])
        if name in names:
            told = f"The column name “{name}” comes twice; column {position} is read as “{spare}”."
            problems.append(Problem(row, name, told))
        names.append(spare if not name or name in names else name)
    return names, problems


def free_name(position: int, taken: list[str]) -> str:
    """What a column without a name of its own is called."""
    name = f"column {position}"
    while name in taken:
        name += "*"
    return name


def _record(
    row: int, cells: list[str], names: list[str], limits: Limits
) -> Iterator[Record | Problem]:
    if len(cells) != len(names):
        extra = cells[len(names) :]
        if len(cells) < len(names) or any(extra):
            column = names[len(cells)] if len(cells) < len(names) else ""
            found = f"{len(cells):,} cell{'s' * (len(cells) != 1)}"
            told = f"The row has {found} where {len(names):,} are expected."
            yield Problem(row, column, told)
            return
        cells = cells[: len(names)]
    joined = "".join(cells)
    if not joined.isascii() or "\0" in joined or len(joined) > limits.field_characters:
        pairs = zip(names, cells, strict=True)
        faults = [(name, fault) for name, text in pairs if (fault := fault_in_text(text, limits))]
        if faults:
            yield from RowError(faults).problems(row)
            return
    yield Record(row, dict(zip(names, cells, strict=True)))
