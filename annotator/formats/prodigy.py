"""Prodigy's JSONL: one task on each line, with what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, ClassVar

from annotator.formats.boxes import in_pixels
from annotator.formats.json_lines import rows_of_lines, written_lines
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import names_of, spans_of
from annotator.formats.writing import ANSWER, Field, labels_in

# What Prodigy writes for itself; the rest of a task becomes columns.
_OWN = (
    *("tokens", "spans", "answer", "label", "accept", "options", "config", "relations", "priority"),
    *("_view_id", "_timestamp", "_annotator_id", "_session_id", "_is_binary", "_task_hash"),
    "user_input",
)
# More options than this are on no screen; the task then has the chosen ones alone.
MOST_OPTIONS = 100


@dataclass(frozen=True, kw_only=True)
class Prodigy:
    """Tasks of `{"text", "spans" or "label" or "accept" or "user_input", "answer"}`. Source: prodi.gy,
    "Annotation task formats".

    Rejected and ignored tasks are items without an answer; a task with spans and no `answer` brings a
    prediction. labels: the project's, which become the options of a choice.
    """

    shapes: ClassVar[tuple[str, ...]] = ("labels", "spans", "text", "boxes")
    item_kinds: ClassVar[tuple[str, ...]] = ("text", "pair", "image")

    labels: list[str] = field(default_factory=list)
    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line."""
        return rows_of_lines(stream, self.encoding, self.limits, _task)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a task for each record; one without a verdict has no `answer`."""
        options = self.labels if len(self.labels) <= MOST_OPTIONS else []
        return written_lines(map(partial(_written, options=options), records), stream)


def _task(row: int, value: Any, limits: Limits) -> Record:
    task = record_of(row, value, limits).fields
    fields = {name: content for name, content in task.items() if name not in _OWN}
    meta = fields.get("meta")
    if isinstance(meta, dict) and isinstance(meta.get("id"), str):
        fields.setdefault("id", meta["id"])
    if "_input_hash" in fields:
        fields.setdefault("id", fields.pop("_input_hash"))
    answer = task.get("answer")
    if answer not in (None, "accept", "reject", "ignore"):
        raise RowError([("answer", "An answer is accept, reject or ignore.")])
    if answer in ("reject", "ignore"):
        return Record(row, fields)
    voice = str(task.get("_annotator_id") or task.get("_session_id") or "")[:100]
    kind: Any = "answer" if answer else "prediction"
    given = _given(task, voice, kind)
    return Record(row, fields, () if given is None else (given,))


def _given(task: dict[str, Any], voice: str, kind: Any) -> Given | None:
    if isinstance(task.get("spans"), list):
        spans = spans_of(task["spans"], "spans")
        return (
            Given(names_of(spans), voice, kind, spans=spans) if spans or kind == "answer" else None
        )
    if isinstance(task.get("user_input"), str):
        return Given((), voice, kind, words=task["user_input"])
    labels = task.get("accept", [task["label"]] if "label" in task else None)
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        raise RowError([("accept", "A list of labels' names was expected here.")])
    return Given(tuple(dict.fromkeys(labels)), voice, kind)


def _written(record: Mapping[str, Any], *, options: Sequence[str]) -> dict[str, Any]:
    task = _shown(record)
    if ANSWER in record:
        told = record[ANSWER]
        return task if told is None else task | {"user_input": told, "answer": "accept"}
    if "spans" in record:
        names = ("start", "end", "label")
        return _marked(
            task, record["spans"], lambda one: {name: one[name] for name in names}, "spans_manual"
        )
    if "boxes" in record:
        size = record.get("width"), record.get("height")
        places = None if None in size else record["boxes"]
        task |= {} if places is None else {"width": size[0], "height": size[1]}
        return _marked(task, places, lambda one: _rectangle(one, *size), "image_manual")
    labels = labels_in(record)
    if options:
        task |= {"options": [{"id": name, "text": name} for name in options], "_view_id": "choice"}
    return task if labels is None else task | {"accept": labels, "answer": "accept"}


def _shown(record: Mapping[str, Any]) -> dict[str, Any]:
    meta = {"id": record["id"]} if record.get("id") else {}
    named = ("image",) if record.get("image") else ("text", "text_b")
    task = {name: record[name] for name in named if name == "text" or record.get(name)}
    return {**task, "meta": {**(record.get("meta") or {}), **meta}}


def _marked(task: dict[str, Any], places: Any, told: Any, view: str) -> dict[str, Any]:
    if places is None:
        return task
    return task | {"spans": list(map(told, places)), "answer": "accept", "_view_id": view}


def _rectangle(box: Mapping[str, Any], width: Any, height: Any) -> dict[str, Any]:
    x, y, w, h = in_pixels(box, width, height)
    sides = {"x": x, "y": y, "width": w, "height": h}
    corners = [[x, y], [x, y + h], [x + w, y + h], [x + w, y]]
    return {**sides, "points": corners, "type": "rect", "label": box["label"]}
