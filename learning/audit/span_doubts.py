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

_Marks = tuple[Span, int, int]  # a span with its first and last word
# While few words of a label are marked, they are taken to be believed in so far: as by so many more.
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

    A given span scores as its least likely word: how likely that word begins the span's label, or goes on
    with it, by how likely words of that label are held to be on average, since rare labels are believed in
    less. A span that the
    tagger would mark and that meets none of them scores how likely its words are outside of every span,
    and so does the most doubtful other word. Source: ours; least self-confidence of tokens, Wang, Mueller
    2022, with the averages by label of confident learning, Northcutt et al. 2021.
    """
    require(len(answers) == words.texts, "There must be one answer per text.")
    given = [_runs(answer, words.of(at)) for at, answer in enumerate(answers)]
    tags = _likely(found.scores)
    by_label = np.concatenate([tags[:, :1], tags[:, 1::2] + tags[:, 2::2]], axis=1)
    sure = [_sure(tags[words.starts[at] :], own) for at, own in enumerate(given)]
    usual = _usual(given, sure)
    marked = found.runs()
    likely = found.probability(marked)
    home = np.searchsorted(words.starts, marked[:, 0], side="right") - 1
    cuts = np.searchsorted(home, np.arange(words.texts + 1))
    result = []
    for text, own in enumerate(given):
        chances = by_label[words.starts[text] : words.starts[text + 1]]
        mine = [
            _Run(span=span, first=first, last=last, probability=_least(told, usual[span.label]))
            for (span, first, last), told in zip(own, sure[text], strict=True)
        ]
        theirs = [
            _told(marked[row], float(likely[row]), words, text)
            for row in range(int(cuts[text]), int(cuts[text + 1]))
        ]
        bare = np.ones(len(chances), dtype=np.bool_)
        for run in mine:
            bare[run.first : run.last + 1] = False
        places = _marked(mine, theirs, chances, bare)
        places += _missing(mine, theirs, chances, bare, words.of(text))
        result.append(sorted(places, key=lambda one: one.score))
    return result


def _likely(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, t) how likely each word has each tag, by its own scores alone."""
    p = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf), dtype=np.float64)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _sure(tags: NDArray[np.float64], own: Sequence[_Marks]) -> list[NDArray[np.float64]]:
    """For each given span of a text that begins at the first row of tags, how likely each of its words has
    its tag: the first begins the label, the others go on with it, so that a span which begins too early is
    in doubt there. A tagger says one label on a word: where several are given to one stretch, any of them
    will do.
    """
    found = []
    for _, first, last in own:
        columns = np.array(_columns(own, first, last)) - 1
        sure = tags[first : last + 1, 2 + 2 * columns].sum(axis=1)
        sure[0] = tags[first, 1 + 2 * columns].sum()
        found.append(sure)
    return found


def _columns(own: Sequence[_Marks], first: int, last: int) -> list[int]:
    return sorted({1 + span.label for span, a, b in own if (a, b) == (first, last)})


def _usual(
    given: Sequence[Sequence[_Marks]], sure: Sequence[Sequence[NDArray[np.float64]]]
) -> dict[int, float]:
    """Column -> how likely the words of its given spans are held to be right, on average."""
    told: dict[int, list[float]] = {}
    for own, each in zip(given, sure, strict=True):
        for (span, _, _), words in zip(own, each, strict=True):
            told.setdefault(span.label, []).extend(words.tolist())
    return {
        column: (sum(each) + LENT * ASSUMED) / (len(each) + LENT) for column, each in told.items()
    }


def _least(sure: NDArray[np.float64], usual: float) -> float:
    return min(float(sure.min()) / usual, 1.0)


def score_of(places: Sequence[Doubt]) -> float:
    """An answer is as doubtful as its most doubtful place; one without any is right."""
    return min((place.score for place in places), default=1.0)


def _marked(
    given: Sequence[_Run],
    told: Sequence[_Run],
    chances: NDArray[np.float64],
    bare: NDArray[np.bool_],
) -> list[Doubt]:
    """Places of the given spans. Bare words that only the tagger has in a span are its edges' business."""
    found = []
    for run in given:
        near = [other for other in told if _meet(run, other)]
        other = max(near, key=lambda one: one.probability, default=None)
        score = run.probability
        if other is not None:
            more = other.first + np.flatnonzero(bare[other.first : other.last + 1])
            score = min(score, float(chances[more, 0].min(initial=1.0)))
            bare[more] = False
        found.append(
            Doubt(
                fault=_fault(run, other),
                given=run.span,
                instead=None if other is None else other.span,
                score=score,
            )
        )
    return found


def _missing(
    given: Sequence[_Run],
    told: Sequence[_Run],
    chances: NDArray[np.float64],
    bare: NDArray[np.bool_],
    edges: NDArray[np.int64],
) -> list[Doubt]:
    """Places where nothing is marked, of a text whose words have these chances (w, 1 + k)."""
    found = []
    for run in told:
        if not any(_meet(run, other) for other in given):
            bare[run.first : run.last + 1] = False
            outside = float(chances[run.first : run.last + 1, 0].min())
            found.append(Doubt(fault=Fault.MISSING, given=None, instead=run.span, score=outside))
    if bare.any():
        at = int(np.where(bare, chances[:, 0], np.inf).argmin())
        word = Span(int(edges[at, 0]), int(edges[at, 1]), int(chances[at, 1:].argmax()))
        outside = float(chances[at, 0])
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


def _runs(spans: Sequence[Span], edges: NDArray[np.int64]) -> list[_Marks]:
    """Spans with the words that they touch; those between the words are left out."""
    runs = []
    for span in spans:
        first, last = touched(span, edges)
        if first < last:
            runs.append((span, first, last - 1))
    return runs


def _told(run: NDArray[np.int64], p: float, words: Words, text: int) -> _Run:
    first, last, column = (int(one) for one in run)
    begin = int(words.starts[text])
    span = Span(int(words.edges[first, 0]), int(words.edges[last, 1]), column)
    return _Run(span=span, first=first - begin, last=last - begin, probability=p)
