"""Which marked spans look wrong: each span of an answer, and each that is not in it, beside what a tagger
says that has not learnt from the text.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.odds import log_odds
from learning.spans import Span
from learning.spans.tags import touched
from learning.taggers.chain import Read
from learning.taggers.types import Words
from learning.types import require

_Marks = tuple[Span, int, int]  # a span with its first and last word
# Log-odds that tell errors from others. Of a given span: a word of it is outside, or of another label, a bare word beside it is not
# outside, its least likely word is of its label, words of its label are right on average. Of a place where nothing is marked: the
# tagger's span is there, words of its label are right on average.
GIVEN, BARE = 5, 2
EDGE = 1e-9
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

    fault: what is wrong if the tagger is right, None where it marks the same.
    given: the span of the answer, None where one is missing; instead: what the tagger would mark, None
    where nothing; score: 0 surely wrong … 1 surely right; said: what the tagger alone says of the place, likewise.
    traits: `GIVEN` of a span that is given, else `BARE`.
    """

    fault: Fault | None
    given: Span | None
    instead: Span | None
    score: float
    said: float
    traits: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A span in words of its text, the last one included."""

    span: Span
    first: int
    last: int
    probability: float


def doubts(
    found: Read,
    words: Words,
    answers: Sequence[Sequence[Span]],
    usual: dict[int, float] | None = None,
) -> list[list[Doubt]]:
    """Every place of each answer with its score, the most doubtful first; labels are columns.

    A given span scores as its least likely word: how likely that word begins the span's label, or goes on
    with it, by how likely words of that label are held to be on average, since rare labels are believed in
    less. A span that the
    tagger would mark and that meets none of them scores how likely its words are outside of every span,
    and so does the most doubtful other word. Source: ours; least self-confidence of tokens, Wang, Mueller
    2022, with the averages by label of confident learning, Northcutt et al. 2021.

    usual: those averages by column, see `usual_of`, where they are not to be of these answers.
    """
    require(len(answers) == words.texts, "There must be one answer per text.")
    tags = _likely(found.scores)
    by_label = np.concatenate([tags[:, :1], tags[:, 1::2] + tags[:, 2::2]], axis=1)
    given, sure = _believed(tags, words, answers)
    usual = _usual(given, sure) if usual is None else usual
    marked = found.runs()
    likely = found.probability(marked)
    home = np.searchsorted(words.starts, marked[:, 0], side="right") - 1
    cuts = np.searchsorted(home, np.arange(words.texts + 1))
    result = []
    for text, own in enumerate(given):
        mine = [
            _Run(
                span=span,
                first=first,
                last=last,
                probability=_least(told, usual.get(span.label, ASSUMED)),
            )
            for (span, first, last), told in zip(own, sure[text], strict=True)
        ]
        theirs = [
            _told(marked[row], float(likely[row]), words, text)
            for row in range(int(cuts[text]), int(cuts[text + 1]))
        ]
        chances = by_label[words.starts[text] : words.starts[text + 1]]
        sight = _Sight(mine=mine, theirs=theirs, chances=chances, usual=usual)
        places = sight.marked() + sight.missing(words.of(text))
        result.append(sorted(places, key=lambda one: one.score))
    return result


def usual_of(found: Read, words: Words, answers: Sequence[Sequence[Span]]) -> dict[int, float]:
    """Column -> how likely the words of its given spans are held to be right, on average, 0 … 1."""
    return _usual(*_believed(_likely(found.scores), words, answers))


def _believed(
    tags: NDArray[np.float64], words: Words, answers: Sequence[Sequence[Span]]
) -> tuple[list[list[_Marks]], list[list[NDArray[np.float64]]]]:
    """The spans of each answer, and of each how likely its words have their tags."""
    given = [_runs(answer, words.of(at)) for at, answer in enumerate(answers)]
    return given, [_sure(tags[words.starts[at] :], own) for at, own in enumerate(given)]


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
    labels = _labels(own)
    for _, first, last in own:
        columns = np.array(labels[first, last])
        sure = tags[first : last + 1, 2 + 2 * columns].sum(axis=1)
        sure[0] = tags[first, 1 + 2 * columns].sum()
        found.append(sure)
    return found


def _labels(own: Iterable[_Marks]) -> dict[tuple[int, int], list[int]]:
    """First and last word -> the columns that are given to just this stretch."""
    found: dict[tuple[int, int], set[int]] = {}
    for span, first, last in own:
        found.setdefault((first, last), set()).add(span.label)
    return {stretch: sorted(columns) for stretch, columns in found.items()}


def _usual(
    given: Sequence[Sequence[_Marks]], sure: Sequence[Sequence[NDArray[np.float64]]]
) -> dict[int, float]:
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


class _Sight:
    """A text with the given spans, those that the tagger would mark (in order; none share a word), and (w, 1 + k) how likely each
    word is outside or of a label.
    """

    def __init__(
        self,
        *,
        mine: Sequence[_Run],
        theirs: Sequence[_Run],
        chances: NDArray[np.float64],
        usual: dict[int, float],
    ) -> None:
        self.mine, self.theirs, self.chances, self.usual = mine, theirs, chances, usual
        self.labels = _labels((run.span, run.first, run.last) for run in mine)
        self.given = np.zeros(len(chances), dtype=np.bool_)
        for run in mine:
            self.given[run.first : run.last + 1] = True
        self.bare = ~self.given

    def marked(self) -> list[Doubt]:
        """Places of the given spans. Bare words that only the tagger has in a span are its edges' business."""
        found = []
        for run in self.mine:
            other = max(self._met(run), key=lambda one: one.probability, default=None)
            more = np.zeros(0, dtype=np.int64)
            if other is not None:
                more = other.first + np.flatnonzero(self.bare[other.first : other.last + 1])
            outside = self.chances[more, 0].min(initial=1.0)
            score = min(run.probability, float(outside))
            traits = self._traits(run, more)
            self.bare[more] = False
            instead = None if other is None else other.span
            found.append(
                Doubt(
                    fault=_fault(run.span, instead),
                    given=run.span,
                    instead=instead,
                    score=score,
                    said=score,
                    traits=traits,
                )
            )
        return found

    def _met(self, run: _Run) -> Sequence[_Run]:
        """The tagger's spans that share a word with a given one."""
        first = bisect_left(self.theirs, run.first, key=lambda one: one.last)
        last = bisect_right(self.theirs, run.last, key=lambda one: one.first)
        return self.theirs[first:last]

    def _traits(self, run: _Run, more: NDArray[np.int64]) -> tuple[float, ...]:
        outside, labels = np.split(self.chances[run.first : run.last + 1], [1], axis=1)
        mine = self.labels[run.first, run.last]
        others = np.delete(labels, mine, axis=1)
        beside = [at for at in (run.first - 1, run.last + 1) if 0 <= at < len(self.bare)]
        edges = [*[at for at in beside if self.bare[at]], *more]
        chances = (
            outside.max(),
            others.max(initial=0.0),
            1 - self.chances[edges, 0].min(initial=1.0),
            labels[:, mine].sum(axis=1).min(),
            self.usual.get(run.span.label, ASSUMED),
        )
        return tuple(log_odds(np.array(chances), EDGE).tolist())

    def missing(self, edges: NDArray[np.int64]) -> list[Doubt]:
        """Places where nothing is marked: spans of the tagger that meet no other, and of the other words the most doubtful."""
        found = []
        for run in self.theirs:
            if not self.given[run.first : run.last + 1].any():
                self.bare[run.first : run.last + 1] = False
                outside = float(self.chances[run.first : run.last + 1, 0].min())
                found.append(self._bare(run.span, outside, run.probability))
        if self.bare.any():
            at = int(np.where(self.bare, self.chances[:, 0], np.inf).argmin())
            column = int(self.chances[at, 1:].argmax())
            word = Span(int(edges[at, 0]), int(edges[at, 1]), column)
            outside, likely = float(self.chances[at, 0]), float(self.chances[at, 1 + column])
            found.append(self._bare(word, outside, likely))
        return found

    def _bare(self, instead: Span, outside: float, likely: float) -> Doubt:
        chances = np.array([likely, self.usual.get(instead.label, ASSUMED)])
        return Doubt(
            fault=Fault.MISSING,
            given=None,
            instead=instead,
            score=outside,
            said=outside,
            traits=tuple(log_odds(chances, EDGE).tolist()),
        )


def _fault(given: Span, told: Span | None) -> Fault | None:
    """What would be wrong with a given span if the tagger were right."""
    if told is None:
        return Fault.SPURIOUS
    if given.label != told.label:
        return Fault.LABEL
    return None if given == told else Fault.EDGE


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
