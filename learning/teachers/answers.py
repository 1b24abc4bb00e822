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
from numpy.typing import NDArray

from learning.spans import Span
from learning.teachers.prompting import Request
from learning.teachers.quoting import Candidate, Located, locate
from learning.teachers.types import TeacherSchema

LONGEST_CONTENT = 400_000  # characters
LONGEST_REASON = 1_000
STARTS_TRIED = 40
LEAST_LEAD = 0.1
"""A named label is taken to be likelier than chance by at least this share of the rest."""

_THINKING = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
_LABEL_VALUE = re.compile(r'"label"\s*:\s*"')
_JSON_START = re.compile(r"\{|\[\s*[\[{\"]")
_FIELDS = {"label", "labels", "candidates"}
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)


@dataclass(frozen=True)
class Said:
    """A valid answer to one item.

    columns: of the labels, none where several may fit and none does; None where the model says that
        it cannot tell.
    distribution: (k,) float32 that sums to 1, from log-probabilities; None where there are none. Where
        spans were asked for: how likely each label occurs.
    spans, dropped: as in `TeacherAnswer`.
    """

    columns: tuple[int, ...] | None
    confidence: float | None = None
    reason: str = ""
    distribution: NDArray[np.float32] | None = None
    spans: tuple[tuple[Span, float], ...] | None = None
    dropped: int = 0


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
    entries = _entries(content, start, request)
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
            problem = "The answer gave an item two labels."
            continue
        if schema.quoted:
            said = _marked(entry, ids, schema, (texts or {})[request.keys[key]])
        else:
            said = _said(entry, ids, schema)
        if said is None:
            problem = "The answer held a label that is not on the list."
            twice.add(key)
        else:
            found[key] = said
    if not schema.multi_label and tokens and len(found) == len(entries):
        found = _with_distributions(content, start, found, tokens, request, schema)
    if len(found) < len(request.keys):
        problem = problem or "The answer left items out."
        return Reading(found, problem)
    return Reading(found)


def _entries(content: str, start: int, request: Request) -> list[tuple[str, dict[str, Any]]] | None:
    """(id, entry) in the order written; None when there is no JSON of this form."""
    only = next(iter(request.keys)) if len(request.keys) == 1 else ""
    for value in _json_values(content, start):
        entries = value.get("answers") if isinstance(value, dict) else value
        if entries is None and isinstance(value, dict) and _FIELDS & value.keys():
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


def _column(value: object, ids: Mapping[str, int]) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    written = str(value).strip()
    return ids.get(written, ids.get(written.casefold()))


def _said(entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema) -> Said | None:
    """One entry as an answer, or None when it is not one."""
    name = "labels" if schema.multi_label else "label"
    if name not in entry:
        return None
    value = entry[name]
    confidence, reason = _confidence(entry.get("confidence")), _reason(entry.get("reason"))
    if value is None:
        return Said(None, None, reason)
    if schema.multi_label and not isinstance(value, list):
        return None
    columns = [_column(one, ids) for one in (value if schema.multi_label else [value])]
    known = [column for column in columns if column is not None]
    if len(known) < len(columns):
        return None
    return Said(tuple(dict.fromkeys(known)), confidence, reason)


def _marked(
    entry: Mapping[str, Any], ids: Mapping[str, int], schema: TeacherSchema, text: str
) -> Said | None:
    """One entry of candidates as an answer, or None when it is not one."""
    if "candidates" not in entry:
        return None
    reason, given = _reason(entry.get("reason")), entry["candidates"]
    if given is None:
        return Said(None, None, reason)
    if not isinstance(given, list):
        return None
    read = [_candidate(one, ids) for one in given]
    candidates = [one for one in read if one is not None]
    return (
        said_spans(locate(candidates, text), schema, reason)
        if len(candidates) == len(read)
        else None
    )


def _candidate(given: object, ids: Mapping[str, int]) -> Candidate | None:
    if not isinstance(given, dict):
        return None
    column, quote, holds = (
        _column(given.get("label"), ids),
        given.get("quote"),
        given.get("verdict"),
    )
    before = given.get("before")
    if column is None or not isinstance(quote, str) or not isinstance(holds, bool):
        return None
    return Candidate(
        quote=quote,
        before=before if isinstance(before, str) else "",
        column=column,
        holds=holds,
        confidence=_confidence(given.get("confidence")),
    )


def said_spans(found: Located, schema: TeacherSchema, reason: str = "") -> Said:
    """What was found, with how likely each label occurs; the least sure span is the confidence.

    A span that was marked is likelier than not, however unsure the teacher says it is; without a
    stated confidence its probability is 1. Where every quote was lost, nobody knows what was meant.
    """
    if found.dropped and not found.spans:
        return Said(None, reason=reason, dropped=found.dropped)
    least = 0.5 + LEAST_LEAD / 2
    spans = tuple((span, 1.0 if p is None else max(p, least)) for span, p in found.spans)
    present = np.zeros(schema.size, dtype=np.float32)
    for span, p in spans:
        present[span.label] = max(present[span.label], p)
    stated = [p for _, p in found.spans if p is not None]
    columns = tuple(dict.fromkeys(span.label for span, _ in spans))
    return Said(columns, min(stated, default=None), reason, present, spans, found.dropped)


def _confidence(value: object) -> float | None:
    """0 … 1, or None for anything else: a wrong number does not make the label wrong."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


def _reason(value: object) -> str:
    if not isinstance(value, str):
        return ""
    kept = "".join(letter for letter in value if letter.isprintable() or letter in "\n\t")
    return kept[:LONGEST_REASON].strip()


def spread(
    columns: Sequence[int], confidence: float | None, schema: TeacherSchema
) -> NDArray[np.float32]:
    """(k,) the stated confidence on what was named, the rest evenly elsewhere.

    What was named stays the likeliest, however unsure the teacher says it is. Without a stated
    confidence all lies on what was named; whoever wants a confidence has to measure one.
    """
    k = schema.size
    share = 0.5 if schema.multi_label else 1 / k
    sure = 1.0 if confidence is None else max(confidence, share + LEAST_LEAD * (1 - share))
    p = np.full(k, (1 - sure) / (k if schema.multi_label else max(1, k - 1)), dtype=np.float32)
    p[list(columns)] = 1 if k == 1 and not schema.multi_label else sure
    return p


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
