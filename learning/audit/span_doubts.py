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

# While few spans of a label are marked, they are taken to be believed in so far: as by so many more.
ASSUMED, LENT = 0.8, 5


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

    A given span scores how likely just it is there, word for word (the geometric mean), by how likely
    spans of its label are held to be on average: rare labels are believed in less. A span that the tagger
    would mark and that meets none of them scores how likely its words are outside of every span, and so
    does the most doubtful other word. Source: ours; the averages by label are those of confident learning,
    Northcutt et al. 2021.
    """
    require(len(answers) == words.texts, "There must be one answer per text.")
    given = [_runs(answer, words.of(at)) for at, answer in enumerate(answers)]
    rows = _in_all(given, words)
    chances = _usual(found.probability(rows), rows)
    told = found.runs()
    likely = found.probability(told)
    home = np.searchsorted(words.starts, told[:, 0], side="right") - 1
    cuts = np.searchsorted(home, np.arange(words.texts + 1))
    result, at = [], 0
    for text, own in enumerate(given):
        mine = [
            _Run(span=span, first=first, last=last, probability=float(p))
            for (span, first, last), p in zip(own, chances[at : at + len(own)], strict=True)
        ]
        at += len(own)
        theirs = [
            _told(told[row], float(likely[row]), words, text)
            for row in range(int(cuts[text]), int(cuts[text + 1]))
        ]
        marginals = found.marginals[words.starts[text] : words.starts[text + 1]]
        places = _marked(mine, theirs) + _missing(mine, theirs, marginals, words.of(text))
        result.append(sorted(places, key=lambda one: one.score))
    return result


def _usual(chances: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """(s,) chances of spans (s, 3) by word and by what is usual for their label, 1 at most."""
    by_word = chances.astype(np.float64) ** (1 / (rows[:, 1] - rows[:, 0] + 1))
    total, count = np.bincount(rows[:, 2], weights=by_word), np.bincount(rows[:, 2])
    usual = (total + LENT * ASSUMED) / (count + LENT)
    return np.asarray(np.minimum(by_word / usual[rows[:, 2]], 1.0))


def score_of(places: Sequence[Doubt]) -> float:
    """An answer is as doubtful as its most doubtful place; one without any is right."""
    return min((place.score for place in places), default=1.0)


def _marked(given: Sequence[_Run], told: Sequence[_Run]) -> list[Doubt]:
    found = []
    for run in given:
        near = [other for other in told if _meet(run, other)]
        other = max(near, key=lambda one: one.probability, default=None)
        found.append(
            Doubt(
                fault=_fault(run, other),
                given=run.span,
                instead=None if other is None else other.span,
                score=run.probability,
            )
        )
    return found


def _missing(
    given: Sequence[_Run],
    told: Sequence[_Run],
    marginals: NDArray[np.float32],
    edges: NDArray[np.int64],
) -> list[Doubt]:
    """Places where nothing is marked, of a text whose words have these marginals (w, t)."""
    bare = np.ones(len(edges), dtype=np.bool_)
    for run in given:
        bare[run.first : run.last + 1] = False
    found = []
    for run in told:
        if not any(_meet(run, other) for other in given):
            bare[run.first : run.last + 1] = False
            outside = float(marginals[run.first : run.last + 1, 0].min())
            found.append(Doubt(fault=Fault.MISSING, given=None, instead=run.span, score=outside))
    if bare.any():
        at = int(np.where(bare, marginals[:, 0], np.inf).argmin())
        columns = marginals[at, 1::2] + marginals[at, 2::2]
        word = Span(int(edges[at, 0]), int(edges[at, 1]), int(columns.argmax()))
        outside = float(marginals[at, 0])
        found.append(Doubt(fault=Fault.MISSING, given=None, instead=word, score=outside))
    return found


def _meet(one: _Run, other: _Run) -> bool:
    return one.first <= other.last and other.first <= one.last


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
