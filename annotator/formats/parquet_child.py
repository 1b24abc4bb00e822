"""The child that reads a Parquet file from its standard input and prints a JSON line for each row.

Run by path and isolated, with pyarrow and the standard library only. The last line is "." when all
was read, or "!" and the reason why the file is refused; a file that asks for more memory or time
than the ceilings ends the process without one.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import math
import resource
import sys
from typing import Any

MEMORY_BYTES = 1 << 30
PROCESSOR_SECONDS = 3600
BATCH_ROWS = 512
BYTES_PER_CHARACTER = 4
FAULT = "\ue000fault"


class RefusedError(Exception):
    """The file as a whole is refused."""


def main() -> None:
    """Read, print, and say how it ended."""
    limits = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # type: ignore[union-attr]
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    try:
        for line in lines_of(limits):
            sys.stdout.write(line)
        sys.stdout.write(".\n")
    except RefusedError as error:
        sys.stdout.write(f"!{error}\n")
    except (pa.ArrowException, OSError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        sys.stdout.write(f"!The Parquet file is damaged: {reason}.\n")
    sys.stdout.flush()


def lines_of(limits: dict[str, int]) -> Any:
    """Yield the JSON line of every row."""
    import pyarrow.parquet as pq

    source = pq.ParquetFile(
        sys.stdin.buffer,
        pre_buffer=False,
        thrift_string_size_limit=16 << 20,
        thrift_container_size_limit=1_000_000,
    )
    check_footer(source.metadata, limits)
    names = source.schema_arrow.names
    namers = namers_of(source.schema_arrow.metadata or {}, names)
    texts = [name for name in names if is_text(source.schema_arrow.field(name).type)]
    if texts:  # dictionaries stay dictionaries: one large text named a million times is kept once
        source = pq.ParquetFile(sys.stdin.buffer, pre_buffer=False, read_dictionary=texts)
    for batch in source.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
        yield from rows_of(batch, namers, limits["field_characters"])


Named = list[tuple[str, Any]]


def namers_of(metadata: dict[bytes, bytes], names: list[str]) -> Named:
    """Give with each column's name what turns the class numbers in it into names, None where it has none.

    Hugging Face's `datasets` keeps the names in the file's metadata, as features of the columns.
    """
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return [(name, namer_of(features.get(name))) for name in names]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [(name, None) for name in names]


def namer_of(feature: Any) -> Any:
    """Give what names the classes in a value of this feature; None where there are none."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"_type": "List", "feature": feature[0]}
    if not isinstance(feature, dict):
        return None
    kind = feature.get("_type")
    if kind == "ClassLabel":
        classes = feature.get("names")
        if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
            return None
        return lambda value: class_name(value, classes)
    if kind in ("Sequence", "List", "LargeList"):
        inner = namer_of(feature.get("feature"))
        return inner and (
            lambda value: [inner(one) for one in value] if isinstance(value, list) else value
        )
    if kind is None:
        parts = {name: found for name, part in feature.items() if (found := namer_of(part))}
        return parts and (lambda value: named_parts(value, parts))
    return None


def class_name(value: Any, classes: list[str]) -> Any:
    """Give the name of a class number; -1 is a missing one."""
    if not isinstance(value, int):
        return value
    if value == -1:
        return None
    if not 0 <= value < len(classes):
        raise ValueError(f"The class {value} is none of the {len(classes):,} that are named.")
    return classes[value]


def named_parts(value: Any, parts: dict[str, Any]) -> Any:
    """Name the classes in the parts of an object."""
    if not isinstance(value, dict):
        return value
    return {name: parts[name](part) if name in parts else part for name, part in value.items()}


def rows_of(batch: Any, names: Named, most: int) -> Any:
    """Yield the lines of a batch; value by value only where something in it is bad."""
    if all(longest(column) <= BYTES_PER_CHARACTER * most for column in batch.columns):
        try:
            columns = [column.to_pylist() for column in batch.columns]
        except UnicodeDecodeError:  # some text in here is none; find out which
            pass
        else:
            for values in zip(*columns, strict=True):
                yield line_of(names, values)
            return
    for number in range(batch.num_rows):
        row = batch.slice(number, 1)
        yield careful_line(names, row.columns, most)


def check_footer(metadata: Any, limits: dict[str, int]) -> None:
    """Refuse by the footer alone what no honest file says of itself."""
    if metadata.num_columns > limits["columns"]:
        raise RefusedError(
            f"The file has {metadata.num_columns:,} columns; at most {limits['columns']:,} are taken."
        )
    unpacked = packed = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            unpacked += column.total_uncompressed_size
            packed += column.total_compressed_size
    if unpacked > limits["unpacked_bytes"]:
        raise RefusedError(f"The file unpacks to {unpacked:,} bytes; that is too much.")
    if unpacked > max(1 << 20, packed * limits["inflation"]):
        raise RefusedError(
            f"The file unpacks to more than {limits['inflation']} times its size; "
            "it is refused as a possible bomb."
        )
    values = metadata.num_rows * max(1, metadata.num_columns)
    if values > 1000 * max(1 << 20, packed):
        raise RefusedError("The file claims more rows than its size can hold.")


def is_text(kind: Any) -> bool:
    """Ask whether a column holds texts or bytes."""
    import pyarrow.types as kinds

    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_binary(kind))


def longest(column: Any) -> int:
    """Give the bytes of the longest text in a column, through its dictionary; 0 when it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    values = column.dictionary if isinstance(column, pa.DictionaryArray) else column
    if not is_text(values.type) or not len(values):
        return 0
    return int(pc.max(pc.binary_length(values)).as_py() or 0)


def careful_line(names: Named, columns: Any, most: int) -> str:
    """Give the line of one row whose values may be too long or no text at all."""
    values = []
    for (name, _), column in zip(names, columns, strict=True):
        if row_length(column) > BYTES_PER_CHARACTER * most:
            return fault(name, f"The field holds more than {most:,} characters.")
        try:
            values.append(column[0].as_py())
        except UnicodeDecodeError:
            return fault(name, "The bytes here are no UTF-8 text.")
    return line_of(names, values)


def row_length(column: Any) -> int:
    """Give the bytes of the single text in a column of one row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.DictionaryArray):
        place = column.indices[0].as_py()
        if place is None or not is_text(column.dictionary.type):
            return 0
        return int(pc.binary_length(column.dictionary.slice(place, 1))[0].as_py() or 0)
    return longest(column)


def line_of(names: Named, values: Any) -> str:
    """Give the JSON line of one row, or of the fault that keeps it from being written."""
    fields = {}
    for (name, namer), value in zip(names, values, strict=True):
        try:
            fields[name] = plain(namer(value) if namer else value)
        except ValueError as error:
            return fault(name, str(error))
    return json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n"


def fault(column: str, message: str) -> str:
    """Give the line that stands for a bad row."""
    return json.dumps({FAULT: [column, message]}) + "\n"


def plain(value: Any) -> Any:
    """Turn a value of any Arrow type into one that JSON has."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return plain_text(value)
    raise ValueError(f"A value of type {type(value).__name__} can't be read.")


def plain_number(value: float) -> float | None:
    """Take NaN for a missing value, as the writers of Parquet do; refuse the infinite."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError("The number is infinite and can't be stored.")
    return value


def plain_text(value: bytes) -> str:
    """Decode bytes that hold text."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("The bytes here are no UTF-8 text.") from error


if __name__ == "__main__":
    main()
