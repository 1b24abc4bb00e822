"""The teacher that answers from records: what a model said elsewhere, before or outside."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.spans import Span
from learning.teachers.asking import check_items
from learning.teachers.filling import Given, contradiction, fill, given_marks
from learning.teachers.names import NameTable
from learning.teachers.ordering import read_order
from learning.teachers.quoting import Candidate, Located, locate
from learning.teachers.said import Said, said_spans, spread
from learning.teachers.types import (
    Example,
    Means,
    Order,
    TeacherAnswer,
    TeacherItem,
    TeacherQuestion,
    TeacherSchema,
    needed,
)
from learning.types import Report, require
from learning.written import kept

Record = Mapping[str, Any]

SUM_TOLERANCE = 0.02  # rounded probabilities of others may miss 1 by this
QUOTED = 80  # characters of an unreadable answer that are shown


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Give back answers that were made elsewhere. Source: own (records of any model; the answers
    of others as annotators, Dawid, Skene 1979).

    model: only records of this model; "" where there is one answer for each item.
    """

    needs: ClassVar[tuple[str, ...]] = ("records",)

    model: str = ""

    def ready(self, means: Means) -> "ReadyRecorded":
        """With records, each a mapping with `number` and one of

        - `label`: a name, or an id as an integer; None for an answer that named none,
        - `labels`: a list of those, empty where no label holds,
        - `probabilities`: a mapping from names to 0 … 1 that names each label,
        - `order`, where answers are orders: a list of lists of the candidates' numbers, best first,
        - `text`, where answers are texts,
        - `spans`, where answers mark spans: a list of mappings with `label`, either `start` and `end`
          or `quote` and `before`, and `confidence` where it is known,

        and, where they are known, `confidence` (0 … 1), `model`, `reason`, `raw`, `tokens_in`,
        `tokens_out`, `money`, `seconds`.
        Raises ShapeError for a record without a number, or two for one item.
        """
        records = needed(means.records, "records of answers", "recorded")
        kept: dict[int, Record] = {}
        for record in records:
            if self.model and record.get("model") != self.model:
                continue
            number = record.get("number")
            require(
                isinstance(number, int) and not isinstance(number, bool),
                f"A recorded answer names no item by its number: {number!r}.",
            )
            require(
                number not in kept,
                f"Item {number} has more than one recorded answer; name the model to use.",
            )
            kept[int(number)] = record  # type: ignore[arg-type]
        return ReadyRecorded(records=kept)


@dataclass(frozen=True, kw_only=True)
class ReadyRecorded:
    """Records by item number. Nothing is computed, so any order and any part gives the same."""

    records: Mapping[int, Record]

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """In the order of the items; an item without a record, or with an answer that names no
        label of this schema, is an abstention. A confidence that was not recorded stays None.
        """
        check_items(items)
        names = NameTable(schema)
        for done, item in enumerate(items, start=1):
            yield self._answer(item, schema, names)
            report(done, len(items))

    def _answer(self, item: TeacherItem, schema: TeacherSchema, names: NameTable) -> TeacherAnswer:
        number = item.number
        record = self.records.get(number)
        if record is None:
            return TeacherAnswer(number=number, abstained="No answer was recorded for this item.")
        confidence, flags = _confidence(record)
        order: Order | None = None
        text: str | None = None
        marked: Said | None = None
        try:
            p: NDArray[np.float32] | None = np.zeros(0, dtype=np.float32)
            if schema.ranked:
                order = _order(record, item)
            elif schema.written:
                text = _text(record)
            elif schema.questions:
                marked = _filled(record, item.text, schema, names, confidence)
                p, confidence = marked.distribution, marked.confidence
                if p is None:
                    raise ShapeError("Nothing that the recorded answer marks is in the text.")
            elif schema.quoted:
                marked = _marked(record, item.text, schema, names)
                p = marked.distribution
                confidence = marked.confidence if confidence is None else confidence
            else:
                p = _probabilities(record, schema, names, confidence)
        except ShapeError as unreadable:
            return TeacherAnswer(number=number, abstained=str(unreadable), **_costs(record))
        return TeacherAnswer(
            number=number,
            probabilities=p,
            spans=None if marked is None else marked.spans,
            dropped=0 if marked is None else marked.dropped,
            order=order,
            text=text,
            confidence=confidence,
            reason=str(record.get("reason") or ""),
            flags=flags,
            **_costs(record),
        )


def _probabilities(
    record: Record, schema: TeacherSchema, names: NameTable, confidence: float | None
) -> NDArray[np.float32]:
    """(k,) what was recorded; raises ShapeError with the reason to abstain."""
    given = record.get("probabilities")
    if given is not None:
        return _distribution(given, schema, names)
    columns = _columns(record, schema, names)
    if not schema.multi_label and len(set(columns)) != 1:
        raise ShapeError(f"The answer names {len(set(columns))} labels where one was asked for.")
    return spread(columns, confidence, schema)


def _order(record: Record, item: TeacherItem) -> Order:
    """The recorded order of the item's candidates; raises ShapeError with the reason to abstain."""
    given = record.get("order")
    if given is None:
        raise ShapeError("The recorded answer is no order.")
    order = read_order(given, len(item.candidates))
    if order is None:
        raise ShapeError(
            f"The recorded order does not name each of the item's {len(item.candidates)} candidates once."
        )
    return order


def _text(record: Record) -> str:
    """The recorded text; raises ShapeError with the reason to abstain."""
    if record.get("text") is None:
        raise ShapeError("The recorded answer is no text.")
    try:
        return kept(record["text"])
    except ShapeError as refusal:
        raise ShapeError(f"The recorded answer cannot be kept. {refusal}") from None


def _filled(
    record: Record,
    text: str,
    schema: TeacherSchema,
    names: NameTable,
    confidence: float | None,
) -> Said:
    """The recorded form; raises ShapeError with the reason to abstain.

    Where all questions are answered by marks it needs no labels.
    """
    marks_alone = all(one.marks for one in schema.questions)
    nothing = not record.get("labels") and not record.get("label")
    columns = [] if marks_alone and nothing else _columns(record, schema, names)
    given = record.get("spans")
    marks = None if given is None else _listed(given)
    if marks is not None:
        marked = [_column(one.get("label"), schema, names) for one in marks]
        if found := contradiction(schema, columns, marked):
            raise ShapeError(f"The recorded answer contradicts itself: {found[1]}")

    def said_to(question: TeacherQuestion) -> Given:
        own = set(question.columns)
        if not question.marks:
            return Given(columns=tuple(column for column in columns if column in own))
        if marks is None:
            raise ShapeError(
                f"The recorded answer has no spans, and “{question.name}” asks for them."
            )
        theirs = [one for one in marks if _column(one.get("label"), schema, names) in own]
        return given_marks(_located(theirs, text, schema, names))

    return fill(schema, said_to, confidence=confidence)


def _columns(record: Record, schema: TeacherSchema, names: NameTable) -> list[int]:
    """The columns of the labels that were named."""
    several = record.get("labels")
    if several is None and record.get("label") is None:
        raise ShapeError(_unreadable(record.get("raw")))
    said = [record["label"]] if several is None else several
    if not isinstance(said, list | tuple):
        raise ShapeError(_unreadable(several))
    return [_column(label, schema, names) for label in said]


def _marked(record: Record, text: str, schema: TeacherSchema, names: NameTable) -> Said:
    """The recorded spans that are in the text; raises ShapeError with the reason to abstain."""
    given = record.get("spans")
    if given is None and record.get("label"):
        raise ShapeError(_unreadable(record["label"]))
    return said_spans(_located(_listed(given), text, schema, names), schema)


def _listed(given: object) -> list[Record]:
    if not isinstance(given, list | tuple) or not all(isinstance(one, Mapping) for one in given):
        raise ShapeError("The recorded answer marks no spans.")
    return list(given)


def _located(
    given: Sequence[Record], text: str, schema: TeacherSchema, names: NameTable
) -> Located:
    """Those of the recorded spans that are in the text; raises ShapeError where none of some is."""
    quotes: list[Candidate] = []
    places: dict[Span, float | None] = {}
    outside = 0
    for one in given:
        column, sure = _column(one.get("label"), schema, names), _confidence(one)[0]
        if "quote" in one:
            quote, before = str(one["quote"]), str(one.get("before") or "")
            quotes.append(Candidate(quote=quote, before=before, column=column, confidence=sure))
            continue
        start, end = one.get("start"), one.get("end")
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text):
            places[Span(start, end, column)] = sure
        else:
            outside += 1
    found = locate(quotes, text)
    spans = sorted((places | dict(found.spans)).items())
    lost = found.dropped + outside
    if lost and not spans:
        raise ShapeError("Nothing that the recorded answer marks is in the text.")
    return Located(spans=tuple(spans), dropped=lost)


def _distribution(given: object, schema: TeacherSchema, names: NameTable) -> NDArray[np.float32]:
    if not isinstance(given, Mapping):
        raise ShapeError(_unreadable(given))
    p = np.full(schema.size, np.nan)
    for label, value in given.items():
        number = _number(value)
        p[_column(label, schema, names)] = np.nan if number is None else number
    if np.isnan(p).any():
        raise ShapeError("The recorded probabilities leave out a label or hold no number.")
    if not np.all((p >= 0) & (p <= 1)):
        raise ShapeError("The recorded probabilities do not lie between 0 and 1.")
    if not schema.multi_label:
        if abs(p.sum() - 1) > SUM_TOLERANCE:
            raise ShapeError("The recorded probabilities do not sum to 1.")
        p /= p.sum()
    return p.astype(np.float32)


def _column(label: object, schema: TeacherSchema, names: NameTable) -> int:
    column = None
    if isinstance(label, int) and not isinstance(label, bool):
        column = schema.column(label)
    elif isinstance(label, str):
        column = names.column(label)
    if column is None:
        raise ShapeError(_unreadable(label))
    return column


def _confidence(record: Record) -> tuple[float | None, tuple[str, ...]]:
    """The stated confidence, None where there is none; one that is no share is dropped and marked."""
    stated = record.get("confidence")
    if stated is None:
        return None, ()
    number = _number(stated)
    if number is None or not 0 <= number <= 1:
        return None, ("unreadable confidence",)
    return number, ()


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        return None
    return float(value) if math.isfinite(value) else None


def _costs(record: Record) -> dict[str, Any]:
    """Model, tokens, money and seconds; what is not a number of at least 0 counts as unknown, 0."""

    def at_least_zero(name: str) -> float:
        number = _number(record.get(name))
        return number if number is not None and number >= 0 else 0.0

    return {
        "model": str(record.get("model") or ""),
        "tokens_in": int(at_least_zero("tokens_in")),
        "tokens_out": int(at_least_zero("tokens_out")),
        "money": at_least_zero("money"),
        "seconds": at_least_zero("seconds"),
    }


def _unreadable(said: object) -> str:
    if said is None or said == "":
        return "The recorded answer names no label."
    shown = " ".join(str(said).split())
    shown = "".join(c if c.isprintable() else "�" for c in shown)
    shown = shown if len(shown) <= QUOTED else shown[: QUOTED - 1] + "…"
    return f"The recorded answer “{shown}” is no label of this project."
