"""Which marked spans look wrong: each span of an answer, and each that is not in it, beside what a tagger
says that has not learnt from the text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learning.spans import Span
from learning.spans.tags import touched
from learning.taggers.chain import Read
from learning.taggers.types import Words
from learning.types import require


class Fault(StrEnum):
    """What may be wrong with a place."""

    LABEL = "label"
    EDGE = "edge"
    MISSING = "missing"
    SPURIOUS = "spurious"


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """A place of an answer that may be wrong.

    given: the span of the answer, None where one is missing; instead: what the tagger would mark, None
    where nothing; score: 0 surely wrong … 1 surely right.
    """

    fault: Fault
    given: Span | None
    instead: Span | None
    score: float


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A span in words of its text, the last one included."""

    span: Span
    first: int
    last: int
    probability: float


def doubts(found: Read, words: Words, answers: Sequence[Sequence[Span]]) -> list[list[Doubt]]:
    """Every place of each answer with its score, the most doubtful first; labels are columns.

    A given span scores how likely just it is there; a span that the tagger would mark and that meets
    none of them, how likely it is not. An answer without either has no place to doubt.
    Source: ours; self-confidence of spans instead of tokens, Northcutt et al. 2021.
    """
    require(len(answers) == words.texts, "There must be one answer per text.")
    given = [_runs(answer, words.of(at)) for at, answer in enumerate(answers)]
    chances = found.probability(_in_all(given, words))
    told, likely = found.runs(), found.probability(found.runs())
    home = np.searchsorted(words.starts, told[:, 0], side="right") - 1
    cuts = np.searchsorted(home, np.arange(words.texts + 1))
    result, at = [], 0
    for text, own in enumerate(given):
        mine = [
            _Run(span=span, first=first, last=last, probability=float(p))
            for (span, first, last), p in zip(own, chances[at : at + len(own)], strict=True)
        ]
        at += len(own)
        rows = range(int(cuts[text]), int(cuts[text + 1]))
        theirs = [_told(told[row], float(likely[row]), words, text) for row in rows]
        result.append(sorted(_of_text(mine, theirs), key=lambda one: one.score))
    return result


def score_of(places: Sequence[Doubt]) -> float:
    """An answer is as doubtful as its most doubtful place; one without any is right."""
    return min((place.score for place in places), default=1.0)


def _of_text(given: Sequence[_Run], told: Sequence[_Run]) -> list[Doubt]:
    found = []
    for run in given:
        near = [other for other in told if other.first <= run.last and run.first <= other.last]
        other = max(near, key=lambda one: one.probability, default=None)
        found.append(
            Doubt(
                fault=_fault(run, other),
                given=run.span,
                instead=None if other is None else other.span,
                score=run.probability,
            )
        )
    for run in told:
        if not any(other.first <= run.last and run.first <= other.last for other in given):
            missing = Doubt(
                fault=Fault.MISSING, given=None, instead=run.span, score=1 - run.probability
            )
            found.append(missing)
    return found


def _fault(given: _Run, told: _Run | None) -> Fault:
    """What would be wrong with a given span if the tagger were right."""
    if told is None:
        return Fault.SPURIOUS
    same = (given.first, given.last) == (told.first, told.last)
    return Fault.LABEL if same or given.span.label != told.span.label else Fault.EDGE


def _runs(spans: Sequence[Span], edges: NDArray[np.int64]) -> list[tuple[Span, int, int]]:
    """Spans with the words that they touch; those between the words are left out."""
    runs = []
    for span in spans:
        first, last = touched(span, edges)
        if first < last:
            runs.append((span, first, last - 1))
    return runs


def _in_all(given: Sequence[Sequence[tuple[Span, int, int]]], words: Words) -> NDArray[np.int64]:
    rows = [
        (int(words.starts[text]) + first, int(words.starts[text]) + last, span.label)
        for text, runs in enumerate(given)
        for span, first, last in runs
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def _told(run: NDArray[np.int64], p: float, words: Words, text: int) -> _Run:
    first, last, column = (int(one) for one in run)
    begin = int(words.starts[text])
    span = Span(int(words.edges[first, 0]), int(words.edges[last, 1]), column)
    return _Run(span=span, first=first - begin, last=last - begin, probability=p)
