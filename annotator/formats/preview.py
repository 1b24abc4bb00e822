"""A look into a file before anything is imported: format, columns, a guessed mapping, labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from annotator.formats import FORMATS, OF_IMAGES, ON_IMAGES, Given
from annotator.formats.guessing import Column, columns_of, guess
from annotator.formats.mapping import Mapping, mapped
from annotator.formats.marks import IMAGE, SIZE
from annotator.formats.records import FormatError, Problem, Record, RowError, weight
from annotator.formats.sniffing import format_of
from annotator.formats.text import better_encoding

SAMPLE_ROWS = 2_000
SAMPLE_IMAGES = 12
SAMPLE_CHARACTERS = 8_000_000
SHOWN_PROBLEMS = 20
# Of a file that names pictures: which one, and what size it has.
ON_ITEMS = Mapping(id=IMAGE, metadata=SIZE)


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What the importer sees before choosing."""

    format: str
    columns: list[Column]
    rows: list[Record]
    mapping: Mapping
    labels: list[tuple[str, int]]
    """The labels that the mapping finds in the sample, most frequent first."""
    problems: list[Problem]
    sampled: int
    complete: bool
    """True when the sample is the whole file, so that counts are of all of it."""
    notes: list[str] = field(default_factory=list)


def preview(
    stream: BinaryIO,
    name: str = "",
    *,
    n: int = 20,
    format: str = "",
    options: AnyMapping[str, Any] | None = None,
    mapping: Mapping | None = None,
) -> Preview:
    """Read the beginning of a seekable stream and say what is in it.

    `format`, `options` (of the reader) and `mapping` override what is found out. Raises FormatError
    with a sentence when the file as a whole is refused.
    """
    found = format or format_of(stream, name)
    stream.seek(0)
    reader = FORMATS.create(found, options)
    sample = SAMPLE_IMAGES if found in OF_IMAGES else max(n, SAMPLE_ROWS)
    records, problems, complete = _sampled(reader.read(stream), sample)
    stream.seek(0)
    columns = columns_of(records)
    if not records and not problems:
        raise FormatError("The file has no rows.")
    chosen = mapping or (ON_ITEMS if found == ON_IMAGES else guess(columns, records))
    return Preview(
        format=found,
        columns=columns,
        rows=records[:n],
        mapping=chosen,
        labels=labels_in(records, chosen),
        problems=problems[:SHOWN_PROBLEMS],
        sampled=len(records) + len({problem.row for problem in problems}),
        complete=complete,
        notes=_notes(stream, found, options or {}),
    )


def _sampled(rows: Any, most: int) -> tuple[list[Record], list[Problem], bool]:
    records: list[Record] = []
    problems: list[Problem] = []
    characters = 0
    try:
        for row in rows:
            if isinstance(row, Problem):
                problems.append(row)
            else:
                records.append(row)
                characters += sum(map(weight, row.fields.values()))
            if len(records) + len(problems) >= most or characters > SAMPLE_CHARACTERS:
                return records, problems, False
    finally:
        rows.close()
    return records, problems, True


def given_in(record: Record, mapping: Mapping) -> tuple[Given, ...]:
    """The answers that a mapping finds in a record; none where it is a bad row."""
    try:
        return mapped(record, mapping).given
    except RowError:
        return ()


def labels_in(records: list[Record], mapping: Mapping) -> list[tuple[str, int]]:
    """Count the labels that a mapping finds, most frequent first, then by name."""
    counts: Counter[str] = Counter()
    for record in records:
        for given in given_in(record, mapping):
            counts.update(given.labels)
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _notes(stream: BinaryIO, format: str, options: AnyMapping[str, Any]) -> list[str]:
    """Say what the importer may want to set otherwise."""
    if format in ("parquet", *OF_IMAGES) or options.get("encoding"):
        return []
    head = stream.read(64 * 1024)
    stream.seek(0)
    if head.startswith(b"\x1f\x8b"):
        return []
    other = better_encoding(head)
    if not other:
        return []
    return [f"The file is not valid UTF-8. If letters look wrong, read it as {other}."]
