"""The grade in the middle of the votes."""

from dataclasses import dataclass

import numpy as np

from learning.consensus.majority import WeightedMajority, skill_of
from learning.consensus.skills import Skills
from learning.types import Consensus, Votes


@dataclass(frozen=True, kw_only=True)
class Median:
    """The grade that half of the weight of votes lies on either side of. Source: textbook.

    Columns are grades in their order. Where the middle lies between two grades, it is a tie; labels
    that hold together have no middle and are decided by weighted majority.

    tie: shares closer than this to a half are a half, so that rounding never breaks a tie.
    """

    tie: float = 1e-6

    def fit(self, votes: Votes) -> None:
        """Nothing is learnt: a vote weighs what it was given."""

    def aggregate(self, votes: Votes, skills: Skills | None = None) -> Consensus:
        """Verdict per item; of a tie the lower grade is named."""
        counted = WeightedMajority(tie=self.tie).aggregate(votes)
        if votes.multi_label or not votes.answers.shape[1]:
            return counted
        up_to = np.cumsum(counted.shares, axis=1, dtype=np.float64)  # (n, k)
        half = up_to[:, -1:] / 2  # votes for archived grades have no share
        low = (up_to >= half - self.tie).argmax(axis=1)
        high = (up_to > half + self.tie).argmax(axis=1)
        voted, graded = counted.votes > 0, half[:, 0] > self.tie
        answers = np.zeros_like(counted.answers)
        answers[np.flatnonzero(graded), low[graded]] = True
        tied = np.asarray(voted & (~graded | (low != high)))
        return Consensus(
            answers=answers,
            shares=counted.shares,
            tied=tied,
            votes=counted.votes,
            skill=skill_of(votes, answers, tied),
        )
