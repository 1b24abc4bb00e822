"""What one row of a file of answers says, under a mapping of its columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from annotator.formats.answers import AnswerMapping
from annotator.formats.mapping import LABELS_PER_ROW, LONGEST_ID, LONGEST_LABEL, listed
from annotator.formats.plain import json_in, number_in, words_in
from annotator.formats.records import LABEL_PATH, Record, RowError
from annotator.formats.spans import span_of
from annotator.formats.written import plain_name
from learning.errors import ShapeError
from learning.tasks.values import spelled_task
from learning.written import kept

LONGEST_MODEL = 200
LONGEST_REASON = 1_000
LONGEST_QUOTE = 2_000
LONGEST_ORDER = 1_000
SPANS_PER_ROW = 1_000
MOST_TOKENS = 2**31 - 1
MOST_MONEY = 1e8
SUM_TOLERANCE = 0.02  # rounded probabilities may miss 1 by this


class AskedOf(NamedTuple):
    """The question that a column answers: its name, whether it takes several labels, or marks the text."""

    name: str
    several: bool = False
    marks: bool = False


@dataclass(slots=True, kw_only=True)
class ReadAnswer:
    """What one row says.

    labels: names, empty where several may hold and none does; None where the row names none.
    probabilities: by label name, None where the row has none.
    spans: each with the name of its `label` and either `start` and `end` or a `quote` of the text and
    the words `before` it, and its `confidence` where it is known; None where the row has no list.
    order: the candidates' numbers, the best first, equals in one list; None where the row has none.
    written: the text as it is kept; None where the row has none.
    stood: the column of each name.
    """

    row: int
    id: str = ""
    number: int | None = None
    text: str = ""
    text_b: str = ""
    labels: tuple[str, ...] | None = None
    probabilities: dict[str, float] | None = None
    spans: tuple[dict[str, Any], ...] | None = None
    order: list[Any] | None = None
    written: str | None = None
    confidence: float | None = None
    model: str = ""
    reason: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    seconds: float = 0.0
    stood: dict[str, str] = field(default_factory=dict)

    @property
    def is_silent(self) -> bool:
        """Whether it says nothing of its item."""
        said = (self.labels, self.probabilities, self.spans, self.order, self.written)
        return all(one is None for one in said)

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that it names, each once."""
        marked = (span["label"] for span in self.spans or ())
        return tuple(dict.fromkeys([*(self.labels or self.probabilities or ()), *marked]))


def read_answer(
    record: Record,
    mapping: AnswerMapping,
    *,
    multi_label: bool,
    asked: Mapping[str, AskedOf] | None = None,
) -> ReadAnswer:
    """What a record says; raises RowError naming every column that stands in the way.

    asked: the question that a column answers, by what the column is called, as `plain_name` has it.
    """
    reading = _Reading(record, mapping)
    labels, spans = reading.labels(multi_label=multi_label), reading.spans()
    if mapping.answers:
        labels, spans = reading.answers(asked or {})
    found = ReadAnswer(
        row=record.row,
        id=reading.short("id", LONGEST_ID),
        number=reading.item_number(),
        text=reading.text("text"),
        text_b=reading.text("text_b"),
        labels=labels,
        probabilities=reading.probabilities(multi_label=multi_label),
        spans=spans,
        order=reading.order(),
        written=reading.written(),
        confidence=reading.share(),
        model=reading.short("model", LONGEST_MODEL),
        reason=reading.words("reason")[:LONGEST_REASON],
        tokens_in=int(reading.amount("tokens_in", MOST_TOKENS)),
        tokens_out=int(reading.amount("tokens_out", MOST_TOKENS)),
        money=reading.amount("money", MOST_MONEY),
        seconds=reading.amount("seconds", MOST_TOKENS),
    )
    if not (found.id or found.number is not None or found.text) and not reading.faults:
        column = mapping.id or mapping.number or mapping.text
        reading.faults.append((column, "The row does not say which item it is about."))
    if reading.faults:
        raise RowError(reading.faults)
    found.stood = reading.stood | dict.fromkeys(found.probabilities or (), mapping.probabilities)
    return found


class _Reading:
    """One record under a mapping; faults gather while its parts are read."""

    def __init__(self, record: Record, mapping: AnswerMapping) -> None:
        self.fields, self.mapping = record.fields, mapping
        self.faults: list[tuple[str, str]] = []
        self.stood: dict[str, str] = {}

    def value(self, part: str) -> Any:
        column = getattr(self.mapping, part)
        return self.fields.get(column) if column else None

    def fault(self, part: str, told: str) -> None:
        self.faults.append((getattr(self.mapping, part), told))

    def words(self, part: str) -> str:
        value = self.value(part)
        if isinstance(value, dict | list):
            self.fault(part, "A list or an object stands here.")
            return ""
        return words_in(value).strip()

    def text(self, part: str) -> str:
        """As it is: it is compared with the items' texts."""
        value = self.value(part)
        return value if isinstance(value, str) else self.words(part)

    def short(self, part: str, most: int) -> str:
        found = self.words(part)
        if len(found) > most:
            self.fault(part, f"{len(found):,} characters stand here; at most {most}.")
        return found

    def item_number(self) -> int | None:
        found = self.words("number")
        if not found:
            return None
        if not (found.isascii() and found.isdigit() and len(found) <= 9):
            self.fault("number", f"“{found[:40]}” is no number of an item.")
            return None
        return int(found)

    def share(self) -> float | None:
        """A confidence: 0 … 1, or a percentage with its sign."""
        value = self.words("confidence")
        if not value:
            return None
        percent = value.endswith("%")
        number = number_in(value.removesuffix("%"))
        number = number / 100 if number is not None and percent else number
        if number is None or not 0 <= number <= 1:
            self.fault("confidence", f"“{value[:40]}” is no confidence between 0 and 1.")
            return None
        return number

    def amount(self, part: str, most: float) -> float:
        value = self.words(part)
        number = number_in(value) if value else 0.0
        if number is None or not 0 <= number <= most:
            self.fault(part, f"“{value[:40]}” is no number of at least 0.")
            return 0.0
        return number

    def labels(self, *, multi_label: bool) -> tuple[str, ...] | None:
        """The names of the one column of labels."""
        found = self._names(self.mapping.label, several=multi_label)
        self._placed(self.mapping.label, found)
        return found

    def spans(self) -> tuple[dict[str, Any], ...] | None:
        """The marked places of the one column of spans."""
        found = self._places(self.mapping.spans)
        self._placed(self.mapping.spans, [one["label"] for one in found or ()])
        return found

    def answers(
        self, asked: Mapping[str, AskedOf]
    ) -> tuple[tuple[str, ...] | None, tuple[dict[str, Any], ...] | None]:
        """Labels and places of the columns that answer questions, named after these."""
        labels: list[str] | None = None
        spans: list[dict[str, Any]] | None = None
        for column in self.mapping.answers:
            question = asked.get(plain_name(column))
            if question is None:
                self.faults.append((column, "No question that a teacher answers is called so."))
            elif question.marks and (places := self._places(column)) is not None:
                named = [one | {"label": _below(question, one["label"])} for one in places]
                self._placed(column, [one["label"] for one in named])
                spans = [*(spans or ()), *named]
            elif not question.marks:
                names = self._names(column, several=question.several)
                if names is not None:
                    labels = [*(labels or ()), *(_below(question, name) for name in names)]
                    self._placed(column, labels)
        return None if labels is None else tuple(labels), None if spans is None else tuple(spans)

    def _placed(self, column: str, names: Iterable[str] | None) -> None:
        """Remember where names stood; the first place counts."""
        for name in names or ():
            self.stood.setdefault(name, column)

    def _names(self, column: str, *, several: bool) -> tuple[str, ...] | None:
        """The names in the cell, also as JSON; a list that is empty is an answer where several may hold."""
        value = listed(self.fields.get(column)) if column else None
        mark = self.mapping.separator
        if isinstance(value, list):
            parts = value
        elif isinstance(value, str) and mark and several:
            parts = value.split(mark)
        else:
            parts = [value]
        if any(isinstance(part, dict | list) for part in parts) or len(parts) > LABELS_PER_ROW:
            told = "A name of a label, or a list of names, was expected here."
            self.faults.append((column, told))
            return None
        # A model may write anything where a label should be: what is too long is cut, it is none.
        names = (words_in(part).strip()[:LONGEST_LABEL] for part in parts)
        found = tuple(dict.fromkeys(name for name in names if name))
        if found or (several and isinstance(value, list)):
            return found
        return None

    def probabilities(self, *, multi_label: bool) -> dict[str, float] | None:
        value = self.value("probabilities")
        if value is None or value == "":
            return None
        if isinstance(value, str):
            value = json_in(value)
        if not isinstance(value, dict) or not value or len(value) > LABELS_PER_ROW:
            self.fault("probabilities", 'An object such as {"Refund": 0.9, …} was expected here.')
            return None
        found = {str(name).strip()[:LONGEST_LABEL]: number_in(p) for name, p in value.items()}
        shares = {name: p for name, p in found.items() if p is not None and 0 <= p <= 1}
        if len(shares) < len(value):
            self.fault("probabilities", "Each label needs one probability between 0 and 1.")
            return None
        if not multi_label and abs(sum(shares.values()) - 1) > SUM_TOLERANCE:
            self.fault("probabilities", "The probabilities of one label do not sum to 1.")
            return None
        return shares

    def _places(self, column: str) -> tuple[dict[str, Any], ...] | None:
        """The marked places in the cell; a list that is empty says that nothing is marked."""
        value = self.fields.get(column) if column else None
        if value is None or value == "":
            return None
        if isinstance(value, str):
            value = json_in(value)
        if not isinstance(value, list) or len(value) > SPANS_PER_ROW:
            told = f"A list of at most {SPANS_PER_ROW:,} spans was expected here."
            self.faults.append((column, told))
            return None
        try:
            named = ((one, f"Span {place}") for place, one in enumerate(value, 1))
            return tuple(self._span(one, name, column) for one, name in named)
        except RowError as bad:
            self.faults += bad.faults
            return None

    def order(self) -> list[Any] | None:
        """As JSON or words such as "2 > 1 = 3"; whether it fits its item is looked at when that is asked."""
        value = self.value("order")
        if value is None or value == "":
            return None
        words = json.dumps(value) if isinstance(value, list) else self.words("order")
        try:
            found: list[Any] = spelled_task("ranking").unspell(words[:LONGEST_ORDER])["order"]
            if all(type(one) is int for group in found for one in group):
                return found
            self.fault("order", "An order names candidates by whole numbers from 1.")
        except ShapeError as bad:
            self.fault("order", str(bad))
        return None

    def written(self) -> str | None:
        """As people's are kept; a blank cell is no answer."""
        text = self.text("written")
        if not text.replace("\x00", "").strip():
            return None
        try:
            return kept(text)
        except ShapeError as bad:
            self.fault("written", str(bad))
            return None

    def _span(self, one: Any, name: str, column: str) -> dict[str, Any]:
        """A place, or words to be found in the text, as models give them."""
        if not (isinstance(one, dict) and "quote" in one):
            start, end, label = span_of(one, name, column)
            found: dict[str, Any] = {"start": start, "end": end, "label": label[:LONGEST_LABEL]}
        else:
            words = [one["quote"], one.get("before") or "", one.get("label")]
            if not all(isinstance(each, str) and len(each) <= LONGEST_QUOTE for each in words):
                raise RowError([(column, f"{name} needs a quote of the text and a label.")])
            plain = (each.replace("\x00", "") for each in words)
            found = dict(zip(("quote", "before", "label"), plain, strict=True))
        if isinstance(one, dict) and one.get("confidence") is not None:
            sure = number_in(one["confidence"])
            if sure is None or not 0 <= sure <= 1:
                raise RowError([(column, f"{name}: its confidence is not between 0 and 1.")])
            found["confidence"] = sure
        return found


def _below(question: AskedOf, name: str) -> str:
    return f"{question.name}{LABEL_PATH}{name}"
