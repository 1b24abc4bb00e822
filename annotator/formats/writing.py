"""What writers share: typed fields, and one way to put any value into a cell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, Protocol

_COMPACT = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
# Columns that no file has by chance but an export of ours.
OWN = ("content_hash", "state", "voices")
# The column of answers that are written texts.
ANSWER = "answer"
Kind = Literal["text", "integer", "number", "flag", "texts", "numbers", "json"]


@dataclass(frozen=True)
class Field:
    """A column that is written: its name and the type that all of its values have (or are None)."""

    name: str
    kind: Kind = "text"

    @property
    def is_text(self) -> bool:
        """Say whether the values can begin with any character, as only texts can."""
        return self.kind == "text"


class Writer(Protocol):
    """Records in, bytes out; the same records and fields give the same bytes."""

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write every record with every field and give the number of records."""


def labels_in(record: Mapping[str, Any]) -> list[str] | None:
    """The names of an exported row's labels, None where it has no verdict."""
    if ANSWER in record:
        return None
    if "labels" in record:
        found: list[str] | None = record["labels"]
        return found
    return None if record.get("label") is None else [record["label"]]


def compact(value: Any) -> str:
    """Give the one JSON text of a value: keys sorted, no spaces, characters as they are."""
    return _COMPACT.encode(value)


def write_list(values: Iterable[Any], stream: BinaryIO) -> int:
    """Write one JSON list, an element a line, and give their number."""
    count = 0
    stream.write(b"[")
    for value in values:
        stream.write(b",\n" if count else b"\n")
        stream.write(compact(value).encode())
        count += 1
    stream.write(b"\n]\n")
    return count


def cell(value: Any) -> str:
    """Give the text that stands for a value in a cell: nothing for None, JSON for all but text."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if type(value) is int:
        return str(value)
    return compact(value)
