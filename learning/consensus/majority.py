"""Majority votes, plain and weighted."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.consensus.skills import Skills
from learning.types import Bools, Consensus, Votes


@dataclass(frozen=True, kw_only=True)
class WeightedMajority:
    """The label with most weight of votes wins, and equal weights are a tie. Source: textbook.

    tie: shares closer than this are equal, so that rounding never breaks a tie.
    """

    tie: float = 1e-6

    def fit(self, votes: Votes) -> None:
        """Nothing is learnt: a vote weighs what it was given."""

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Verdict per item. Multi-label: a label needs more than half of the weight; half ties."""
        weights = np.ones(len(votes.item)) if votes.weights is None else votes.weights
        return _aggregate(votes, weights.astype(np.float64), self.tie)


@dataclass(frozen=True, kw_only=True)
class Majority:
    """The label with most votes wins, every voice counting the same. Source: textbook."""

    def fit(self, votes: Votes) -> None:
        """Nothing is learnt: every vote counts one."""

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Verdict per item, whatever weights the votes carry."""
        return WeightedMajority().aggregate(replace(votes, weights=None))


def _aggregate(votes: Votes, weights: NDArray[np.float64], tie: float) -> Consensus:
    mass = np.zeros((votes.items, votes.answers.shape[1]))  # (n, k)
    row, column = np.nonzero(votes.answers)  # few of the many labels are in an answer
    np.add.at(mass, (votes.item[row], column), votes.answers[row, column] * weights[row])
    total = _total(votes, weights)
    shares = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
    count = np.bincount(votes.item, minlength=votes.items).astype(np.int64)
    if votes.multi_label:
        answers = shares > 0.5 + tie
        tied = np.asarray((np.abs(shares - 0.5) <= tie).any(axis=1))
    else:
        best = shares.max(axis=1, initial=0.0)
        leaders = (shares >= best[:, None] - tie) & (count > 0)[:, None]
        tied = np.asarray(np.count_nonzero(leaders, axis=1) > 1)
        answers = np.zeros_like(leaders)
        voted = np.flatnonzero(count) if leaders.shape[1] else count[:0]
        answers[voted, leaders[voted].argmax(axis=1)] = True  # of equals, the first column
    return Consensus(
        answers=answers,
        shares=shares.astype(np.float32),
        tied=tied,
        votes=count,
        skill=skill_of(votes, answers, tied),
    )


def _total(votes: Votes, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 1) the weight of the votes on each item, or (n, k) of those about each label."""
    if votes.known is None:
        whole = np.bincount(votes.item, weights=weights, minlength=votes.items)
        return np.asarray(whole, dtype=np.float64)[:, None]
    total = np.zeros((votes.items, votes.answers.shape[1]))
    row, column = np.nonzero(votes.known)
    np.add.at(total, (votes.item[row], column), weights[row])
    return total


def skill_of(votes: Votes, answers: Bools, tied: Bools) -> dict[int, float]:
    """Annotator -> share of their votes that equal an untied verdict, as far as each vote speaks."""
    decided = ~tied[votes.item]
    if votes.multi_label:
        same = (votes.answers >= 0.5) == answers[votes.item]
        equal = (same if votes.known is None else same | ~votes.known).all(axis=1)
    elif votes.answers.shape[1]:
        equal = votes.answers.argmax(axis=1) == answers[votes.item].argmax(axis=1)
    else:
        equal = np.zeros(len(votes.item), dtype=np.bool_)
    skill = {}
    for who in np.unique(votes.annotator[decided]):
        mine = decided & (votes.annotator == who)
        skill[int(who)] = float(equal[mine].mean())
    return skill
