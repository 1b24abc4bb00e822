"""One of our records as a task of Label Studio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotator.formats.boxes import in_percent
from annotator.formats.records import LABEL_PATH
from annotator.formats.spans import units
from annotator.formats.writing import ANSWER, labels_in

FROM, TO, NEITHER = "label", "text", "neither"
# What holds the places that a form marks beside its labels.
MARKS = "marks"
# What holds the texts that answer its questions, by the column that they have elsewhere.
TEXTS = "texts"
# What an answer is called there: a text that was written, an order of the entries of a list.
WRITTEN, RANKED, ENTRIES = "textarea", "ranker", "items"
# The side that is better, as a project of preferences calls it.
SELECTED = {"left": "A is better", "right": "B is better"}


# An order is of a list.
_NAMES = {RANKED: {"to_name": ENTRIES}}


def task_of(
    record: Mapping[str, Any], place: int, task: str, labels: Sequence[str]
) -> dict[str, Any]:
    """A task with the record's verdict as its annotation; without one where there is no verdict.

    task, labels: the project's; they tell grades, paths and sides from other labels.
    """
    made: dict[str, Any] = {"id": place, "data": _data(record), "annotations": []}
    result = _result(record, task, labels)
    if result is None:
        return made
    to_name = "image" if record.get("image") else TO
    result = [{"to_name": to_name} | one for one in result]
    return made | {"annotations": [{"result": result, "was_cancelled": False}]}


def _data(record: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"image": record["image"]} if record.get("image") else {"text": record["text"]}
    if record.get("text_b"):
        shown["text_b"] = record["text_b"]
    data = {**(record.get("meta") or {}), **shown}
    if record.get("id"):
        data["id"] = record["id"]
    if candidates := record.get("candidates"):
        data[ENTRIES] = [{"id": str(at), "body": one} for at, one in enumerate(candidates, 1)]
    return data


def _result(
    record: Mapping[str, Any], task: str, labels: Sequence[str]
) -> list[dict[str, Any]] | None:
    """The parts of the answer, None where there is none."""
    if ANSWER in record:
        if record[ANSWER] is None:
            return None
        ranked = bool(record.get("candidates"))
        return [_ordered(record) if ranked else _part(WRITTEN, {"text": [record[ANSWER]]}, 1)]
    for shape, part in (("spans", _region), ("boxes", _box)):
        if shape in record:
            places = record[shape]
            if places is None:
                return None
            return [part(one, record, number) for number, one in enumerate(places, 1)]
    chosen = labels_in(record)
    if chosen is None:
        return None
    if MARKS in record or TEXTS in record:
        return _of_form(record, chosen)
    if not chosen:
        return []
    kind, value = _labelled(chosen, task, labels)
    # A comparison has no place for a tie; it is a choice beside it.
    name = NEITHER if task == "preference" and kind == "choices" else FROM
    return [_part(kind, value, 1) | {"from_name": name}]


def _of_form(record: Mapping[str, Any], chosen: list[str]) -> list[dict[str, Any]]:
    """The labels of a form as choices, and beside them the places that it marks as regions, and its texts."""
    marks = record.get(MARKS) or []
    named = {one["label"] for one in marks}
    choices = [name for name in chosen if name not in named]
    parts = [_part("choices", {"choices": choices}, 1)] if choices else []
    regions = [_region(one, record, number) for number, one in enumerate(marks, len(parts) + 1)]
    parts += [one | {"from_name": MARKS} for one in regions]
    for column, text in (record.get(TEXTS) or {}).items():
        parts.append(_part(WRITTEN, {"text": [text]}, len(parts) + 1) | {"from_name": column})
    return parts


def _labelled(chosen: list[str], task: str, labels: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """What holds these labels: a path, a side or stars where they are that, else choices."""
    if task == "hierarchy":
        return "taxonomy", {"taxonomy": [one.split(LABEL_PATH) for one in chosen]}
    if task == "preference":
        sides = dict(zip(labels, SELECTED, strict=False)) or {
            name: side for side, name in SELECTED.items()
        }
        if chosen[0] in sides:
            return "pairwise", {"selected": sides[chosen[0]]}
    if task == "rating" and list(labels) == [str(grade + 1) for grade in range(len(labels))]:
        return "rating", {"rating": int(chosen[0])}
    return "choices", {"choices": chosen}


def _ordered(record: Mapping[str, Any]) -> dict[str, Any]:
    groups = [each.split(" = ") for each in record[ANSWER].split(" > ")]
    buckets = {str(place): each for place, each in enumerate(groups, 1)}
    return _part(RANKED, {RANKED: buckets}, 1)


def _region(one: Mapping[str, Any], record: Mapping[str, Any], number: int) -> dict[str, Any]:
    start, end, text = one["start"], one["end"], record["text"]
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
    part = {"id": str(number), "from_name": FROM, "type": kind, "value": value}
    return part | _NAMES.get(kind, {})
