"""The JSONL that spaCy's users keep: a text, its categories and its entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO

from annotator.formats.json_lines import rows_of_lines, written_lines
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import names_of, spans_of
from annotator.formats.writing import Field, labels_in

HOLDS = 0.5
MOST_CATEGORIES = 1_000


@dataclass(frozen=True, kw_only=True)
class Spacy:
    """Lines of `{"text", "entities": [[start, end, label]]}` or `"cats": {label: 0 … 1}`. Source:
    spaCy's training data as character offsets (spacy.io, "Training data").

    labels: the project's. All of them are written as categories, 0 where they do not hold, since
    training asks for each; only those that hold where there are many.
    """

    labels: list[str] = field(default_factory=list)
    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line; entities and categories are taken out of the columns."""
        return rows_of_lines(stream, self.encoding, self.limits, _example)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a line for each record; one without a verdict has neither entities nor categories."""
        told = partial(_written, known=absent(self.labels))
        return written_lines(map(told, records), stream)


def absent(labels: Sequence[str]) -> dict[str, float]:
    """The categories of a text to which none of the labels applies."""
    return dict.fromkeys(labels if len(labels) <= MOST_CATEGORIES else (), 0.0)


def _example(row: int, value: Any, limits: Limits) -> Record:
    record = record_of(row, value, limits)
    entities, cats = record.fields.pop("entities", None), record.fields.pop("cats", None)
    if entities is not None:
        spans = spans_of(entities, "entities")
        record.given = (Given(names_of(spans), spans=spans),)
    elif isinstance(cats, dict):
        if not all(isinstance(share, int | float) for share in cats.values()):
            raise RowError([("cats", "Each category needs a number between 0 and 1.")])
        record.given = (Given(tuple(name for name, share in cats.items() if share >= HOLDS)),)
    return record


def _written(record: Mapping[str, Any], *, known: dict[str, float]) -> dict[str, Any]:
    line: dict[str, Any] = {"id": record.get("id") or None, "text": record["text"]}
    line = {name: value for name, value in line.items() if value is not None}
    line["meta"] = record.get("meta") or {}
    if "spans" in record:
        if record["spans"] is None:
            return line
        spans = [[one["start"], one["end"], one["label"]] for one in record["spans"]]
        return line | {"entities": spans}
    labels = labels_in(record)
    return line if labels is None else line | {"cats": known | dict.fromkeys(labels, 1.0)}
