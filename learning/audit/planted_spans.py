"""How doubts about spans add up to an error: learnt from errors that are planted into the very answers that are looked at.

A tagger that knows a label badly doubts all of its spans, and an error shows otherwise there than where it knows the label well. Which
traits tell it, and how far, is learnt from the same tagger's words on the same answers, some of them spoilt on purpose. Source: own.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.odds import log_odds
from learning.audit.span_doubts import BARE, EDGE, GIVEN, Doubt, doubts, usual_of
from learning.spans import Span
from learning.spans.tags import touched
from learning.students.lbfgs import minimise
from learning.taggers.chain import Read
from learning.taggers.types import Words
from learning.types import Ints

COPIES = 4  # of each answer, each with one error at most
FEWEST = 50  # errors of which anything is learnt
SHARE = 0.1  # of the given spans that are taken to be wrong
SPURIOUS = 0.05  # of the copies in which the error is a span that does not belong there
# What looks so surely wrong in one round is no example of what is right in the next.
ROUNDS, SURE = 3, 0.5
# C of the regression; the tagger's own score is shrunk so much less than traits.
STRENGTH, TRUST = 0.3, 3.0
# Log-odds that are spread less than this are the same, but for rounding: such a trait tells nothing.
LEAST_SPREAD = 1e-6

Table = NDArray[np.float64]


def spoilt(span: Span, words: Ints, labels: int, rng: np.random.Generator) -> Span | None:
    """The span of a text of these words (w, 2) with another label or one edge a word further, or None where it is left out.

    Where neither edge can move the span stays as it is.
    """
    kind = rng.integers(3) if labels > 1 else rng.integers(1, 3)
    if kind == 0:
        return span._replace(label=int((span.label + rng.integers(1, labels)) % labels))
    if kind == 1:
        first, last = touched(span, words)
        moves = [(first - 1, last), (first, last + 1), (first + 1, last), (first, last - 1)]
        fitting = [(a, b) for a, b in moves if 0 <= a < b <= len(words)]
        if not fitting:
            return span
        a, b = fitting[rng.integers(len(fitting))]
        return Span(int(words[a, 0]), int(words[b - 1, 1]), span.label)
    return None


def planted(
    found: Read,
    words: Words,
    answers: Sequence[Sequence[Span]],
    labels: int,
    rng: np.random.Generator,
) -> list[Doubt]:
    """What `doubts` says of the places of errors, when one is planted into each copy of an answer."""
    errors = []
    usual = usual_of(found, words, answers)
    for _ in range(COPIES):
        copies = [
            _with_error(answer, words.of(at), labels, rng) for at, answer in enumerate(answers)
        ]
        places = doubts(found, words, [answer for answer, _ in copies], usual)
        for own, (answer, error) in zip(places, copies, strict=True):
            errors += [] if error is None else _at(error, own, answer)
    return errors


def weighed(places: Sequence[Sequence[Doubt]], errors: Sequence[Doubt]) -> list[list[Doubt]]:
    """The same places of each answer, the most doubtful first, whose scores tell how likely each is right, beside errors that were
    planted. With fewer than `FEWEST` of these, and of places, the scores stay as they are.
    """
    every = [one for own in places for one in own]
    given = sum(one.given is not None for one in every)
    if min(len(errors), len(every)) < FEWEST:
        return [list(own) for own in places]
    wrong = _wrong(_table(every), _table(errors), SHARE * given / len(errors))
    scores = iter((1 - wrong).tolist())
    told = [[replace(one, score=next(scores)) for one in own] for own in places]
    return [sorted(own, key=lambda one: one.score) for own in told]


def _with_error(
    answer: Sequence[Span], words: Ints, labels: int, rng: np.random.Generator
) -> tuple[list[Span], Span | None]:
    """An answer with one error, and the span that is wrong or lacking; None where there was nothing to spoil."""
    if len(words) and rng.random() < SPURIOUS:
        start, end = words[rng.integers(len(words))].tolist()
        if any(span.start < end and start < span.end for span in answer):
            return list(answer), None
        error = Span(start, end, int(rng.integers(labels)))
        return sorted([*answer, error]), error
    if not answer:
        return [], None
    at = int(rng.integers(len(answer)))
    made = spoilt(answer[at], words, labels, rng)
    rest = [span for place, span in enumerate(answer) if place != at]
    if made is None:
        return rest, answer[at]
    return sorted([*rest, made]), None if made in answer else made


def _at(error: Span, places: Sequence[Doubt], answer: Sequence[Span]) -> list[Doubt]:
    """The most doubtful of an answer's places that shows its error, if one does."""
    if error in answer:
        return [one for one in places if one.given == error][:1]
    return [one for one in places if one.given is None and _overlap(one.instead, error)][:1]


def _overlap(one: Span | None, other: Span) -> bool:
    return one is not None and one.start < other.end and other.start < one.end


def _table(places: Sequence[Doubt]) -> Table:
    """(n, 2 + GIVEN + BARE) log-odds of an error by the tagger alone, whether a span is given, and the traits of either kind."""
    table = np.zeros((len(places), 2 + GIVEN + BARE))
    table[:, 0] = -log_odds(np.array([one.score for one in places]), EDGE)
    for row, one in enumerate(places):
        first = 2 if one.given is not None else 2 + GIVEN
        table[row, 1] = one.given is not None
        table[row, first : first + len(one.traits)] = one.traits
    return table


def _wrong(every: Table, errors: Table, weight: float) -> Table:
    """(n,) how likely each place is an error, if each planted one stands for `weight` errors."""
    own, made = _scaled(every, every), _scaled(errors, every)
    kept = np.ones(len(own), dtype=np.bool_)
    said = np.zeros(len(own))
    for _ in range(ROUNDS):
        right = own[kept]
        weights = np.repeat([1.0, weight], [len(right), len(made)])
        fitted = _fit(np.concatenate([right, made]), np.arange(len(weights)) >= len(right), weights)
        said = _sigmoid(own @ fitted)
        kept = said < SURE
    return said


def _fit(x: Table, y: NDArray[np.bool_], weights: Table) -> Table:
    """Logistic regression whose last column is the bias."""

    def objective(point: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        shrunk = np.append(point[:-1], 0.0)
        logits = x @ point
        losses = np.logaddexp(0, np.where(y, -logits, logits))
        value = shrunk @ shrunk / 2 + STRENGTH * weights @ losses
        gradient = shrunk + STRENGTH * (weights * (_sigmoid(logits) - y)) @ x
        return float(value), gradient.astype(np.float32)

    start = np.zeros(x.shape[1], dtype=np.float32)
    found = minimise(
        objective, start, evaluations=500, tolerance=1e-4, after_step=lambda used: None
    )
    return found.point.astype(np.float64)


def _sigmoid(logits: Table) -> Table:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * logits))


def _scaled(rows: Table, every: Table) -> Table:
    """Each column with the mean 0 and the spread 1 that it has over the places of its kind; 0 for those of the other kind; then a 1."""
    given, of_given = rows[:, 1] == 1, every[:, 1] == 1
    scaled = np.ones((len(rows), rows.shape[1] + 1))
    scaled[:, 2:-1] = 0
    scaled[:, 0] = TRUST * _standard(rows[:, 0], every[:, 0])
    scaled[:, 1] = rows[:, 1]
    for column in range(2, rows.shape[1]):
        own, usual = (given, of_given) if column < 2 + GIVEN else (~given, ~of_given)
        scaled[own, column] = _standard(rows[own, column], every[usual, column])
    return scaled


def _standard(values: Table, usual: Table) -> Table:
    spread = float(usual.std()) if len(usual) else 0.0
    return (values - usual.mean()) / spread if spread > LEAST_SPREAD else np.zeros_like(values)
