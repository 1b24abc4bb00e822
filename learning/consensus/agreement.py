"""How far voices agree beyond chance: Cohen, Fleiss, Krippendorff, with intervals by resampling items.

Letters: n items, v answers, s different answers, b resamples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.types import Ints, require

Table = NDArray[np.float64]
Distance = Callable[[frozenset[int], frozenset[int]], float]

RESAMPLES = 400
CONFIDENCE = 0.95
# Fewer items with several answers give no interval worth showing.
FEWEST = 10


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One row per answer: what a voice said about an item. Items with one answer tell nothing.

    item, annotator: (v,) any whole numbers; value: (v,) places in `values`.
    values: the s different answers, each a set of labels; single-label answers are sets of one.
    """

    item: Ints
    annotator: Ints
    value: Ints
    values: Sequence[frozenset[int]]

    def __post_init__(self) -> None:
        v = len(self.item)
        require(
            self.item.shape == self.annotator.shape == self.value.shape == (v,),
            "Each answer needs its item, its annotator and its value.",
        )
        require(
            not v or 0 <= int(self.value.min()) <= int(self.value.max()) < len(self.values),
            "Each answer must be one of the values.",
        )

    def rows(self, kept: NDArray[np.bool_]) -> "Answers":
        """Those answers only."""
        return replace(
            self, item=self.item[kept], annotator=self.annotator[kept], value=self.value[kept]
        )

    @cached_property
    def counts(self) -> Table:
        """(n, s) how often each answer was given to each item that has two answers or more."""
        items, place = np.unique(self.item, return_inverse=True)
        found = np.zeros((len(items), len(self.values)))
        np.add.at(found, (place, self.value), 1)
        return np.asarray(found[found.sum(axis=1) > 1])


def answers_of(said: Sequence[tuple[int, int, Sequence[Any]]]) -> Answers:
    """From (item, annotator, labels) rows; an answer may name places and texts beside its labels."""
    sets = [frozenset(labels) for _, _, labels in said]
    values = sorted(set(sets), key=lambda one: sorted(map(_in_order, one)))
    place = {value: number for number, value in enumerate(values)}
    return Answers(
        item=np.array([row[0] for row in said], dtype=np.int64),
        annotator=np.array([row[1] for row in said], dtype=np.int64),
        value=np.array([place[one] for one in sets], dtype=np.int64),
        values=values,
    )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """A coefficient: 1 full agreement, 0 what chance would give, below 0 systematic disagreement.

    value: None where it is not defined: nobody answered twice, or all gave one and the same answer.
    low, high: its 95 % interval, resampling items; None with fewer than ten of them.
    same: share of the pairs of answers on an item that are equal, None without any.
    items: those with two answers or more; answers: the answers to them.
    """

    value: float | None
    low: float | None
    high: float | None
    same: float | None
    items: int
    answers: int


def nominal(a: frozenset[int], b: frozenset[int]) -> float:
    """0 equal, 1 different."""
    return 0.0 if a == b else 1.0


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    """1 - |common| / |either|; two empty sets are equal. Source: Jaccard 1912."""
    either = len(a | b)
    return 1 - len(a & b) / either if either else 0.0


def masi(a: frozenset[int], b: frozenset[int]) -> float:
    """1 - Jaccard × (1 equal, 2/3 one within the other, 1/3 overlapping, 0 apart). Source: Passonneau
    2006.
    """
    if a == b:
        return 0.0
    if a <= b or b <= a:
        monotonic = 2 / 3
    elif a & b:
        monotonic = 1 / 3
    else:
        monotonic = 0.0
    return 1 - (1 - jaccard(a, b)) * monotonic


@dataclass(frozen=True, kw_only=True)
class Grades:
    """Answers are grades: two of them are as far apart as answers lie from the one to the other.

    places: label -> its place in the order of the scale. Answers without a label are not grades.
    """

    places: Mapping[int, int]

    def table(self, values: Sequence[frozenset[int]], given: Table) -> Table:
        """(s, s) the square of how many of the answers lie between, half of the ends included.

        given: (s,) how often each value was given. Source: Krippendorff 2011, ordinal metric.
        """
        order = np.argsort([self.places[min(value)] for value in values], kind="stable")
        up_to = np.empty(len(values))
        up_to[order] = np.cumsum(given[order]) - given[order] / 2
        return np.asarray(np.square(up_to[:, None] - up_to[None, :]))


def krippendorff(
    answers: Answers, rng: np.random.Generator | None = None, distance: Distance | Grades = nominal
) -> Agreement:
    """Krippendorff's alpha: any number of voices, any of them missing on any item.

    1 - observed / expected distance of two answers; expected: of any two answers to items that have
    several. rng: for the interval, None for none; grades keep their distances in it. Source: Krippendorff 2011, Hayes, Krippendorff 2007.
    """
    counts = answers.counts
    apart = _distances(answers.values, distance, counts)

    def alpha(weights: Table) -> Table:
        """(b,) alpha where item i is taken weights (b, n) times."""
        total = counts.sum(axis=1)  # (n,)
        inner = np.einsum("ns,ns->n", counts @ apart, counts) / (total - 1)
        each = weights @ counts  # (b, s)
        n = each.sum(axis=1)
        observed = (weights @ inner) / n
        expected = np.einsum("bs,bs->b", each @ apart, each) / (n * (n - 1))
        return _kappa(observed, expected)

    return _estimate(counts, alpha, rng)


def fleiss(answers: Answers, rng: np.random.Generator | None = None) -> Agreement:
    """Fleiss' kappa: voices are interchangeable, answers compared by equality.

    With different numbers of answers to the items, the mean over items of the share of equal pairs,
    against the squared shares of all answers. Source: Fleiss 1971; Fleiss, Levin, Paik 2003, 18.3.
    """
    counts = answers.counts

    def kappa(weights: Table) -> Table:
        total = counts.sum(axis=1)
        equal = (np.square(counts).sum(axis=1) - total) / (total * (total - 1))
        each = weights @ counts
        shares = each / each.sum(axis=1, keepdims=True)
        observed = 1 - (weights @ equal) / weights.sum(axis=1)
        return _kappa(observed, 1 - np.square(shares).sum(axis=1))

    return _estimate(counts, kappa, rng)


def cohen(
    answers: Answers, one: int, other: int, rng: np.random.Generator | None = None
) -> Agreement:
    """Cohen's kappa of two annotators on the items that both answered, compared by equality.

    Chance is what their own shares of answers give. Source: Cohen 1960.
    """
    first, second = _paired(answers, one, other)
    s = len(answers.values)
    table = np.zeros((len(first), 2, s))  # one-hot, per item
    table[np.arange(len(first)), 0, first] = 1
    table[np.arange(len(first)), 1, second] = 1
    different = (first != second).astype(np.float64)

    def kappa(weights: Table) -> Table:
        n = weights.sum(axis=1)
        own = weights @ table[:, 0] / n[:, None]
        theirs = weights @ table[:, 1] / n[:, None]
        return _kappa(weights @ different / n, 1 - (own * theirs).sum(axis=1))

    return _estimate(table.sum(axis=1), kappa, rng)


def pairs(answers: Answers, fewest: int = 1) -> list[tuple[int, int, int]]:
    """(annotator, annotator, items both answered), most items first, from `fewest` items on."""
    voices = np.unique(answers.annotator)
    items, place = np.unique(answers.item, return_inverse=True)
    there = np.zeros((len(items), len(voices)), dtype=np.float32)
    there[place, np.searchsorted(voices, answers.annotator)] = 1
    both = there.T @ there
    found = [
        (int(voices[a]), int(voices[b]), int(both[a, b]))
        for a in range(len(voices))
        for b in range(a + 1, len(voices))
        if both[a, b] >= fewest
    ]
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def between(answers: Answers, one: int, other: int) -> Answers:
    """The answers of two annotators alone."""
    return answers.rows((answers.annotator == one) | (answers.annotator == other))


def _in_order(named: Any) -> tuple[Any, ...]:
    """Labels before places before texts, each by what it is made of."""
    if not isinstance(named, tuple):
        return (0, named)
    return (2 if isinstance(named[0], str) else 1, *named)


def about(answers: Answers, label: int) -> Answers:
    """The same answers as yes or no to one label, for its agreement."""
    yes = np.array([label in value for value in answers.values], dtype=np.int64)
    return replace(answers, value=yes[answers.value], values=(frozenset(), frozenset({label})))


def _paired(answers: Answers, one: int, other: int) -> tuple[Ints, Ints]:
    """Their answers on the items that both answered."""
    mine, theirs = answers.annotator == one, answers.annotator == other
    _, a, b = np.intersect1d(
        answers.item[mine], answers.item[theirs], assume_unique=False, return_indices=True
    )
    return answers.value[mine][a], answers.value[theirs][b]


def _distances(
    values: Sequence[frozenset[int]], distance: Distance | Grades, counts: Table
) -> Table:
    """(s, s)"""
    if isinstance(distance, Grades):
        return distance.table(values, counts.sum(axis=0))
    if distance is nominal:
        return 1 - np.eye(len(values))
    return np.array([[distance(a, b) for b in values] for a in values], dtype=np.float64).reshape(
        len(values), len(values)
    )


def _kappa(observed: Table, expected: Table) -> Table:
    """1 - observed / expected disagreement; NaN where there is no chance to disagree."""
    ratio = np.full_like(observed, np.nan)
    np.divide(observed, expected, out=ratio, where=expected > 1e-12)
    return 1 - ratio


def with_interval(
    n: int, coefficient: Callable[[Table], Table], rng: np.random.Generator | None
) -> tuple[float | None, float | None, float | None]:
    """A coefficient and its 95 % interval by drawing the n items again, from `FEWEST` items on.

    coefficient: (b, n) weights of the items -> (b,), NaN where it is not defined; None stands for that.
    """
    value = float(coefficient(np.ones((1, n)))[0])
    if not np.isfinite(value):
        return None, None, None
    if rng is None or n < FEWEST:
        return value, None, None
    drawn = coefficient(rng.multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn[np.isfinite(drawn)], [tail, 1 - tail])
    return value, float(low), float(high)


def _estimate(
    counts: Table, coefficient: Callable[[Table], Table], rng: np.random.Generator | None
) -> Agreement:
    n = len(counts)
    if not n:
        return Agreement(value=None, low=None, high=None, same=None, items=0, answers=0)
    total = counts.sum(axis=1)
    equal = (np.square(counts) - counts).sum()
    value, low, high = with_interval(n, coefficient, rng)
    return Agreement(
        value=value,
        low=low,
        high=high,
        same=float(equal / (total * (total - 1)).sum()),
        items=n,
        answers=int(total.sum()),
    )
