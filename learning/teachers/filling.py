"""Forms as a language model fills them in: what it is told of each question, and how that is read.

A form is answered as a whole or not at all. What is said to a question that the answers before do not
lead to is dropped unread; one that they lead to has to be answered from its own list.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.errors import ShapeError
from learning.teachers.quoting import Located, candidate_format, closed, locate
from learning.teachers.said import (
    Said,
    candidate_in,
    column_in,
    confidence_in,
    likely,
    reason_in,
)
from learning.teachers.types import TeacherQuestion, TeacherSchema
from learning.types import Bools, require

TASK = (
    "You fill in a form about each item. Answer its questions in their order, from what the item says; "
    "leave out those that your earlier answers do not lead to."
)
PROBLEM = "The form was not filled in as described: "


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is said to one question: label columns, or what is marked for one that marks."""

    columns: tuple[int, ...] = ()
    marked: Located | None = None


def chosen(schema: TeacherSchema, p: NDArray[np.float32]) -> Bools:
    """(k,) bool: the labels of a whole form, by (k,) chances as an answer has them: of each question those that
    hold if it is asked.
    """
    found = np.zeros(schema.size, dtype=np.bool_)
    for one in schema.questions:
        columns = list(one.columns)
        if one.after and not found[list(one.after)].any():
            continue
        if one.several or one.marks:
            found[columns] = p[columns] > 0.5
        elif p[columns].any():
            found[columns[int(p[columns].argmax())]] = True
    return found


def fill(
    schema: TeacherSchema,
    said_to: Callable[[TeacherQuestion], Given | None],
    *,
    confidence: float | None = None,
    reason: str = "",
) -> Said:
    """The whole answer, question by question as far as the answers lead.

    said_to: what is said to a question, None where whoever answers cannot tell, and then nothing is
    answered. Raises ShapeError, naming the question, for what is no answer to it.
    """
    given: list[tuple[TeacherQuestion, Given]] = []
    named: set[int] = set()
    for question in schema.questions:
        if question.after and named.isdisjoint(question.after):
            continue
        one = said_to(question)
        if one is None:
            return Said(None, reason=reason)
        if one.marked is not None and one.marked.dropped and not one.marked.spans:
            return Said(None, reason=reason, dropped=one.marked.dropped)
        _check(question, one)
        named.update(one.columns)
        given.append((question, one))
    found = [one.marked for _, one in given if one.marked is not None]
    spans = sorted((span, p) for each in found for span, p in each.spans)
    stated = [confidence, *(p for _, p in spans)]
    return Said(
        columns=tuple(sorted(named)),
        confidence=min((p for p in stated if p is not None), default=None),
        reason=reason,
        distribution=_chances(schema, given, confidence),
        spans=tuple((span, likely(p)) for span, p in spans) if schema.marks else None,
        dropped=sum(each.dropped for each in found),
    )


def reached(schema: TeacherSchema, given: Collection[int]) -> list[TeacherQuestion]:
    """The questions that these labels, by column, lead to; those of a question that is not asked lead nowhere."""
    led: set[int] = set()
    found: list[TeacherQuestion] = []
    for one in schema.questions:
        if not one.after or not led.isdisjoint(one.after):
            found.append(one)
            led |= set(one.columns) & set(given)
    return found


def contradiction(
    schema: TeacherSchema, named: Collection[int], marked: Collection[int]
) -> tuple[int, str] | None:
    """A label by column, and why labels and marks cannot be of one form; None where they can.

    named: columns of the labels that were given; those of marks may be among them, and are then all
    of them. marked: columns of the labels that marks carry.
    """
    marking = _marking(schema)
    asked = reached(schema, set(named) - marking | set(marked))

    def of(columns: Collection[int], told: str) -> tuple[int, str]:
        return min(columns), f"“{schema.labels[min(columns)].name}” is {told}"

    if strange := set(marked) - marking:
        return of(strange, "marked, and it answers no question that asks for marks.")
    if lost := set(named) & marking - set(marked):
        return of(lost, "among the labels, and nothing is marked with it.")
    if left_out := set(named) & marking and set(marked) - set(named):
        return of(
            left_out, "marked, and it is not among the labels, where other marks' labels are."
        )
    if unled := set(marked) - {column for one in asked for column in one.columns}:
        return of(unled, "marked, and its question is not asked after these answers.")
    return None


def _marking(schema: TeacherSchema) -> set[int]:
    """The columns of the labels that mark the text."""
    return {column for one in schema.questions if one.marks for column in one.columns}


def _check(question: TeacherQuestion, one: Given) -> None:
    require(
        set(one.columns) <= set(question.columns),
        f"“{question.name}” is answered by labels of its own.",
    )
    if question.several or question.marks:
        return
    require(len(one.columns) > 0, f"“{question.name}” has no answer.")
    require(len(one.columns) == 1, f"“{question.name}” takes one answer.")


def _chances(
    schema: TeacherSchema,
    given: Sequence[tuple[TeacherQuestion, Given]],
    confidence: float | None,
) -> NDArray[np.float32]:
    """(k,) how likely each label is given; those of a question with one answer sum to 1, those of a
    question that is not asked are 0.
    """
    p = np.zeros(schema.size, dtype=np.float32)
    sure = likely(confidence)
    for question, one in given:
        own = list(question.columns)
        if one.marked is not None:
            for span, chance in one.marked.spans:
                p[span.label] = max(p[span.label], likely(chance))
        elif question.several:
            p[own] = 1 - sure
            p[list(one.columns)] = sure
        else:
            p[own] = (1 - sure) / max(len(own) - 1, 1)
            p[list(one.columns)] = sure if len(own) > 1 else 1
    return p


# What a language model is told, and what it wrote


def told(schema: TeacherSchema, line: Callable[[int], str]) -> str:
    """The questions with their labels, as the system part lists them. line: of a label, by column."""
    parts = ["Questions, in this order, each with the labels that answer it, by id:"]
    for one in schema.questions:
        kind = "one label"
        if one.marks:
            kind = "spans of the text, each with a label; there may be none"
        elif one.several:
            kind = "every label that fits; none may fit"
        elif one.ordered:
            kind = "one grade, listed from low to high"
        after = ", ".join(
            f"{schema.labels[c].id} ({_flat(schema.labels[c].name)})" for c in one.after
        )
        only = f" Asked only if one of these was given: {after}." if after else ""
        parts.append(
            f"{json.dumps(one.key, ensure_ascii=False)}: {_flat(one.name)} ({kind}).{only}"
        )
        parts += [line(column) for column in one.columns]
    return "\n".join(parts)


def form_shape(schema: TeacherSchema, *, confidence: bool, reason: bool) -> str:
    """The last paragraph of the system part: the form of an answer."""
    one: dict[str, Any] = {"item": "the item's id"}
    if reason:
        one["reason"] = "one short sentence, before you decide"
    candidate: dict[str, Any] = {
        "before": "the few words just before it", "quote": "the stretch",
        "label": "label id", "verdict": True,
    }  # fmt: skip
    if confidence:
        candidate["confidence"] = 0.8
    one["form"] = {
        each.key: [candidate] if each.marks else ["label id", "…"] if each.several else "label id"
        for each in schema.questions
    }
    rules = [
        "Label ids come from the question's own list and from nowhere else.",
        'Give null for a question that is not asked, and null for "form" if you cannot tell.',
    ]
    if any(each.several or each.marks for each in schema.questions):
        rules.append("Give an empty list where a question that takes several finds none.")
    if schema.marks:
        rules.append(
            "Copy quotes and the words before them from the item's text letter by letter; words that "
            "stand in several places are quoted once for each that you mean."
        )
    if confidence:
        one["confidence"] = 0.8
        rules.append('"confidence" is between 0 and 1: how likely the whole form is right.')
    shape = json.dumps({"answers": [one]}, ensure_ascii=False)
    return f"Answer with JSON only, one entry for every item: {shape}\n{' '.join(rules)}"


def form_format(schema: TeacherSchema, *, confidence: bool) -> dict[str, Any]:
    """The JSON schema of a form: a property for each question, null where it is not asked."""
    properties = {}
    for one in schema.questions:
        ids = [str(schema.labels[column].id) for column in one.columns]
        answer: dict[str, Any] = {"type": "string", "enum": ids}
        if one.marks:
            answer = {"type": "array", "items": candidate_format(ids, confidence=confidence)}
        elif one.several:
            answer = {"type": "array", "items": answer}
        properties[one.key] = {"anyOf": [answer, {"type": "null"}]}
    return {"anyOf": [closed(properties), {"type": "null"}]}


def shown(
    schema: TeacherSchema, labels: Sequence[int], spans: Sequence[Any]
) -> dict[str, Any] | None:
    """A solved item's form; None for one that the prompt would forbid, since a question that is asked has
    not the one answer that it takes. labels: ids. spans: its candidates as they are written, of what is
    sent of the text; what is said to a question that they and the labels do not lead to is left out.
    """
    quoted = {schema.column(int(each["label"])) for each in spans}
    unquoted = _marking(schema) - quoted
    columns = {schema.column(label) for label in labels} - unquoted
    given = {column for column in columns if column is not None}
    asked = reached(schema, given)
    form: dict[str, Any] = {}
    for one in schema.questions:
        own = [str(schema.labels[column].id) for column in one.columns if column in given]
        if one not in asked:
            form[one.key] = None
        elif one.marks:
            form[one.key] = [each for each in spans if each["label"] in own]
        elif one.several:
            form[one.key] = own
        elif len(own) == 1:
            form[one.key] = own[0]
        else:
            return None
    return form


def read_form(
    entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema, text: str
) -> Said:
    """One entry as an answer. text: what was sent of the item's.

    Raises ShapeError for what is none. It names the question by our own words alone: what the model wrote
    may obey an item's text, and the sentence stands in the next prompt.
    """
    form = entry.get("form")
    require("form" in entry and (form is None or isinstance(form, dict)), "an item has no form.")
    reason = reason_in(entry.get("reason"))
    if not isinstance(form, dict):
        return Said(None, reason=reason)
    strange = set(form) - {one.key for one in schema.questions}
    require(not strange, "it answers a question that is not one of them.")

    def said_to(question: TeacherQuestion) -> Given | None:
        require(question.key in form, f"“{_flat(question.name)}” is left out.")
        value = form[question.key]
        return None if value is None else _read(question, value, ids, text)

    return fill(schema, said_to, confidence=confidence_in(entry.get("confidence")), reason=reason)


def _read(question: TeacherQuestion, value: object, ids: Mapping[str, int], text: str) -> Given:
    """What was written to one question; raises ShapeError for what is no list of its own."""
    name = _flat(question.name)
    several = question.several or question.marks
    if several != isinstance(value, list):
        raise ShapeError(f"“{name}” takes {'a list' if several else 'one label, and no list'}.")
    parts = value if isinstance(value, list) else [value]
    if question.marks:
        return _read_marks(name, set(question.columns), parts, ids, text)
    found = [column for one in parts if (column := column_in(one, ids)) is not None]
    if len(found) < len(parts) or not set(found) <= set(question.columns):
        raise ShapeError(f"“{name}” has a label that is not on its list.")
    return Given(columns=tuple(dict.fromkeys(found)))


def _read_marks(
    name: str, own: set[int], parts: Sequence[object], ids: Mapping[str, int], text: str
) -> Given:
    labels = [column_in(one.get("label"), ids) for one in parts if isinstance(one, dict)]
    if not set(labels) <= own:
        raise ShapeError(f"“{name}” has a label that is not on its list.")
    candidates = [candidate_in(one, ids) for one in parts]
    known = [one for one in candidates if one is not None]
    if len(known) < len(parts):
        raise ShapeError(f"“{name}” has a stretch without its quote, its label, or its verdict.")
    return given_marks(locate(known, text))


def given_marks(found: Located) -> Given:
    """Marks as what is said to a question: the labels that occur, and the places."""
    occurring = dict.fromkeys(span.label for span, _ in found.spans)
    return Given(columns=tuple(occurring), marked=found)


def _flat(text: str) -> str:
    return " ".join(text.split())
