"""Answers that a model gave elsewhere: from a record to whose item it is about and what was said."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from annotator.formats.guessing import Column, guess, separator_in
from annotator.formats.mapping import LABELS_PER_ROW, LONGEST_ID, LONGEST_LABEL, listed
from annotator.formats.plain import json_in, number_in, words_in
from annotator.formats.records import Record, RowError
from annotator.formats.spans import span_of
from learning.errors import ShapeError
from learning.tasks.values import spelled_task

LONGEST_MODEL = 200
LONGEST_REASON = 1_000
LONGEST_QUOTE = 2_000
LONGEST_ORDER = 1_000
SPANS_PER_ROW = 1_000
MOST_TOKENS = 2**31 - 1
MOST_MONEY = 1e8
SUM_TOLERANCE = 0.02  # rounded probabilities may miss 1 by this

Kind = Literal["labels", "spans", "order", "form"]
# Parts of an answer that only some kinds of answers have.
OWN_PARTS: dict[Kind, tuple[str, ...]] = {
    "labels": ("label", "probabilities", "separator"),
    "spans": ("spans",),
    "order": ("order",),
    "form": ("label", "separator", "spans"),
}
# The parts of an answer, and columns that usually hold them.
_USUAL = {
    "number": ("number", "item_number"),
    # A file with a column "label" beside a prediction holds the right answer in it.
    "label": (
        *("prediction", "predicted_label", "predicted", "llm_label", "answer", "response"),
        *("label", "labels", "category", "class", "intent", "said"),
    ),
    "probabilities": ("probabilities", "distribution", "scores", "probs"),
    # Likewise with marked places: "spans" beside a prediction are the right ones.
    "spans": (
        *("prediction", "predicted_spans", "marks", "answer", "response"),
        *("spans", "entities", "label", "labels"),
    ),
    "order": ("order", "ranking", "prediction", "predicted_order", "answer", "response"),
    "confidence": ("confidence", "score", "probability", "certainty"),
    "model": ("model", "model_name", "annotator", "llm"),
    "reason": ("reason", "explanation", "rationale"),
    "tokens_in": ("tokens_in", "prompt_tokens", "input_tokens"),
    "tokens_out": ("tokens_out", "completion_tokens", "output_tokens"),
    "money": ("money", "cost", "price"),
    "seconds": ("seconds", "latency", "duration"),
}


# Columns that hold spans where labels stand in another one.
BESIDE_LABELS = ("predicted_spans", "marks", "spans", "entities")


_ELSE: dict[Kind, str] = {
    "labels": "Answers are labels here.",
    "spans": "Answers mark spans here.",
    "order": "Answers are orders of candidates here.",
    "form": "Answers are forms here: their labels in one column, and spans of the text in another.",
}


def foreign(kind: Kind) -> tuple[str, ...]:
    """Parts of an answer that only answers of other kinds have. A text may be asked about several lists of
    candidates, so that it tells no item there.
    """
    every = dict.fromkeys(part for parts in OWN_PARTS.values() for part in parts)
    others = tuple(part for part in every if part not in OWN_PARTS[kind])
    return (*others, "text", "text_b") if kind == "order" else others


@dataclass(frozen=True, kw_only=True)
class AnswerMapping:
    """A column's name for each part of an answer, '' for none.

    The item is found by the caller's own id, by its number in the project, or by its text.
    `separator` splits one cell into several labels; '' takes a cell as one label.
    """

    id: str = ""
    number: str = ""
    text: str = ""
    text_b: str = ""
    label: str = ""
    probabilities: str = ""
    spans: str = ""
    order: str = ""
    confidence: str = ""
    model: str = ""
    reason: str = ""
    tokens_in: str = ""
    tokens_out: str = ""
    money: str = ""
    seconds: str = ""
    separator: str = ""

    @classmethod
    def from_json(cls, values: AnyMapping[str, Any]) -> AnswerMapping:
        """Make a mapping of a stored one; unknown names are a KeyError."""
        try:
            return cls(**values)
        except TypeError as error:
            raise KeyError(str(error)) from error

    def to_json(self) -> dict[str, str]:
        """Give the mapping as JSON has it."""
        return asdict(self)

    def problem(self, kind: Kind = "labels") -> str:
        """Why no answer can be read with it, "" when one can. kind: what answers are made of."""
        if kind == "order" and not (self.id or self.number):
            return "Say which column tells the item: your own id, or its number."
        if not (self.id or self.number or self.text):
            return "Say which column tells the item: your own id, its number, or its text."
        if kind == "spans" and not self.spans:
            return "Say which column holds the spans that were marked."
        if kind == "order" and not self.order:
            return "Say which column holds the order of the candidates."
        if kind == "labels" and self.spans:
            return "Answers mark no spans here."
        if kind == "form" and not self.label:
            return "Say which column holds the labels, each with its question."
        if kind == "labels" and not (self.label or self.probabilities):
            return "Say which column holds the answers: the label, or the probabilities."
        strange = [part for part in foreign(kind) if part != "separator" and getattr(self, part)]
        return _ELSE[kind] if strange else ""


@dataclass(slots=True, kw_only=True)
class ReadAnswer:
    """What one row says.

    labels: names, empty where several may hold and none does; None where the row names none.
    probabilities: by label name, None where the row has none.
    spans: each with the name of its `label` and either `start` and `end` or a `quote` of the text and
    the words `before` it, and its `confidence` where it is known; None where the row has no list.
    order: the candidates' numbers, the best first, equals in one list; None where the row has none.
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
    confidence: float | None = None
    model: str = ""
    reason: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    seconds: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The labels that it names, each once."""
        marked = (span["label"] for span in self.spans or ())
        return tuple(dict.fromkeys([*(self.labels or self.probabilities or ()), *marked]))


def guess_answers(
    columns: Sequence[Column], records: Sequence[Record], kind: Kind = "labels"
) -> AnswerMapping:
    """Propose a mapping by the columns' names; text and id as in any file of items.

    kind: what answers are made of.
    """
    names = {column.name.strip().casefold(): column.name for column in columns}
    absent = foreign(kind)
    found = {
        part: next((names[name] for name in usual if name in names), "")
        for part, usual in _USUAL.items()
        if part not in absent
    }
    if kind == "form":
        found["spans"] = next((names[name] for name in BESIDE_LABELS if name in names), "")
    taken = {name for name in found.values() if name}
    items = guess([column for column in columns if column.name not in taken], records)
    if "label" not in absent:
        label = found["label"] or items.label
        found |= {"label": label, "separator": separator_in(label, records)}
    told = items.id or found["number"] or "text" in absent
    return AnswerMapping(
        **found,
        id=items.id,
        # An id tells the item by itself; a text may be there several times.
        text="" if told else items.text,
        text_b="" if told else items.text_b,
    )


def read_answer(record: Record, mapping: AnswerMapping, *, multi_label: bool) -> ReadAnswer:
    """What a record says; raises RowError naming every column that stands in the way."""
    reading = _Reading(record, mapping)
    found = ReadAnswer(
        row=record.row,
        id=reading.short("id", LONGEST_ID),
        number=reading.item_number(),
        text=reading.text("text"),
        text_b=reading.text("text_b"),
        labels=reading.labels(multi_label=multi_label),
        probabilities=reading.probabilities(multi_label=multi_label),
        spans=reading.spans(),
        order=reading.order(),
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
    return found


class _Reading:
    """One record under a mapping; faults gather while its parts are read."""

    def __init__(self, record: Record, mapping: AnswerMapping) -> None:
        self.fields, self.mapping = record.fields, mapping
        self.faults: list[tuple[str, str]] = []

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
        """The names in the cell, also as JSON; a list that is empty is an answer where several may hold."""
        value = listed(self.value("label"))
        mark = self.mapping.separator
        if isinstance(value, list):
            parts = value
        elif isinstance(value, str) and mark and multi_label:
            parts = value.split(mark)
        else:
            parts = [value]
        if any(isinstance(part, dict | list) for part in parts) or len(parts) > LABELS_PER_ROW:
            self.fault("label", "A name of a label, or a list of names, was expected here.")
            return None
        # A model may write anything where a label should be: what is too long is cut, it is none.
        names = (words_in(part).strip()[:LONGEST_LABEL] for part in parts)
        found = tuple(dict.fromkeys(name for name in names if name))
        if found or (multi_label and isinstance(value, list)):
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

    def spans(self) -> tuple[dict[str, Any], ...] | None:
        """The marked places; a list that is empty says that nothing is marked."""
        value = self.value("spans")
        if value is None or value == "":
            return None
        if isinstance(value, str):
            value = json_in(value)
        if not isinstance(value, list) or len(value) > SPANS_PER_ROW:
            self.fault("spans", f"A list of at most {SPANS_PER_ROW:,} spans was expected here.")
            return None
        try:
            return tuple(self._span(one, f"Span {place}") for place, one in enumerate(value, 1))
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

    def _span(self, one: Any, name: str) -> dict[str, Any]:
        """A place, or words to be found in the text, as models give them."""
        column = self.mapping.spans
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
