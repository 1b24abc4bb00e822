"""Spans as a language model can give them: quoted, with a verdict on each candidate.

Models count characters badly and copy well. So each candidate is a quote with the words before it,
and is found in the item's text exactly, or dropped and counted. Source: RT (retrieving and thinking;
candidates with verdicts, ToneLi/RT-Retrieving-and-Thinking); finding and dropping are ours.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from learning.spans import Span
from learning.spans.words import words_of

LONGEST_BEFORE = 40  # characters before a span that a solved example shows


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A stretch that a model looked at.

    before: the words that come just before it, "" at the beginning or where they were left out.
    column: of the label that it may have. holds: the verdict. confidence: 0 … 1, None if not stated.
    """

    quote: str
    before: str = ""
    column: int
    holds: bool = True
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Located:
    """spans: those that hold, labels are columns, each once and sorted, with the stated confidence.

    dropped: candidates that hold and could not be found, or that were rejected as well.
    """

    spans: tuple[tuple[Span, float | None], ...]
    dropped: int = 0


def locate(candidates: Sequence[Candidate], text: str) -> Located:
    """The candidates that hold, in characters of the text (code points, the end is exclusive).

    A quote must stand in the text letter by letter; where it stands as whole words it is meant there.
    Of several places those count that follow `before`; the same candidate given as often as it has
    places means each of them. Anything else would be a guess, and is dropped.
    """
    edges = words_of(text)
    starts, ends = set(edges[:, 0].tolist()), set(edges[:, 1].tolist())
    found: dict[Span, float | None] = {}
    rejected: set[Span] = set()
    dropped = 0
    for same in _alike(candidates):
        one = same[0]
        places = _places(one, text, starts, ends)
        spans = [Span(at, at + len(one.quote.strip()), one.column) for at in places]
        if not spans or len(spans) > len(same):
            dropped += len(same) if one.holds else 0
        elif one.holds:
            for span, said in zip(spans, same, strict=False):
                found[span] = said.confidence
        else:
            rejected.update(spans)
    dropped += len(found.keys() & rejected)
    kept = sorted((span, sure) for span, sure in found.items() if span not in rejected)
    return Located(spans=tuple(kept), dropped=dropped)


def _alike(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates that say the same of the same words, in the order given."""
    groups: dict[tuple[str, str, int, bool], list[Candidate]] = {}
    for one in candidates:
        name = (one.quote.strip(), one.before.strip(), one.column, one.holds)
        groups.setdefault(name, []).append(one)
    return list(groups.values())


def _places(one: Candidate, text: str, starts: Collection[int], ends: Collection[int]) -> list[int]:
    """Where the quote may be meant."""
    quote, before = one.quote.strip(), one.before.strip()
    places = _occurrences(quote, text)
    places = [at for at in places if at in starts and at + len(quote) in ends] or places
    if len(places) < 2 or not before:
        return places
    return [at for at in places if text[:at].rstrip().endswith(before)]


def _occurrences(quote: str, text: str) -> list[int]:
    places: list[int] = []
    at = text.find(quote) if quote else -1
    while at >= 0:
        places.append(at)
        at = text.find(quote, at + 1)
    return places


def quoted(span: Span, text: str) -> Candidate:
    """A span of a solved item as a candidate that holds; its label becomes the column."""
    return Candidate(
        quote=text[span.start : span.end],
        before=text[max(span.start - LONGEST_BEFORE, 0) : span.start].strip(),
        column=span.label,
    )


def candidate_format(ids: Sequence[str], *, confidence: bool) -> dict[str, Any]:
    """The JSON schema of one stretch, its label and the verdict: decided on after it was written down."""
    one: dict[str, Any] = {
        "before": {"type": "string"},
        "quote": {"type": "string"},
        "label": {"type": "string", "enum": list(ids)},
        "verdict": {"type": "boolean"},
    }
    if confidence:
        one["confidence"] = {"type": "number"}
    return closed(one)


def closed(properties: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of an object that has all of these and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def quoting_shape(*, confidence: bool, reason: bool) -> str:
    """The last paragraph of the system part: the form of an answer that marks spans."""
    candidate: dict[str, Any] = {
        "before": "the few words just before it",
        "quote": "the stretch",
        "label": "label id",
        "verdict": True,
    }
    told = ""
    if confidence:
        candidate["confidence"] = 0.8
        told = ' "confidence" is between 0 and 1: how likely this span is right.'
    one: dict[str, Any] = {"item": "the item's id"}
    if reason:
        one["reason"] = "one short sentence, before you decide"
    one["candidates"] = [candidate]
    shape = json.dumps({"answers": [one]}, ensure_ascii=False)
    return (
        f"Answer with JSON only, one entry for every item: {shape}\nLabel ids come from the list "
        "above and from nowhere else. Copy quotes and the words before them from the item's text "
        "letter by letter; words that stand in several places are quoted once for each that you mean. "
        f'Give an empty list for "candidates" if there is none, null if you cannot tell.{told}'
    )
