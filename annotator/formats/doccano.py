"""doccano's JSONL of classified texts and images, of texts with marked places, and of images with boxes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

from annotator.formats.boxes import in_pixels
from annotator.formats.json_lines import rows_of_lines, written_lines
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import look_like_spans, names_of, spans_of
from annotator.formats.writing import ANSWER, Field, labels_in

_LABEL_COLUMNS = ("label", "labels", "cats")


@dataclass(frozen=True, kw_only=True)
class Doccano:
    """Lines of `{"id", "text", "label": [names]}`, or `[[start, end, name]]`. Source: doccano's JSONL
    export of categories, of spans, of texts (sequence to sequence: `[text]`), and of entities with
    relations, whose relations are left out. Images are called `filename`, their boxes `bbox`, in pixels.
    """

    shapes: ClassVar[tuple[str, ...]] = ("labels", "spans", "text", "boxes")
    item_kinds: ClassVar[tuple[str, ...]] = ("text", "image")

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line; its list of names or spans is taken out of the columns."""
        return rows_of_lines(stream, self.encoding, self.limits, _example)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a line for each record; one without a verdict has no labels."""
        return written_lines(map(_written, records), stream)


def _example(row: int, value: Any, limits: Limits) -> Record:
    record = record_of(row, value, limits)
    if isinstance(record.fields.get("entities"), list):
        spans = spans_of(record.fields.pop("entities"), "entities")
        record.fields.pop("relations", None)
        record.given = (Given(names_of(spans), spans=spans),)
        return record
    column = next((name for name in _LABEL_COLUMNS if name in record.fields), "")
    if not column:
        return record
    labels = record.fields.pop(column)
    if isinstance(labels, str):
        labels = [labels]
    if labels is None or labels == []:  # it does not tell whether somebody looked
        return record
    if look_like_spans(labels):
        spans = spans_of(labels, column)
        record.given = (Given(names_of(spans), spans=spans),)
        return record
    if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        told = "Names of labels or spans were expected; relations label no whole item."
        raise RowError([(column, told)])
    record.given = (Given(labels=tuple(dict.fromkeys(labels))),)
    return record


def _written(record: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"filename": record["image"]} if record.get("image") else {"text": record["text"]}
    line: dict[str, Any] = {"id": record.get("id") or record.get("number"), **shown}
    line = {name: value for name, value in line.items() if value is not None}
    line |= {"meta": record["meta"]} if record.get("meta") else {}
    if ANSWER in record:
        return line if record[ANSWER] is None else line | {"label": [record[ANSWER]]}
    if "spans" in record:
        if record["spans"] is None:
            return line
        return line | {
            "label": [[one["start"], one["end"], one["label"]] for one in record["spans"]]
        }
    if "boxes" in record:
        size = record.get("width"), record.get("height")
        if record["boxes"] is None or None in size:
            return line
        return line | {"bbox": [_rectangle(one, *size) for one in record["boxes"]]}
    labels = labels_in(record)
    return line if labels is None else line | {"label": labels}


def _rectangle(box: Mapping[str, Any], width: Any, height: Any) -> dict[str, Any]:
    sides = zip(("x", "y", "width", "height"), in_pixels(box, width, height), strict=True)
    return {**dict(sides), "label": box["label"]}
