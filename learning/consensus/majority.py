"""Majority votes, plain and weighted."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learning.types import Bools, Consensus, Votes


@dataclass(frozen=True, kw_only=True)
class WeightedMajority:
    """The label with most weight of votes wins, and equal weights are a tie. Source: textbook.

    tie: shares closer than this are equal, so that rounding never breaks a tie.
    """

    tie: float = 1e-6

    def aggregate(self, votes: Votes) -> Consensus:
        """Verdict per item. Multi-label: a label needs more than half of the weight; half ties."""
        weights = np.ones(len(votes.item)) if votes.weights is None else votes.weights
        return _aggregate(votes, weights.astype(np.float64), self.tie)


@dataclass(frozen=True, kw_only=True)
class Majority:
    """The label with most votes wins, every voice counting the same. Source: textbook."""

    def aggregate(self, votes: Votes) -> Consensus:
        """Verdict per item, whatever weights the votes carry."""
        return WeightedMajority().aggregate(replace(votes, weights=None))


def _aggregate(votes: Votes, weights: NDArray[np.float64], tie: float) -> Consensus:
    mass = np.zeros((votes.items, votes.answers.shape[1]))  # (n, k)
    np.add.at(mass, votes.item, votes.answers * weights[:, None])
    total = np.bincount(votes.item, weights=weights, minlength=votes.items)  # (n,)
    shares = np.divide(mass, total[:, None], out=np.zeros_like(mass), where=total[:, None] > 0)
    count = np.bincount(votes.item, minlength=votes.items).astype(np.int64)
    if votes.multi_label:
        answers = shares > 0.5 + tie
        tied = np.asarray((np.abs(shares - 0.5) <= tie).any(axis=1))
    else:
        best = shares.max(axis=1, initial=0.0)
        leaders = (shares >= best[:, None] - tie) & (count > 0)[:, None]
        tied = np.asarray(leaders.sum(axis=1) > 1)
        answers = leaders & (np.cumsum(leaders, axis=1) == 1)  # of equals, the first column
    return Consensus(
        answers=answers,
        shares=shares.astype(np.float32),
        tied=tied,
        votes=count,
        skill=_skill(votes, answers, tied),
    )


def _skill(votes: Votes, answers: Bools, tied: Bools) -> dict[int, float]:
    decided = ~tied[votes.item]
    if votes.multi_label:
        equal = ((votes.answers >= 0.5) == answers[votes.item]).all(axis=1)
    elif votes.answers.shape[1]:
        equal = votes.answers.argmax(axis=1) == answers[votes.item].argmax(axis=1)
    else:
        equal = np.zeros(len(votes.item), dtype=np.bool_)
    skill = {}
    for who in np.unique(votes.annotator[decided]):
        mine = decided & (votes.annotator == who)
        skill[int(who)] = float(equal[mine].mean())
    return skill
