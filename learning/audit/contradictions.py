"""Answers whose item labels and marks contradict each other, by how the two go together elsewhere.

A form may ask for a label of the whole item and for spans: “no problem”, and a problem is marked. What
goes together nobody has to say; the other answers show it. Letters: n answers, k label columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, lgamma

import numpy as np

from learning.parts import asked
from learning.types import Bools, Floats, Part

# Other answers with the label, at least; marks that are rarer than MOST_SHARE among them are odd.
FEWEST, MOST_SHARE = 10, 0.15
# Of all pairs of label and mark together, how likely chance alone makes one look tied.
ALPHA = 0.01


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """A label that is given, and marks that are there, or not there, against what others do.

    label: its column; marks: the columns of the marks, one or all of a question; there: whether one of
    them is in this answer.
    same: of `others`, the other answers with the label, how many are alike in the marks; same_without,
    without: likewise of the answers without the label.
    """

    label: int
    marks: tuple[int, ...]
    there: bool
    same: int
    others: int
    same_without: int
    without: int

    @property
    def score(self) -> float:
        """0 … 1, the share of answers with the label whose marks are such (Laplace's rule)."""
        return (self.same + 1) / (self.others + 2)


def contradictions(
    answers: Floats | Bools, parts: Sequence[Part], marking: Sequence[int]
) -> list[list[Contradiction]]:
    """Of each of the (n, k) answers its contradictions, the oddest first.

    parts: the questions; marking: the places of those that mark the text. Marks contradict a label
    where at most MOST_SHARE of the other answers with it have such, and where label and marks hang
    together by Fisher's exact test, at ALPHA over all pairs (Bonferroni). Where a question is asked only
    after some answers, its single labels are compared among the answers that were asked it: that nobody
    else has them ties them to nothing. Source: Fisher 1922.
    """
    given: Bools = np.asarray(answers, dtype=np.float32) >= 0.5
    labels = [
        column
        for place, part in enumerate(parts)
        if place not in marking
        for column in part.columns
    ]
    marks = _marks(parts, marking)
    reached = asked(given, parts)
    every = np.ones(len(given), dtype=np.bool_)
    found: list[list[Contradiction]] = [[] for _ in given]
    tests = 2 * len(labels) * len(marks)
    for label, (group, place), there in product(labels, marks.items(), (True, False)):
        among = every if place is None else reached[:, place]
        odd = _odd(given[among], label, group, there=there)
        if odd is None or _by_chance(odd) * tests >= ALPHA:
            continue
        alike = among & given[:, label] & (given[:, list(group)].any(axis=1) == there)
        for row in np.flatnonzero(alike).tolist():
            found[row].append(odd)
    return [sorted(each, key=_order) for each in found]


def _order(one: Contradiction) -> tuple[float, int, int]:
    """The oddest first; of equals the one about a whole question."""
    return one.score, -len(one.marks), one.label


def _marks(parts: Sequence[Part], marking: Sequence[int]) -> dict[tuple[int, ...], int | None]:
    """What may be marked: anything of a question, compared among all answers, and each of its labels,
    among those that were asked the question at that place.
    """
    found: dict[tuple[int, ...], int | None] = {}
    for place in marking:
        columns = parts[place].columns
        if columns:
            found |= {(column,): place for column in columns} | {columns: None}
    return found


def _odd(given: Bools, label: int, group: tuple[int, ...], *, there: bool) -> Contradiction | None:
    """The contradiction that an answer with the label and such marks is; None where it is not odd.

    All such answers have the same others, so it is one for all.
    """
    own, alike = given[:, label], given[:, list(group)].any(axis=1) == there
    same, others = int((own & alike).sum()) - 1, int(own.sum()) - 1
    if same < 0 or others < FEWEST:
        return None
    found = Contradiction(
        label=label,
        marks=group,
        there=there,
        same=same,
        others=others,
        same_without=int((~own & alike).sum()),
        without=int((~own).sum()),
    )
    return found if found.score <= MOST_SHARE else None


def _by_chance(one: Contradiction) -> float:
    """How likely so few answers with the label have such marks, were the two independent."""
    total, alike = one.others + one.without, one.same + one.same_without
    low = max(0, one.others - (total - alike))
    return sum(
        exp(_ways(alike, at) + _ways(total - alike, one.others - at) - _ways(total, one.others))
        for at in range(low, one.same + 1)
    )


def _ways(n: int, k: int) -> float:
    """The logarithm of the ways to choose k of n."""
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
