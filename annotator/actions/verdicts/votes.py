"""What verdicts are made from and of: standing answers, and what follows from those on one item."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from annotator.models import Outcome, VerdictSource, VerdictState


class Vote(NamedTuple):
    """A standing answer: who said what to which item, with which weight, at which position.

    `question` is the one label that it is about, None for a whole answer; `outcome` is what a
    reviewer made of the item; `value` is the whole answer where labels alone do not say it.
    """

    item: int
    annotator: int
    labels: list[int]
    stream: str
    weight: float
    truth: bool
    position: int
    question: int | None
    outcome: str = ""
    value: Any = None


class Derived(NamedTuple):
    """What follows from the votes on one item; `soft` maps label ids to shares of the weight, or to
    posteriors where the project's consensus method learns the voices' skills.

    `known` names the labels that questions were answered about, None where a whole answer counts.
    """

    item: int
    labels: list[int]
    soft: dict[int, float]
    known: list[int] | None
    state: VerdictState
    source: VerdictSource
    voices: int
    position: int
    outcome: str = ""
    value: Any = None

    def confidence(self, *, multi_label: bool) -> float:
        """0 … 1, how far to believe in the verdict; with several labels, in its most doubtful one."""
        if not multi_label:
            return max((self.soft.get(label, 0.0) for label in self.labels), default=0.0)
        return min((max(share, 1 - share) for share in self.soft.values()), default=1.0)


def derived(votes: Sequence[Vote], **values: Any) -> Derived:
    """What follows from these votes, which are in the order of their positions."""
    voices = 1 if len(votes) == 1 else len({vote.annotator for vote in votes})
    return Derived(item=votes[0].item, voices=voices, position=votes[-1].position, **values)


def by_teacher(item: int, labels: list[int], position: int, value: str | None) -> Derived:
    """The verdict that an accepted word of a teacher is; its value as JSON, None where labels are all."""
    return Derived(
        item=item,
        labels=labels,
        value=None if value is None else json.loads(value),
        soft=dict.fromkeys(labels, 1.0),
        known=None,
        state=VerdictState.DECIDED,
        source=VerdictSource.TEACHER,
        voices=1,
        position=position,
    )


def settled(
    votes: Sequence[Vote], word: Vote, soft: dict[int, float], labels: list[int]
) -> Derived:
    """The verdict that a word makes which settles the item, see `final_word`."""
    return derived(
        votes,
        labels=labels,
        value=word.value,
        soft=soft,
        known=None,
        state=VerdictState.BAD if word.outcome == Outcome.BAD else VerdictState.DECIDED,
        source=VerdictSource.REVIEWER if word.stream == "review" else VerdictSource.TRUTH,
        outcome=word.outcome,
    )


def belief(votes: Sequence[Vote], word: Vote) -> dict[int, float]:
    """Label -> how far it holds, by a word that settles the item: wholly, or where it says that
    several fit, by the share of the weight of all voices, the reviewer's among them.
    """
    if word.outcome != Outcome.AMBIGUOUS:
        return dict.fromkeys(word.labels, 1.0)
    fitting = [vote for vote in votes if vote.outcome != Outcome.BAD]
    shares: dict[int, float] = defaultdict(float)
    for vote in fitting:
        for label in vote.labels:
            shares[label] += vote.weight
    total = sum(vote.weight for vote in fitting)
    return {label: round(share / total, 6) for label, share in sorted(shares.items())}


def counting(votes: Sequence[Vote]) -> Sequence[Vote]:
    """The votes that count. Answers to questions stand only until somebody answered the whole: it
    was asked because they left the item in doubt, and one of them against one whole would tie.
    """
    whole = [vote for vote in votes if vote.question is None]
    return whole or votes


def final_word(votes: Sequence[Vote]) -> Vote | None:
    """The vote that settles an item: a reviewer's last word, else a label imported as truth."""
    reviews = [vote for vote in votes if vote.stream == "review"]
    return reviews[-1] if reviews else next((vote for vote in votes if vote.truth), None)
