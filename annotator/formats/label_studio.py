"""Label Studio's JSON export: tasks with annotations and predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, ClassVar

from annotator.formats.json_list import rows_of_list
from annotator.formats.json_text import number_as_text, record_of
from annotator.formats.label_studio_tasks import (
    FROM,
    MARKS,
    RANKED,
    SELECTED,
    WRITTEN,
    task_of,
)
from annotator.formats.records import LABEL_PATH, LIMITS, Given, Limits, Record, RowError, Rows
from annotator.formats.spans import Span, by_quote, names_of, span_of
from annotator.formats.writing import Field, write_list
from annotator.formats.written import COLUMN

# The question that stands for all of them.
EVERY = "*"


@dataclass(frozen=True, kw_only=True)
class LabelStudio:
    """A list of tasks: `data` becomes the columns, `choices`, `taxonomy`, `rating`, `number`, `pairwise`, `labels`,
    `textarea` and `ranker` the answers. An order is written as buckets, named by their places, since a
    plain one holds no ties.

    Places are counted in UTF-16 units there; their words (`text`) tell, and are checked.

    `question` is the `from_name` to take where the tasks answer several, or `*` for all of them, as answers
    to a form: each label is then named after its `from_name`, and so is each text. What we wrote of a form
    that marks the text or is written to has its labels under `label`, its places under `marks`, named
    already, and its texts under the names of their columns. `task` and `labels` are
    the project's, and choose between what may hold a label. Source: Label Studio's task format (docs,
    "Label Studio JSON format of annotated tasks").
    """

    shapes: ClassVar[tuple[str, ...]] = ("labels", "spans", "text", "ranking", "boxes")
    item_kinds: ClassVar[tuple[str, ...]] = ("text", "pair", "list", "image")

    task: str = ""
    labels: list[str] = field(default_factory=list)
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
        tasks = (
            task_of(record, number, self.task, self.labels)
            for number, record in enumerate(records, start=1)
        )
        return write_list(tasks, stream)


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


@dataclass
class _Said:
    """What the parts of one answer say; texts by the question that they answer, and others."""

    labels: list[str] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)

    @property
    def is_ours(self) -> bool:
        """Whether these are the parts that we write of a form that has more than labels."""
        others = self.asked - self.texts.keys()
        return others == {FROM, MARKS} or (bool(self.texts) and others <= {FROM, MARKS})


def _given(
    answer: dict[str, Any], kind: Any, question: str, texts: list[str], data: dict[str, Any]
) -> Given | None:
    """Collect the labels of one answer; None when it doesn't answer the question."""
    said = _said(answer, question, texts, data)
    together = question == EVERY or said.is_ours
    if len(said.asked) > 1 and not together:
        names = ", ".join(sorted(said.asked))
        told = f"The task answers several questions ({names}); choose one of them, or * for a form."
        raise RowError([("result", told)])
    if not said.asked and (question or kind == "prediction"):
        return None
    score = answer.get("score")
    places = tuple(dict.fromkeys(said.spans))
    if together or not said.labels:
        said.labels += names_of(places)
    return Given(
        labels=tuple(dict.fromkeys(said.labels)),
        voice=voice_of(answer, kind),
        kind=kind,
        score=float(score) if isinstance(score, int | float) else None,
        # An empty answer is one of either kind.
        spans=places if places or not (said.labels or said.words or said.texts) else None,
        words="\n".join(said.words) if said.words else None,
        texts=tuple(said.texts.items()),
    )


def _said(answer: dict[str, Any], question: str, texts: list[str], data: dict[str, Any]) -> _Said:
    """The parts of an answer that answer the question, by what they hold."""
    said = _Said()
    for part in _objects(answer, "result"):
        name = str(part.get("from_name") or "")
        if question not in ("", EVERY, name):
            continue
        said.asked.add(name)
        own = f"{name}{LABEL_PATH}" if question == EVERY else ""
        if part.get("type") == "labels":
            found = _spans(part, name, texts)
            said.spans += [(start, end, own + label) for start, end, label in found]
        elif part.get("type") == WRITTEN and (question == EVERY or name.startswith(COLUMN)):
            before = [said.texts[name]] if name in said.texts else []
            said.texts[name] = "\n".join([*before, *_texts(part, name)])
        elif part.get("type") == WRITTEN:
            said.words += _texts(part, name)
        elif part.get("type") == RANKED:
            said.words.append(_order(part, name, data))
        else:
            said.labels += [own + label for label in labels_of(part, name)]
    return said


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


def labels_of(part: dict[str, Any], name: str) -> list[str]:
    value = part.get("value")
    value = value if isinstance(value, dict) else {}
    choices, taxonomy = value.get("choices"), value.get("taxonomy")
    if isinstance(choices, list) and all(isinstance(one, str) for one in choices):
        return choices
    if isinstance(taxonomy, list) and all(isinstance(path, list) for path in taxonomy):
        return [LABEL_PATH.join(str(step) for step in path) for path in taxonomy]
    side = value.get("selected")
    if isinstance(side, str) and side in SELECTED:
        return [SELECTED[side]]
    grade = value.get("rating", value.get("number"))
    if isinstance(grade, int | float) and not isinstance(grade, bool):
        return [number_as_text(grade)]
    kind = str(part.get("type") or "unknown")[:50]
    told = (
        f"An answer of type {kind!r} is not read; 'choices', 'taxonomy', 'rating', 'number', 'pairwise', "
        "'labels', 'textarea' and 'ranker' are."
    )
    raise RowError([(name or "result", told)])


def voice_of(answer: dict[str, Any], kind: str) -> str:
    """Name who answered: the model's version, or Label Studio's number or address of the person."""
    if kind == "prediction":
        return str(answer.get("model_version") or "")[:100]
    person = answer.get("completed_by")
    if isinstance(person, dict):
        person = person.get("email") or person.get("id")
    return "" if person is None else str(person)[:100]
