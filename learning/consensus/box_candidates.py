"""Consensus on boxes: every thing that a voice boxed is a question, "is there one?", which any consensus
method answers; its label follows by vote, and its edges are the weighted mean of those who gave it.

So a method's skills are, of each voice, how often it boxes what is there and what is not. Source: the
fusion of overlapping boxes by their weights is that of Solovyev et al. 2021.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learning.boxes import SAME, Box, overlaps
from learning.consensus import ConsensusMethod
from learning.consensus.presence import Presence
from learning.consensus.skills import Skills
from learning.types import Votes

TIE = 1e-6


@dataclass(frozen=True, kw_only=True)
class BoxAnswer:
    """What a voice boxed on an item; weight above 0."""

    annotator: int
    boxes: Sequence[Box]
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class SettledBoxes:
    """What the answers to an item amount to.

    boxes: the verdict; shares: label -> 0 … 1, how far to believe that it occurs; tied: the answers do
    not decide whether something is there or which label it has.
    """

    boxes: list[Box]
    shares: dict[int, float]
    tied: bool


Marks = dict[int, Box]  # place in the item's answers -> the box of that voice


def candidates_of(answers: Sequence[BoxAnswer], least: float = SAME) -> list[Marks]:
    """The boxes on one item, grouped by their overlap so that each voice has one in a group at most.

    The most alike are joined first, equal labels before others.
    """
    marks = [(place, box) for place, answer in enumerate(answers) for box in answer.boxes]
    boxes = [box for _, box in marks]
    groups: list[Marks] = [{place: box} for place, box in marks]
    members = [[at] for at in range(len(marks))]
    home = list(range(len(marks)))
    alike = sorted(
        (boxes[at].label != boxes[to].label, -share, at, to)
        for at, to, share in overlaps(boxes, boxes, least)
        if to < at and marks[at][0] != marks[to][0]
    )
    for _, _, at, to in alike:
        one, other = home[at], home[to]
        if one == other or groups[one].keys() & groups[other].keys():
            continue
        groups[one] |= groups[other]
        members[one] += members[other]
        for place in members[other]:
            home[place] = one
    return [groups[place] for place in sorted(set(home))]


def votes_of(
    items: Sequence[Sequence[BoxAnswer]],
    truth: Sequence[Sequence[Box] | None] | None = None,
    least: float = SAME,
) -> tuple[Votes, list[tuple[int, Marks]]]:
    """The answers as votes on candidates, one column "is there", and each candidate's item.

    truth: of each item the boxes known for sure, None where they are not; those are candidates too.
    """
    asked: list[tuple[int, Marks]] = []
    presence = Presence()
    for item, answers in enumerate(items):
        sure = None if truth is None else truth[item]
        known = [] if sure is None else [BoxAnswer(annotator=-1, boxes=sure)]
        for found in candidates_of([*answers, *known], least):
            presence.ask(answers, found, settled=sure is not None)
            asked.append((item, found))
    return presence.votes(with_truth=truth is not None), asked


def settle(
    method: ConsensusMethod,
    items: Sequence[Sequence[BoxAnswer]],
    skills: Skills | None = None,
    least: float = SAME,
) -> list[SettledBoxes]:
    """The verdict on each item; an item whose voices all boxed nothing has no boxes, untied."""
    votes, asked = votes_of(items, least=least)
    consensus = method.aggregate(votes, skills)
    chosen: list[list[Box]] = [[] for _ in items]
    shares: list[dict[int, float]] = [{} for _ in items]
    ties = [False] * len(items)
    for row, (item, marks) in enumerate(asked):
        share = float(consensus.shares[row, 0])
        box, tied = _voted(marks, items[item])
        present = bool(consensus.answers[row, 0])
        ties[item] |= bool(consensus.tied[row]) or (present and tied)
        shares[item][box.label] = max(shares[item].get(box.label, 0.0), share)
        if present:
            chosen[item].append(box)
    return [
        SettledBoxes(boxes=boxes, shares=dict(sorted(share.items())), tied=tied)
        for boxes, share, tied in zip(chosen, shares, ties, strict=True)
    ]


def _voted(marks: Marks, answers: Sequence[BoxAnswer]) -> tuple[Box, bool]:
    """The box that the marks amount to, and whether labels were equally voted for."""
    weights: dict[int, float] = {}
    for place, box in marks.items():
        weights[box.label] = weights.get(box.label, 0.0) + answers[place].weight
    label = min(weights, key=lambda one: (-weights[one], one))
    mine = {place: box for place, box in marks.items() if box.label == label}
    box = between(list(mine.values()), [answers[place].weight for place in mine])
    ordered = sorted(weights.values(), reverse=True)
    tied = len(ordered) > 1 and ordered[0] - ordered[1] <= TIE
    return box, tied


def between(boxes: Sequence[Box], weights: Sequence[float] | None = None) -> Box:
    """The box whose corners are the weighted mean of those of boxes of one label, at least one."""
    # Corners and not sizes are averaged, so that the middle box lies between the others.
    edges = [(box.x, box.y, box.x + box.w, box.y + box.h) for box in boxes]
    left, top, right, bottom = np.average(edges, axis=0, weights=weights)
    return Box(left, top, right - left, bottom - top, boxes[0].label)
