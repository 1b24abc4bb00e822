"""A look into a file before anything is imported: format, columns, a guessed mapping, labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from annotator.formats import FORMATS, OF_IMAGES, ON_IMAGES, Given
from annotator.formats.guessing import Column, columns_of, guess, is_own
from annotator.formats.mapping import LONGEST_LABEL, Mapping, mapped
from annotator.formats.marks import IMAGE, SIZE
from annotator.formats.own_forms import AskedQuestion, questions_in
from annotator.formats.records import (
    LABEL_PATH,
    FormatError,
    Problem,
    Reader,
    Record,
    RowError,
    weight,
)
from annotator.formats.sniffing import format_of
from annotator.formats.spreadsheet import Beginning, Spreadsheet
from annotator.formats.text import better_encoding
from annotator.formats.written import plain_name

SAMPLE_ROWS = 2_000
SAMPLE_IMAGES = 12
SAMPLE_CHARACTERS = 8_000_000
SHOWN_PROBLEMS = 20
# A column of so many different texts of so many letters on average holds no names of labels.
ENOUGH_TEXTS, WRITTEN_AT_LEAST = 10, 40
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
    reader: dict[str, Any] = field(default_factory=dict)
    """The reader's parameters that these rows were read with, an encoding found out among them."""
    asked: list[AskedQuestion] = field(default_factory=list)
    """The questions that an export of ours answers, where a form may be made of it."""


def preview(
    stream: BinaryIO,
    name: str = "",
    *,
    n: int = 20,
    format: str = "",
    options: AnyMapping[str, Any] | None = None,
    mapping: Mapping | None = None,
    asked: Collection[str] = (),
    written: Collection[str] = (),
    makes_form: bool = False,
    beginning: Beginning | None = None,
) -> Preview:
    """Read the beginning of a seekable stream and say what is in it.

    asked: what the questions of a form may be called, as `plain_name` has it; columns that are called so are
    guessed to answer them. written: those that take a text, see `mapped`. makes_form: there are none yet,
    and an export of ours may bring them. beginning: of the sheet to read, where that is known.
    `format`, `options` (of the reader) and `mapping` override what is found out. Raises FormatError
    with a sentence when the file as a whole is refused.
    """
    found = format or format_of(stream, name)
    stream.seek(0)
    given = dict(options or {})
    notes = []
    if other := _better_encoding(stream, found, given):
        given["encoding"] = other
        notes.append(
            f"The file is not UTF-8; it is read as {other}. If letters look wrong, name its encoding "
            "under “More choices”."
        )
    reader = FORMATS.create(found, given)
    sample = SAMPLE_IMAGES if found in OF_IMAGES else max(n, SAMPLE_ROWS)
    records, problems, complete = _seen(reader, stream, beginning, sample)
    stream.seek(0)
    columns = columns_of(records)
    if not records and not problems:
        raise FormatError("The file has no rows.")
    chosen = mapping or (
        ON_ITEMS if found == ON_IMAGES else guess(columns, records, makes_form=makes_form)
    )
    brought = _brought(columns, records) if makes_form else []
    notes += _titled(columns)
    if mapping is None and found != ON_IMAGES:
        chosen = _answering(chosen, columns, asked, written)
        notes += _left_out(columns, chosen)
    return Preview(
        format=found,
        columns=columns,
        rows=records[:n],
        mapping=chosen,
        labels=_labels(records, chosen, brought, _written(chosen, records[:n], written, brought)),
        problems=problems[:SHOWN_PROBLEMS],
        sampled=len(records) + len({problem.row for problem in problems}),
        complete=complete,
        notes=notes,
        reader=given,
        asked=brought,
    )


def _seen(
    reader: Reader, stream: BinaryIO, beginning: Beginning | None, most: int
) -> tuple[list[Record], list[Problem], bool]:
    """The sample, and whether it is the whole file; of a sheet that is known without reading it."""
    if beginning is None or not isinstance(reader, Spreadsheet):
        return _sampled(reader.read(stream), most)
    records, problems, complete = _sampled(reader.records(beginning.rows), most)
    return records, problems, complete and beginning.whole


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


def given_in(record: Record, mapping: Mapping, written: Collection[str] = ()) -> tuple[Given, ...]:
    """The answers that a mapping finds in a record; none where it is a bad row."""
    try:
        return mapped(record, mapping, written=written).given
    except RowError:
        return ()


def looks_written(records: Sequence[Record], column: str) -> bool:
    """Whether a column's cells are texts and no names of labels: long ones, of several lines, or ten and
    more of some length, all different.
    """
    cells = [record.fields.get(column) for record in records]
    texts = [cell for cell in cells if isinstance(cell, str) and cell.strip()]
    if any(len(text) > LONGEST_LABEL or "\n" in text.strip() for text in texts):
        return not any(text.startswith("[") for text in texts)
    long = sum(map(len, texts)) >= WRITTEN_AT_LEAST * len(texts)
    return len(texts) >= ENOUGH_TEXTS and long and len(set(texts)) == len(texts)


def _answering(
    mapping: Mapping, columns: Sequence[Column], asked: Collection[str], written: Collection[str]
) -> Mapping:
    """A guess with the columns that are called as questions of a form are, in the place of labels; beside
    them where all of these take texts.
    """
    items = {mapping.text, mapping.text_b, mapping.id, mapping.image, *mapping.candidates}
    found = [each.name for each in columns if plain_name(each.name) in asked]
    answers = tuple(name for name in found if name not in items)
    if not answers:
        return mapping
    metadata = tuple(name for name in mapping.metadata if name not in answers)
    voices = tuple(name for name in mapping.voices if name not in answers)
    others = {*asked} - {*written}
    beside = others and mapping.label not in answers and {*map(plain_name, answers)} <= {*written}
    label = mapping.label if beside else ""
    return replace(mapping, label=label, answers=answers, metadata=metadata, voices=voices)


def _brought(columns: Sequence[Column], records: Sequence[Record]) -> list[AskedQuestion]:
    """The questions that an export of ours answers."""
    return questions_in([one.name for one in columns], records) if is_own(columns) else []


def _written(
    mapping: Mapping,
    records: Sequence[Record],
    known: Collection[str],
    brought: Sequence[AskedQuestion],
) -> frozenset[str]:
    """The questions that take a text, those that the columns of answers make included."""
    kinds = {one.column: one.kind for one in brought}
    found = [
        plain_name(one)
        for one in mapping.answers
        if (kinds[one] == "text" if one in kinds else looks_written(records, one))
    ]
    return frozenset([*known, *found])


def _labels(
    records: list[Record],
    mapping: Mapping,
    brought: Sequence[AskedQuestion],
    written: Collection[str],
) -> list[tuple[str, int]]:
    """The labels of the sample as `labels_in` has them, called after the questions and not their columns."""
    names = {one.column: one.name for one in brought}
    found = [(*name.partition(LABEL_PATH), n) for name, n in labels_in(records, mapping, written)]
    return [(f"{names.get(asked, asked)}{mark}{part}", n) for asked, mark, part, n in found]


def labels_in(
    records: list[Record], mapping: Mapping, written: Collection[str] = ()
) -> list[tuple[str, int]]:
    """Count the labels that a mapping finds, most frequent first, then by name."""
    counts: Counter[str] = Counter()
    for record in records:
        for given in given_in(record, mapping, written):
            counts.update(given.labels)
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _better_encoding(stream: BinaryIO, format: str, options: AnyMapping[str, Any]) -> str:
    """Name the encoding to read with where the beginning is not the UTF-8 that it would be read as."""
    if not hasattr(FORMATS[format], "encoding") or options.get("encoding"):
        return ""
    head = stream.read(SAMPLE_CHARACTERS)
    stream.seek(0)
    return "" if head.startswith(b"\x1f\x8b") else better_encoding(head)


def _titled(columns: Sequence[Column]) -> list[str]:
    """Say that a table's title may stand where the names of its columns are looked for."""
    named = [each.name for place, each in enumerate(columns, 1) if each.name != f"column {place}"]
    if len(columns) < 2 or named != [columns[0].name]:
        return []
    return [
        f"Only the first column has a name, “{named[0][:60]}”. If that is a title, take the rows above the names "
        "of the columns out of the file and upload it again."
    ]


def _left_out(columns: list[Column], chosen: Mapping) -> list[str]:
    """Say which columns a guess leaves out."""
    parts = (chosen.text, chosen.text_b, chosen.label, chosen.id, chosen.image)
    used = {*parts, *chosen.metadata, *chosen.candidates, *chosen.answers, *chosen.voices}
    left = [column.name for column in columns if column.name not in used]
    if not left or is_own(columns):
        return []
    named = ", ".join(f"“{name[:40]}”" for name in left[:5]) + (" …" if len(left) > 5 else "")
    return [f"Left out, because people would see the answer beside the item: {named}."]
