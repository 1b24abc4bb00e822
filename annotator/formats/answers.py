"""Answers that a model gave elsewhere: from a record to whose item it is about and what was said."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from annotator.formats.guessing import Column, guess, separator_in
from annotator.formats.records import Record
from annotator.formats.written import plain_name

# What answers are made of; "marks": forms whose questions all mark the text.
Kind = Literal["labels", "spans", "order", "text", "form", "marks"]
# Parts of an answer that only some kinds of answers have.
OWN_PARTS: dict[Kind, tuple[str, ...]] = {
    "labels": ("label", "probabilities", "separator"),
    "spans": ("spans",),
    "order": ("order",),
    "text": ("written",),
    "form": ("label", "separator", "spans", "answers"),
    "marks": ("spans", "answers"),
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
    "written": (
        *("written", "prediction", "predicted_text", "answer", "response", "output", "completion"),
        *("generated", "summary", "translation", "correction", "caption"),
    ),
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
# Columns that hold what a model answered, whatever else the file holds.
_PREDICTED = {"prediction", "predicted_label", "predicted", "llm_label", "predicted_spans", "marks"}

_ELSE: dict[Kind, str] = {
    "labels": "Answers are labels here.",
    "spans": "Answers mark spans here.",
    "order": "Answers are orders of candidates here.",
    "text": "Answers are texts here.",
    "form": "Answers are forms here: a column for each question, or their labels in one and spans in another.",
    "marks": "Answers mark the text here, and name no other labels.",
}

# Parts one of which says what was answered, and what to do where none does.
_NEEDED: dict[Kind, tuple[tuple[str, ...], str]] = {
    "labels": (
        ("label", "probabilities"),
        "Say which column holds the answers: the label, or the probabilities.",
    ),
    "spans": (("spans",), "Say which column holds the spans that were marked."),
    "order": (("order",), "Say which column holds the order of the candidates."),
    "text": (("written",), "Say which column holds the text that was written."),
    "form": (
        ("answers", "label"),
        "Say which columns answer the questions, or which one holds the labels, each with its question.",
    ),
    "marks": (
        ("answers", "spans"),
        "Say which columns answer the questions, or which one holds the spans of all.",
    ),
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
    `written` is the text that was answered. `answers` are columns each of which answers the question of a form that it is named after.
    `separator` splits one cell into several labels; '' takes a cell as one label.
    """

    id: str = ""
    number: str = ""
    text: str = ""
    text_b: str = ""
    label: str = ""
    probabilities: str = ""
    spans: str = ""
    answers: tuple[str, ...] = ()
    order: str = ""
    written: str = ""
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
            return cls(**{**values, "answers": tuple(values.get("answers") or ())})
        except TypeError as error:
            raise KeyError(str(error)) from error

    def to_json(self) -> dict[str, Any]:
        """Give the mapping as JSON has it."""
        return {**asdict(self), "answers": list(self.answers)}

    def problem(self, kind: Kind = "labels") -> str:
        """Why no answer can be read with it, "" when one can. kind: what answers are made of."""
        if kind == "order" and not (self.id or self.number):
            return "Say which column tells the item: your own id, or its number."
        if not (self.id or self.number or self.text):
            return "Say which column tells the item: your own id, its number, or its text."
        if self.answers and (self.label or self.spans):
            return (
                "Choose the columns that answer questions, or those that hold all labels and spans."
            )
        if kind == "labels" and self.spans:
            return "Answers mark no spans here."
        parts, told = _NEEDED[kind]
        if not any(getattr(self, part) for part in parts):
            return told
        strange = [part for part in foreign(kind) if part != "separator" and getattr(self, part)]
        return _ELSE[kind] if strange else ""


def guess_answers(
    columns: Sequence[Column],
    records: Sequence[Record],
    kind: Kind = "labels",
    asked: AnyMapping[str, str] | None = None,
) -> AnswerMapping:
    """Propose a mapping by the columns' names; text and id as in any file of items.

    kind: what answers are made of. asked: what a file may call the questions of a form, as `plain_name` has
    it, with their names.
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
    answers = _answering(columns, asked or {}, alone=not (found.get("label") or found.get("spans")))
    if answers:
        found |= dict.fromkeys(("label", "spans"), "")
    taken = {*found.values(), *answers} - {""}
    items = guess([column for column in columns if column.name not in taken], records)
    if "label" not in absent and not answers:
        label = found["label"] or items.label
        found |= {"label": label, "separator": separator_in(label, records)}
    told = items.id or found["number"] or "text" in absent
    return AnswerMapping(
        **found,
        answers=answers,
        id=items.id,
        # An id tells the item by itself; a text may be there several times.
        text="" if told else items.text,
        text_b="" if told else items.text_b,
    )


def _answering(
    columns: Sequence[Column], asked: AnyMapping[str, str], *, alone: bool
) -> tuple[str, ...]:
    """The columns that are called as questions are: all of these, where another column may hold labels too,
    and none where one says that it holds a model's answers.
    """
    names = {plain_name(column.name): column.name for column in columns}
    found = {asked[plain]: name for plain, name in names.items() if plain in asked}
    enough = alone or set(found) == set(asked.values())
    return tuple(found.values()) if enough and _PREDICTED.isdisjoint(names) else ()
