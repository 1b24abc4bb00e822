"""Parquet, read by a child process with a ceiling on memory and time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from annotator.formats.child import lines_of
from annotator.formats.json_text import record_of
from annotator.formats.records import (
    LIMITS,
    Limits,
    Problem,
    RowError,
    Rows,
)
from annotator.formats.tokens import looks_so, sentence_of
from annotator.formats.writing import Field, compact

GROUP_ROWS = 20_000
_CHILD = Path(__file__).with_name("parquet_child.py")


@dataclass(frozen=True, kw_only=True)
class Parquet:
    """Columns in row groups; the row number counts from 1. Source: parquet.apache.org.

    A hostile file can make the library take memory without end or fall over, so a child process
    reads it and hands the rows over as lines of JSON. Times become ISO 8601 texts, decimals texts, and
    class numbers of Hugging Face's data sets their names. Rows of tokens and tags are read as `tokens` are.
    """

    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every row, and the problems of the bad ones."""
        lines = lines_of(_CHILD, "Parquet file", stream, self.limits)
        for row, line in enumerate(lines, start=1):
            yield from _record(row, line, self.limits)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write groups of 20,000 rows, compressed with zstd; give the number of records."""
        import pyarrow as pa

        schema = pa.schema([(field.name, arrow_type(field.kind)) for field in fields])
        values = {field.name: value_of(field.kind) for field in fields}
        return write_groups(records, schema, values, stream)


Value = Callable[[Any], Any]


def write_groups(
    records: Iterable[Mapping[str, Any]],
    schema: Any,
    values: Mapping[str, Value],
    stream: BinaryIO,
    metadata: Mapping[str, str] | None = None,
) -> int:
    """Write the schema's columns, each value as `values` of its column gives it; give the number of records."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = 0
    with pq.ParquetWriter(stream, schema, compression="zstd", store_schema=False) as writer:
        for group in _groups(records, GROUP_ROWS):
            columns = [
                pa.array(
                    [values[column.name](record[column.name]) for record in group], column.type
                )
                for column in schema
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema), GROUP_ROWS)
            count += len(group)
        if metadata:
            writer.add_key_value_metadata(dict(metadata))
    return count


def _record(row: int, line: str, limits: Limits) -> Rows:
    try:
        content = json.loads(line)
        if "\ue000fault" in content:
            column, message = content["\ue000fault"]
            yield Problem(row, column, message)
            return
        record = record_of(row, content, limits)
        yield sentence_of(record) if looks_so(record.fields) else record
    except RowError as error:
        yield from error.problems(row)


def _groups(records: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    group: list[Mapping[str, Any]] = []
    for record in records:
        group.append(record)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def arrow_type(kind: str) -> Any:
    """The Arrow type of a column's values."""
    import pyarrow as pa

    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "texts": pa.list_(pa.string()),
        "numbers": pa.list_(pa.float64()),
        "json": pa.string(),
    }[kind]


def value_of(kind: str) -> Value:
    """How a value of a column of this kind is stored: JSON as its text, others as they are."""
    return _json_text if kind == "json" else lambda value: value


def _json_text(value: Any) -> Any:
    return None if value is None else compact(value)
