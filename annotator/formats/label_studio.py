"""Label Studio's JSON export: tasks with annotations and predictions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from annotator.formats.json_list import rows_of_list
from annotator.formats.json_text import record_of
from annotator.formats.records import LIMITS, Given, Limits, Record, RowError, Rows

LABEL_PATH = " / "


@dataclass(frozen=True, kw_only=True)
class LabelStudio:
    """A list of tasks: `data` becomes the columns, `choices` and `taxonomy` the labels.

    `question` is the `from_name` to take where the tasks answer several. Source: Label Studio's
    task format (docs, "Label Studio JSON format of annotated tasks").
    """

    question: str = ""
    encoding: str = ""
    limits: Limits = LIMITS

    def read(self, stream: BinaryIO) -> Rows:
        """Yield a record for every task, with what people and models answered."""
        make = partial(_task, question=self.question)
        return rows_of_list(stream, self.encoding, self.limits, make)


def _task(row: int, value: Any, limits: Limits, *, question: str) -> Record:
    task = record_of(row, value, limits).fields
    data = task.get("data")
    if not isinstance(data, dict):
        raise RowError([("data", "A task needs an object called 'data'.")])
    fields: dict[str, Any] = {"id": task.get("id")} if "id" not in data else {}
    fields.update(data)
    if task.get("meta"):
        fields.setdefault("meta", task["meta"])
    answers = [
        _given(answer, "answer", question)
        for answer in _objects(task, "annotations")
        if not answer.get("was_cancelled")
    ]
    predictions = [_given(one, "prediction", question) for one in _objects(task, "predictions")]
    given = tuple(one for one in (*answers, *predictions) if one is not None)
    return Record(row, fields, given)


def _objects(task: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = task.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise RowError([(name, f"'{name}' has to be a list of objects.")])
    return found


def _given(answer: dict[str, Any], kind: Any, question: str) -> Given | None:
    """Collect the labels of one answer; None when it doesn't answer the question."""
    labels: list[str] = []
    asked: set[str] = set()
    for part in answer.get("result") or []:
        if not isinstance(part, dict):
            raise RowError([("result", "'result' has to be a list of objects.")])
        name = str(part.get("from_name") or "")
        if question and name != question:
            continue
        asked.add(name)
        labels += _labels(part, name)
    if len(asked) > 1:
        names = ", ".join(sorted(asked))
        told = f"The task answers several questions ({names}); choose one of them."
        raise RowError([("result", told)])
    if not asked and (question or kind == "prediction"):
        return None
    score = answer.get("score")
    return Given(
        labels=tuple(dict.fromkeys(labels)),
        voice=_voice(answer, kind),
        kind=kind,
        score=float(score) if isinstance(score, int | float) else None,
    )


def _labels(part: dict[str, Any], name: str) -> list[str]:
    value = part.get("value")
    value = value if isinstance(value, dict) else {}
    choices, taxonomy = value.get("choices"), value.get("taxonomy")
    if isinstance(choices, list) and all(isinstance(one, str) for one in choices):
        return choices
    if isinstance(taxonomy, list) and all(isinstance(path, list) for path in taxonomy):
        return [LABEL_PATH.join(str(step) for step in path) for path in taxonomy]
    kind = str(part.get("type") or "unknown")[:50]
    told = f"An answer of type {kind!r} labels no whole item; 'choices' and 'taxonomy' do."
    raise RowError([(name or "result", told)])


def _voice(answer: dict[str, Any], kind: str) -> str:
    """Name who answered: the model's version, or Label Studio's number or address of the person."""
    if kind == "prediction":
        return str(answer.get("model_version") or "")[:100]
    person = answer.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    return "" if person is None else str(person)[:100]
