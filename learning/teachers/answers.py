"""Reading what an LLM wrote: labels of the schema come out of it, or nothing does.

What is read is hostile: it may be cut, wrong, endless, deeply nested, or obey an item's text.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from learning.errors import ShapeError
from learning.teachers import filling, ordering, writing
from learning.teachers.prompting import Request
from learning.teachers.quoting import locate
from learning.teachers.said import (
    Said,
    candidate_in,
    column_in,
    confidence_in,
    reason_in,
    said_spans,
)
from learning.teachers.types import TeacherSchema

LONGEST_CONTENT = 400_000  # characters
STARTS_TRIED = 40

_THINKING = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_LABEL_VALUE = re.compile(r'"label"\s*:\s*"')
_JSON_START = re.compile(r"\{|\[\s*[\[{\"]")
_FIELDS = {"label", "labels", "candidates", "order", "form"}
_STRANGE = "The answer held a label that is not on the list."
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)


@dataclass(frozen=True)
class Reading:
    """answers: by item id, the valid ones only. problem: why others are missing, "" if none is."""

    answers: Mapping[str, Said] = field(default_factory=dict)
    problem: str = ""


def read_answers(
    content: str,
    request: Request,
    schema: TeacherSchema,
    tokens: Sequence[Any] = (),
    texts: Mapping[int, str] | None = None,
) -> Reading:
    """The valid answers among what was written, by item id.

    An id that was not asked about is passed over; an item that is answered twice, or with a label
    that is not on offer, has no answer. A label may be written as its id or as its exact name.
    tokens: log-probabilities of the content's tokens, as the chat API gives them. texts: by item
    number, what was sent of each, where spans of them are quoted.
    """
    if len(content) > LONGEST_CONTENT:
        return Reading(problem="The answer was too long.")
    thought = _THINKING.match(content)
    start = thought.end() if thought else 0
    entries = _entries(content, start, request, {"text"} if schema.written else _FIELDS)
    if entries is None:
        return Reading(problem="The answer was not JSON of the form asked for.")
    ids = _ids(request, schema)
    found: dict[str, Said] = {}
    problem = ""
    twice: set[str] = set()
    for key, entry in entries:
        if key not in request.keys:
            problem = "The answer named an item that was not asked about."
            continue
        if key in found or key in twice:
            twice.add(key)
            found.pop(key, None)
            problem = f"The answer gave an item two {_named(schema)}."
            continue
        if schema.ranked:
            said, why = _ordered(entry, request.counts[key]), ordering.PROBLEM
        elif schema.written:
            said, why = _written(entry), writing.PROBLEM
        else:
            said, why = _labelled(entry, ids, schema, (texts or {}).get(request.keys[key], ""))
        if said is None:
            problem = why
            twice.add(key)
        else:
            found[key] = said
    if not schema.multi_label and tokens and len(found) == len(entries):
        found = _with_distributions(content, start, found, tokens, request, schema)
    if len(found) < len(request.keys):
        problem = problem or "The answer left items out."
        return Reading(found, problem)
    return Reading(found)


def _named(schema: TeacherSchema) -> str:
    """What answers are called."""
    if schema.written:
        return "texts"
    return "orders" if schema.ranked else "forms" if schema.questions else "labels"


def _entries(
    content: str, start: int, request: Request, fields: set[str]
) -> list[tuple[str, dict[str, Any]]] | None:
    """(id, entry) in the order written; None when there is no JSON of this form. fields: any of which makes
    one entry alone.
    """
    only = next(iter(request.keys)) if len(request.keys) == 1 else ""
    for value in _json_values(content, start):
        entries = value.get("answers") if isinstance(value, dict) else value
        if entries is None and isinstance(value, dict) and fields & value.keys():
            entries = [value]
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            return [(str(entry.get("item", only)), entry) for entry in entries]
    return None


def _json_values(content: str, start: int) -> list[Any]:
    """Objects and lists at the top level of a text, in order; prose between them is skipped.

    Nothing is looked for inside what is broken: there a quoted text could pass for an answer.
    """
    values: list[Any] = []
    place = start
    for _ in range(STARTS_TRIED):
        opened = re.compile(r"[\[{]").search(content, place)
        if opened is None:
            break
        place = opened.start()
        try:
            value, place = _DECODER.raw_decode(content, place)
            values.append(value)
        except (ValueError, RecursionError):
            if _JSON_START.match(content, place):
                break
            place += 1  # a bracket in prose
    return values


def _ids(request: Request, schema: TeacherSchema) -> dict[str, int]:
    """Label id, and name where it is no other label's, -> column, of those on offer."""
    offered = range(schema.size) if request.columns is None else request.columns
    names: dict[str, list[int]] = {}
    for column in offered:
        names.setdefault(schema.labels[column].name.strip().casefold(), []).append(column)
    by_name = {name: columns[0] for name, columns in names.items() if name and len(columns) == 1}
    return by_name | {str(schema.labels[column].id): column for column in offered}


def _labelled(
    entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema, text: str
) -> tuple[Said | None, str]:
    """One entry of labels, of quotes of the text or of both, or None and what is wrong with it."""
    if schema.questions:
        return _filled(entry, ids, schema, text)
    said = _marked(entry, ids, schema, text) if schema.quoted else _said(entry, ids, schema)
    return said, _STRANGE


def _said(entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema) -> Said | None:
    """One entry as an answer, or None when it is not one."""
    name = "labels" if schema.multi_label else "label"
    if name not in entry:
        return None
    value = entry[name]
    confidence, reason = confidence_in(entry.get("confidence")), reason_in(entry.get("reason"))
    if value is None:
        return Said(None, None, reason)
    if schema.multi_label and not isinstance(value, list):
        return None
    columns = [column_in(one, ids) for one in (value if schema.multi_label else [value])]
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return None
    return Said(tuple(dict.fromkeys(known)), confidence, reason)


def _ordered(entry: Mapping[str, Any], count: int) -> Said | None:
    """One entry as an order of so many candidates, or None when it is not one."""
    if "order" not in entry:
        return None
    reason = reason_in(entry.get("reason"))
    if entry["order"] is None:
        return Said(None, None, reason)
    order = ordering.read_order(entry["order"], count)
    if order is None:
        return None
    nothing = np.zeros(0, dtype=np.float32)
    return Said((), confidence_in(entry.get("confidence")), reason, nothing, order=order)


def _written(entry: Mapping[str, Any]) -> Said | None:
    """One entry as a text, or None when it is not one."""
    if "text" not in entry:
        return None
    reason = reason_in(entry.get("reason"))
    if entry["text"] is None:
        return Said(None, None, reason)
    text = writing.read_text(entry["text"])
    if text is None:
        return None
    nothing = np.zeros(0, dtype=np.float32)
    return Said((), confidence_in(entry.get("confidence")), reason, nothing, text=text)


def _filled(
    entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema, text: str
) -> tuple[Said | None, str]:
    """One entry as a form, or None and what is wrong with it."""
    try:
        return filling.read_form(entry, ids, schema, text), ""
    except ShapeError as fault:
        return None, f"{filling.PROBLEM}{fault}"


def _marked(
    entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema, text: str
) -> Said | None:
    """One entry of candidates as an answer, or None when it is not one."""
    if "candidates" not in entry:
        return None
    reason, given = reason_in(entry.get("reason")), entry["candidates"]
    if given is None:
        return Said(None, None, reason)
    if not isinstance(given, list):
        return None
    read = [candidate_in(one, ids) for one in given]
    candidates = [one for one in read if one is not None]
    return (
        said_spans(locate(candidates, text), schema, reason)
        if len(candidates) == len(read)
        else None
    )


# Log-probabilities


@dataclass(frozen=True)
class _Token:
    text: str
    chances: Mapping[str, float]  # the likeliest tokens at this place, this one among them


def _with_distributions(
    content: str,
    start: int,
    found: Mapping[str, Said],
    tokens: Sequence[Any],
    request: Request,
    schema: TeacherSchema,
) -> dict[str, Said]:
    """The answers, each with its distribution where its label's place is certain."""
    spelled = _tokens(tokens)
    places = [match.end() for match in _LABEL_VALUE.finditer(content, start)]
    plain = {key: said for key, said in found.items() if said.columns is not None}
    if spelled is None or "".join(t.text for t in spelled) != content or len(places) != len(plain):
        return dict(found)
    offered = range(schema.size) if request.columns is None else request.columns
    codes = {f'{schema.labels[column].id}"': column for column in offered}
    out = dict(found)
    for place, (key, said) in zip(places, plain.items(), strict=True):
        chances = label_chances(spelled, place, list(codes))
        total = sum(chances.values())
        best = max(chances, key=lambda code: chances[code], default="")
        if total <= 0 or said.columns is None or codes[best] != said.columns[0]:
            continue
        p = np.zeros(schema.size, dtype=np.float32)
        for code, chance in chances.items():
            p[codes[code]] = chance / total
        out[key] = Said(said.columns, said.confidence, said.reason, p)
    return out


def label_chances(tokens: Sequence[_Token], place: int, codes: Sequence[str]) -> dict[str, float]:
    """The chance of each code at a place of the text, as far as the shown tokens tell it.

    codes: each with the quotation mark that ends it, so that none begins another. The chance of a
    token that could begin several codes, and was not taken, is shared among them evenly. Chances
    sum to at most 1; what is missing lies on tokens that were not shown or that begin no code.
    """
    shares = dict.fromkeys(codes, 0.0)
    alive, mass, offset, position = list(codes), 1.0, 0, 0
    for token in tokens:
        began, position = position, position + len(token.text)
        if position <= place:
            continue
        lead = token.text[: max(place - began, 0)]
        taken: list[str] = []
        for text, chance in token.chances.items():
            if not text.startswith(lead) or len(text) == len(lead):
                continue
            meant = [code for code in alive if _agrees(code[offset:], text[len(lead) :])]
            if text == token.text:
                taken, taken_mass = meant, mass * chance
            else:
                for code in meant:
                    shares[code] += mass * chance / len(meant)
        if not taken:
            return shares
        alive, mass, offset = taken, taken_mass, offset + len(token.text) - len(lead)
        if len(alive) == 1 and offset >= 1:
            shares[alive[0]] += mass
            return shares
    return shares


def _agrees(rest: str, text: str) -> bool:
    return rest.startswith(text) or (rest != "" and text.startswith(rest))


def _tokens(rows: Sequence[Any]) -> list[_Token] | None:
    """The chat API's rows of tokens, or None when they are not what they should be."""
    found = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("token"), str):
            return None
        others = row.get("top_logprobs")
        chances: dict[str, float] = {}
        for other in [*(others if isinstance(others, list) else [])[:20], row]:
            chance = _chance(other)
            if chance is None:
                return None
            chances[other["token"]] = max(chance, chances.get(other["token"], 0.0))
        if sum(chances.values()) > 1.01:
            return None
        found.append(_Token(row["token"], chances))
    return found


def _chance(row: object) -> float | None:
    if not isinstance(row, dict) or not isinstance(row.get("token"), str):
        return None
    value = row.get("logprob")
    if isinstance(value, bool) or not isinstance(value, int | float) or not value <= 1e-6:
        return None
    return math.exp(min(float(value), 0.0))
