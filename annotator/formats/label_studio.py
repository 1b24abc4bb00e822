"""Label Studio's JSON export: tasks with annotations and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, ClassVar

from annotator.formats.boxes import in_percent
from annotator.formats.json_list import rows_of_list
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import Span, by_quote, names_of, span_of, units
from annotator.formats.writing import ANSWER, Field, compact, labels_in

LABEL_PATH = " / "
FROM, TO = "label", "text"
# What an answer is called there: a text that was written, an order of the entries of a list.
WRITTEN, RANKED, ENTRIES = "textarea", "ranker", "items"


@dataclass(frozen=True, kw_only=True)
class LabelStudio:
    """A list of tasks: `data` becomes the columns, `choices`, `taxonomy`, `labels`, `textarea` and `ranker` the answers.
    An order is written as buckets, named by their places, since a plain one holds no ties.

    Places are counted in UTF-16 units there; their words (`text`) tell, and are checked.

    `question` is the `from_name` to take where the tasks answer several. Source: Label Studio's
    task format (docs, "Label Studio JSON format of annotated tasks").
    """

    shapes: ClassVar[tuple[str, ...]] = ("labels", "spans", "text", "ranking", "boxes")
    item_kinds: ClassVar[tuple[str, ...]] = ("text", "list", "image")

    question: str = ""
    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every task, with what people and models answered."""
        make = partial(_task, question=self.question)
        return rows_of_list(stream, self.encoding, self.limits, make)

    def write(
        self, records: Iterable[Mapping[str, Any]], fields: Sequence[Field], stream: BinaryIO
    ) -> int:
        """Write a task for each record; one without a verdict has no annotations."""
        count = 0
        stream.write(b"[")
        for record in records:
            stream.write(b",\n" if count else b"\n")
            stream.write(compact(_written(record, count + 1)).encode())
            count += 1
        stream.write(b"\n]\n")
        return count


def _task(row: int, value: Any, limits: Limits, *, question: str) -> Record:
    task = record_of(row, value, limits).fields
    data = task.get("data")
    if not isinstance(data, dict):
        raise RowError([("data", "A task needs an object called 'data'.")])
    fields: dict[str, Any] = {"id": task.get("id")} if "id" not in data else {}
    fields.update(data)
    if task.get("meta"):
        fields.setdefault("meta", task["meta"])
    texts = [content for content in fields.values() if isinstance(content, str)]
    answers = [
        _given(answer, "answer", question, texts, fields)
        for answer in _objects(task, "annotations")
        if not answer.get("was_cancelled")
    ]
    predictions = [
        _given(one, "prediction", question, texts, fields) for one in _objects(task, "predictions")
    ]
    given = tuple(one for one in (*answers, *predictions) if one is not None)
    return Record(row, fields, given)


def _objects(task: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = task.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RowError([(name, f"'{name}' has to be a list of objects.")])
    return found


def _given(
    answer: dict[str, Any], kind: Any, question: str, texts: list[str], data: dict[str, Any]
) -> Given | None:
    """Collect the labels of one answer; None when it doesn't answer the question."""
    labels: list[str] = []
    spans: list[Span] = []
    texts_written: list[str] = []
    asked: set[str] = set()
    for part in answer.get("result") or []:
        if not isinstance(part, dict):
            raise RowError([("result", "'result' has to be a list of objects.")])
        name = str(part.get("from_name") or "")
        if question and name != question:
            continue
        asked.add(name)
        if part.get("type") == "labels":
            spans += _spans(part, name, texts)
        elif part.get("type") == WRITTEN:
            texts_written += _texts(part, name)
        elif part.get("type") == RANKED:
            texts_written.append(_order(part, name, data))
        else:
            labels += _labels(part, name)
    if len(asked) > 1:
        names = ", ".join(sorted(asked))
        told = f"The task answers several questions ({names}); choose one of them."
        raise RowError([("result", told)])
    if not asked and (question or kind == "prediction"):
        return None
    score = answer.get("score")
    places = tuple(dict.fromkeys(spans))
    return Given(
        labels=tuple(dict.fromkeys(labels)) or names_of(places),
        voice=voice_of(answer, kind),
        kind=kind,
        score=float(score) if isinstance(score, int | float) else None,
        # An empty answer is one of either kind.
        spans=places if places or not (labels or texts_written) else None,
        words="\n".join(texts_written) if texts_written else None,
    )


def _spans(part: dict[str, Any], name: str, texts: list[str]) -> list[Span]:
    """The places of one marked region, one for each of its labels, in code points."""
    value = part.get("value")
    value = value if isinstance(value, dict) else {}
    labels, quote = value.get("labels"), value.get("text")
    if not isinstance(labels, list):
        raise RowError([(name or "result", "A region needs a list of 'labels'.")])
    found = [span_of({**value, "label": label}, "A region", name or "result") for label in labels]
    if isinstance(quote, str):
        found = [by_quote(span, quote, texts, name or "result") for span in found]
    return found


def _texts(part: dict[str, Any], name: str) -> list[str]:
    """What was written: one text, or several lines of their own."""
    value = part.get("value")
    found = value.get("text") if isinstance(value, dict) else None
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise RowError([(name or "result", "A written answer needs its 'text'.")])
    return found


def _order(part: dict[str, Any], name: str, data: dict[str, Any]) -> str:
    """The order of the entries by their numbers, best first: one list, or buckets named by place."""
    value = part.get("value")
    buckets = value.get(RANKED) if isinstance(value, dict) else None
    lists = [one for one in data.values() if _are_entries(one)]
    if not isinstance(buckets, dict) or len(lists) != 1:
        told = "An order needs its 'ranker' and one list of entries with ids in the data."
        raise RowError([(name or "result", told)])
    number = {str(one["id"]): at for at, one in enumerate(lists[0], 1)}
    try:
        if len(buckets) == 1 and "1" not in buckets:  # a plain order, under a name of its own
            groups = [[one] for one in next(iter(buckets.values()))]
        else:
            groups = [buckets[place] for place in sorted(buckets, key=int)]
        return " > ".join(" = ".join(str(number[str(one)]) for one in each) for each in groups)
    except (KeyError, TypeError, ValueError) as error:
        told = "Entries of an order are named by their ids, and several buckets by their places."
        raise RowError([(name or "result", told)]) from error


def _are_entries(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and "id" in one for one in value)


def _labels(part: dict[str, Any], name: str) -> list[str]:
    value = part.get("value")
    value = value if isinstance(value, dict) else {}
    choices, taxonomy = value.get("choices"), value.get("taxonomy")
    if isinstance(choices, list) and all(isinstance(one, str) for one in choices):
        return choices
    if isinstance(taxonomy, list) and all(isinstance(path, list) for path in taxonomy):
        return [LABEL_PATH.join(str(step) for step in path) for path in taxonomy]
    kind = str(part.get("type") or "unknown")[:50]
    told = f"An answer of type {kind!r} is not read; 'choices', 'taxonomy', 'labels', 'textarea' and 'ranker' are."
    raise RowError([(name or "result", told)])


def voice_of(answer: dict[str, Any], kind: str) -> str:
    """Name who answered: the model's version, or Label Studio's number or address of the person."""
    if kind == "prediction":
        return str(answer.get("model_version") or "")[:100]
    person = answer.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    return "" if person is None else str(person)[:100]


def _written(record: Mapping[str, Any], place: int) -> dict[str, Any]:
    text = record["text"]
    shown = {"image": record["image"]} if record.get("image") else {"text": text}
    data = {**(record.get("meta") or {}), **shown}
    if record.get("id"):
        data["id"] = record["id"]
    candidates = record.get("candidates") or []
    if candidates:
        data[ENTRIES] = [{"id": str(at), "body": one} for at, one in enumerate(candidates, 1)]
    task: dict[str, Any] = {"id": place, "data": data, "annotations": []}
    labels = labels_in(record)
    if ANSWER in record:
        if record[ANSWER] is None:
            return task
        result = [_ordered(record) if candidates else _part(WRITTEN, {"text": [record[ANSWER]]}, 1)]
    elif "spans" in record:
        if record["spans"] is None:
            return task
        result = [_region(one, text, number) for number, one in enumerate(record["spans"], 1)]
    elif "boxes" in record:
        if record["boxes"] is None:
            return task
        result = [_box(one, record, number) for number, one in enumerate(record["boxes"], 1)]
    elif labels is None:
        return task
    else:
        result = [_part("choices", {"choices": labels}, 1)] if labels else []
    if "image" in shown:
        result = [one | {"to_name": "image"} for one in result]
    return task | {"annotations": [{"result": result, "was_cancelled": False}]}


def _ordered(record: Mapping[str, Any]) -> dict[str, Any]:
    groups = [each.split(" = ") for each in record[ANSWER].split(" > ")]
    buckets = {str(place): each for place, each in enumerate(groups, 1)}
    return _part(RANKED, {RANKED: buckets}, 1)


def _region(one: Mapping[str, Any], text: str, number: int) -> dict[str, Any]:
    start, end = one["start"], one["end"]
    value = {
        "start": units(text, start),
        "end": units(text, end),
        "text": text[start:end],
        "labels": [one["label"]],
    }
    return _part("labels", value, number)


def _box(one: Mapping[str, Any], record: Mapping[str, Any], number: int) -> dict[str, Any]:
    value = in_percent(one) | {"rotation": 0, "rectanglelabels": [one["label"]]}
    size = {f"original_{side}": record.get(side) for side in ("width", "height")}
    told = {name: pixels for name, pixels in size.items() if pixels}
    return _part("rectanglelabels", value, number) | told


def _part(kind: str, value: dict[str, Any], number: int) -> dict[str, Any]:
    return {"id": str(number), "from_name": FROM, "to_name": TO, "type": kind, "value": value}
