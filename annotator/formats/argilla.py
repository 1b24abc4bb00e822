"""Argilla's records: fields, and for each question the responses of people and the suggestion of a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, ClassVar

from annotator.formats.json_list import rows_of_list
from annotator.formats.json_text import number_as_text, record_of
from annotator.formats.label_studio import EVERY
from annotator.formats.records import LABEL_PATH, LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import look_like_spans, names_of, spans_of
from annotator.formats.writing import ANSWER, Field, compact, labels_in, write_list
from annotator.formats.written import COLUMN, order_of, ranked

QUESTION, CANDIDATE = "label", "candidate_"
# Argilla wants a user for each response; a verdict is no single person's.
VERDICT_USER = "00000000-0000-4000-8000-000000000000"
_NUMBERED = re.compile(rf"{CANDIDATE}\d+")
_STATUSES = ("submitted", None)


@dataclass(frozen=True, kw_only=True)
class Argilla:
    """A list of `{"id", "fields", "metadata", "responses": {question: [{"value", "user_id"}]}, "suggestions"}`,
    which is what Argilla's own `to_json` and `from_json` hold; its flattened columns are read by JSONL
    and Parquet. Source: argilla 2, `records/_io/_json.py`.

    A value is a name, a list of names, a grade, a text, spans, or an order of fields by rank. Drafts and
    discarded responses are passed over. `question` is the one to take where there are several, or `*` for
    all of them, as answers to a form: each label or text is then named after its question. `task` is
    the project's, whose grades are written as numbers where they are. A form that is written to has its
    labels under `label` and its texts under the names of their columns, each a question of its own.
    """

    shapes: ClassVar[tuple[str, ...]] = ("labels", "spans", "text", "ranking")
    item_kinds: ClassVar[tuple[str, ...]] = ("text", "pair", "list")

    task: str = ""
    question: str = ""
    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every one of the list, with its answers to one question."""
        make = partial(_record, question=self.question)
        return rows_of_list(stream, self.encoding, self.limits, make)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a record for each; one without a verdict has no response."""
        return write_list((_written(record, self.task) for record in records), stream)


def looks_so(value: Any) -> bool:
    """Say whether an element of a list is a record of Argilla."""
    asked = isinstance(value, dict) and ("responses" in value or "suggestions" in value)
    return asked and isinstance(value.get("fields"), dict)


def _record(row: int, value: Any, limits: Limits, *, question: str) -> Record:
    told = record_of(row, value, limits).fields
    content = told.get("fields")
    if not isinstance(content, dict):
        raise RowError([("fields", "A record needs an object called 'fields'.")])
    metadata = told.get("metadata")
    known = {name: one for name, one in content.items() if not _NUMBERED.fullmatch(name)}
    listed = [one for name, one in content.items() if _NUMBERED.fullmatch(name)]
    about = metadata if isinstance(metadata, dict) else {}
    fields = {**about, "id": told.get("id"), **known}
    if listed:
        fields["candidates"] = listed
    asked = {one for part in ("responses", "suggestions") for one in _questions(told, part)}
    texts = {one for one in asked if one.startswith(COLUMN)}
    ours = not question and bool(texts) and asked - texts == {QUESTION}
    if ours or question == EVERY:
        return Record(row, fields, _of_form(told, sorted(asked), list(content), named=not ours))
    name = question or (asked.pop() if len(asked) == 1 else "")
    if asked and not name:
        names = ", ".join(sorted(asked))
        message = f"The record answers several questions ({names}); choose one of them."
        raise RowError([("responses", message)])
    return Record(row, fields, tuple(_answers(told, name, list(content))))


def _questions(told: dict[str, Any], part: str) -> dict[str, Any]:
    found = told.get(part) or {}
    if not isinstance(found, dict):
        raise RowError([(part, f"'{part}' has to be an object with an entry for each question.")])
    return found


def _of_form(
    told: dict[str, Any], asked: Sequence[str], columns: list[str], *, named: bool
) -> tuple[Given, ...]:
    """The answers to a form: what each voice says to all questions, and what models suggest.

    named: labels are named after their question; else all of them are, and the others are texts.
    """
    whole: dict[tuple[str, str], Given] = {}
    for name in asked:
        for one in _answers(told, name, columns):
            voice = one.voice if one.kind == "answer" else ""
            before = whole.get((voice, one.kind), Given((), one.voice, one.kind, one.score))
            whole[voice, one.kind] = _joined(before, one, name, named=named)
    return tuple(whole.values())


def _joined(before: Given, one: Given, name: str, *, named: bool) -> Given:
    """An answer with what it says to one more question."""
    if not named and name.startswith(COLUMN):
        return before._replace(texts=(*before.texts, *((name, text) for text in one.labels)))
    own = f"{name}{LABEL_PATH}" if named else ""
    spans = [(start, end, own + label) for start, end, label in one.spans or ()]
    return before._replace(
        labels=(*before.labels, *(own + label for label in one.labels)),
        spans=(*(before.spans or ()), *spans) or None,
        words=before.words or one.words,
    )


def _answers(told: dict[str, Any], name: str, columns: list[str]) -> Iterator[Given]:
    responses = _questions(told, "responses").get(name) or []
    if not isinstance(responses, list) or not all(isinstance(one, dict) for one in responses):
        raise RowError([(name or "responses", "The responses have to be a list of objects.")])
    for one in responses:
        if one.get("status") in _STATUSES and one.get("value") is not None:
            voice = str(one.get("user_id") or "")[:100]
            yield given_of_value(one["value"], name, columns, voice)
    suggested = _questions(told, "suggestions").get(name)
    if isinstance(suggested, dict) and suggested.get("value") is not None:
        agent, score = str(suggested.get("agent") or "")[:100], suggested.get("score")
        given = given_of_value(suggested["value"], name, columns, agent)
        sure = float(score) if isinstance(score, int | float) else None
        yield given._replace(kind="prediction", score=sure)


def given_of_value(value: Any, column: str, columns: Sequence[str], voice: str) -> Given:
    """The answer that a response's value holds; columns: the fields that an order may name."""
    if ranked(value):
        numbered = [name for name in columns if _NUMBERED.fullmatch(name)]
        return Given((), voice, words=order_of(value, column, numbered or columns))
    if isinstance(value, list) and look_like_spans(value):
        spans = spans_of(value, column)
        return Given(names_of(spans), voice, spans=spans)
    names = value if isinstance(value, list) else [value]
    if any(isinstance(one, dict | list | bool) or one is None for one in names):
        told = "A name, a list of names, a grade, a text, spans or an order was expected here."
        raise RowError([(column, told)])
    called = (one if isinstance(one, str) else number_as_text(one) for one in names)
    return Given(tuple(dict.fromkeys(called)), voice)


def _written(record: Mapping[str, Any], task: str) -> dict[str, Any]:
    fields = {name: record[name] for name in ("text", "text_b") if record.get(name)}
    candidates = enumerate(record.get("candidates") or [], 1)
    fields |= {f"{CANDIDATE}{at}": one for at, one in candidates}
    value = _value(record, task)
    said = {} if value is None else {QUESTION: value, **(record.get("texts") or {})}
    return {
        "id": record.get("id") or str(record.get("number", "")),
        "fields": fields,
        "metadata": {name: _plain(one) for name, one in (record.get("meta") or {}).items()},
        "responses": {
            name: [{"value": one, "user_id": VERDICT_USER}] for name, one in said.items()
        },
        "suggestions": {},
        "vectors": {},
    }


def _value(record: Mapping[str, Any], task: str) -> Any:
    if ANSWER in record:
        told = record[ANSWER]
        return _ranks(told) if told is not None and record.get("candidates") else told
    if "spans" in record:
        names = ("start", "end", "label")
        spans = record["spans"]
        return None if spans is None else [{name: one[name] for name in names} for one in spans]
    labels = labels_in(record)
    if labels is None or "labels" in record:
        return labels
    return int(labels[0]) if task == "rating" and labels[0].isdecimal() else labels[0]


def _ranks(order: str) -> list[dict[str, Any]]:
    """Argilla names the places of an order from 1; those that are equal share one."""
    return [
        {"value": f"{CANDIDATE}{number}", "rank": place}
        for place, group in enumerate(order.split(" > "), 1)
        for number in group.split(" = ")
    ]


def _plain(value: Any) -> Any:
    """What Argilla takes as metadata: texts, numbers, and lists of texts."""
    texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return value if texts or is_plain else compact(value)
