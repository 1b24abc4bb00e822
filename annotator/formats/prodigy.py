"""Prodigy's JSONL: one task on each line, with what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from annotator.formats.json_lines import rows_of_lines, written_lines
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import names_of, spans_of
from annotator.formats.writing import Field, labels_in

# What Prodigy writes for itself; the rest of a task becomes columns.
_OWN = (
    *("tokens", "spans", "answer", "label", "accept", "options", "config", "relations", "priority"),
    *("_view_id", "_timestamp", "_annotator_id", "_session_id", "_is_binary", "_task_hash"),
)


@dataclass(frozen=True, kw_only=True)
class Prodigy:
    """Tasks of `{"text", "spans" or "label" or "accept", "answer"}`. Source: prodi.gy, "Annotation
    task formats".

    Rejected and ignored tasks are items without an answer; a task with spans and no `answer` brings a
    prediction.
    """

    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every line."""
        return rows_of_lines(stream, self.encoding, self.limits, _task)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a task for each record; one without a verdict has no `answer`."""
        return written_lines(map(_written, records), stream)


def _task(row: int, value: Any, limits: Limits) -> Record:
    task = record_of(row, value, limits).fields
    fields = {name: content for name, content in task.items() if name not in _OWN}
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
    labels = task.get("accept", [task["label"]] if "label" in task else None)
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(one, str) for one in labels):
        raise RowError([("accept", "A list of labels' names was expected here.")])
    return Given(tuple(dict.fromkeys(labels)), voice, kind)


def _written(record: Mapping[str, Any]) -> dict[str, Any]:
    meta = {"id": record["id"]} if record.get("id") else {}
    task: dict[str, Any] = {"text": record["text"], "meta": {**(record.get("meta") or {}), **meta}}
    if "spans" in record:
        if record["spans"] is None:
            return task
        names = ("start", "end", "label")
        return task | {
            "spans": [{name: one[name] for name in names} for one in record["spans"]],
            "answer": "accept",
        }
    labels = labels_in(record)
    if labels is None:
        return task
    return task | {"accept": labels, "answer": "accept"}
