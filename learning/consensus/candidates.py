"""Consensus on spans: every stretch that a voice marked is a question, "is there a span?", which any
consensus method answers; its label and its edges follow by vote among those who marked it.

So a method's skills are, of each voice, how often it marks what is there and what is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from learning.consensus import ConsensusMethod
from learning.consensus.presence import Presence
from learning.consensus.skills import Skills
from learning.spans import Span
from learning.spans.scores import overlap
from learning.types import Votes

# Marks of different labels are of one span from so much overlap on; with one label, any overlap is.
SAME_STRETCH = 0.5
TIE = 1e-6


@dataclass(frozen=True, kw_only=True)
class SpanAnswer:
    """What a voice marked on an item, each span once; weight above 0."""

    annotator: int
    spans: Sequence[Span]
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What the answers to an item amount to.

    spans: the verdict, sorted; probabilities: of each of them, 0 … 1, how far to believe that it is
    there; doubtful: spans that were marked and are not in the verdict, with theirs, likewise; tied:
    the answers do not decide whether a span is there, which label it has or where it ends.
    """

    spans: list[Span]
    probabilities: list[float]
    doubtful: list[tuple[Span, float]]
    tied: bool


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Marks of different voices that are taken for one span: places in the item's answers."""

    marks: dict[int, Span]

    def joined(self, other: "Candidate") -> "Candidate":
        return Candidate(marks=self.marks | other.marks)


def candidates_of(answers: Sequence[SpanAnswer]) -> list[Candidate]:
    """The marks on one item, grouped so that each voice has one in a group at most.

    The most alike are joined first: equal labels before others, then by overlap.
    """
    groups = [
        Candidate(marks={place: span})
        for place, answer in enumerate(answers)
        for span in sorted(set(answer.spans))
    ]
    home = list(range(len(groups)))
    for one, other in _alike(groups):
        a, b = home[one], home[other]
        if a == b or groups[a].marks.keys() & groups[b].marks.keys():
            continue
        groups[a] = groups[a].joined(groups[b])
        home = [a if at == b else at for at in home]
    return [groups[at] for at in sorted(set(home))]


def _alike(groups: Sequence[Candidate]) -> list[tuple[int, int]]:
    """Pairs of single marks by different voices that may be one span, the most alike first."""
    marks = [next(iter(group.marks.items())) for group in groups]
    order = sorted(range(len(marks)), key=lambda at: marks[at][1])
    found: list[tuple[bool, float, int, int]] = []
    waiting: list[int] = []  # those that end behind the start of the present one
    for at in order:
        voice, span = marks[at]
        waiting = [other for other in waiting if marks[other][1].end > span.start]
        for other in waiting:
            there, mark = marks[other]
            share, same = overlap(mark, span), mark.label == span.label
            if there != voice and (same or share >= SAME_STRETCH):
                found.append((not same, -share, min(at, other), max(at, other)))
        waiting.append(at)
    return [(one, other) for _, _, one, other in sorted(found)]


def votes_of(
    items: Sequence[Sequence[SpanAnswer]],
    truth: Sequence[Sequence[Span] | None] | None = None,
) -> tuple[Votes, list[tuple[int, Candidate]]]:
    """The answers as votes on candidates, one column "is there", and each candidate's item.

    truth: of each item the spans known for sure, None where they are not; those are candidates too.
    """
    asked: list[tuple[int, Candidate]] = []
    presence = Presence()
    for item, answers in enumerate(items):
        sure = None if truth is None else truth[item]
        known = [] if sure is None else [SpanAnswer(annotator=-1, spans=sure)]
        for found in candidates_of([*answers, *known]):
            presence.ask(answers, found.marks, settled=sure is not None)
            asked.append((item, found))
    return presence.votes(with_truth=truth is not None), asked


def settle(
    method: ConsensusMethod,
    items: Sequence[Sequence[SpanAnswer]],
    skills: Skills | None = None,
) -> list[Settled]:
    """The verdict on each item; an item whose voices all marked nothing has no spans, untied."""
    votes, asked = votes_of(items)
    consensus = method.aggregate(votes, skills)
    found = [Settled(spans=[], probabilities=[], doubtful=[], tied=False) for _ in items]
    chosen: list[list[tuple[Span, float]]] = [[] for _ in items]
    ties = [False] * len(items)
    for row, (item, candidate) in enumerate(asked):
        share = float(consensus.shares[row, 0])
        span, tied = _voted(candidate, items[item])
        present = bool(consensus.answers[row, 0])
        ties[item] |= bool(consensus.tied[row]) or (present and tied)
        if present:
            chosen[item].append((span, share))
        else:
            found[item].doubtful.append((span, share))
    return [
        Settled(
            spans=[span for span, _ in sorted(best)],
            probabilities=[share for _, share in sorted(best)],
            doubtful=sorted(one.doubtful),
            tied=tied,
        )
        for one, best, tied in zip(found, chosen, ties, strict=True)
    ]


def _voted(candidate: Candidate, answers: Sequence[SpanAnswer]) -> tuple[Span, bool]:
    """The span that the marks amount to, and whether its label or edges were equally voted for.

    First the label with most weight, then the edges with most weight among its marks; of equal edges
    those that overlap most with all.
    """
    weighed = [(span, answers[place].weight) for place, span in candidate.marks.items()]
    labels: dict[int, float] = {}
    for span, weight in weighed:
        labels[span.label] = labels.get(span.label, 0.0) + weight
    label = min(labels, key=lambda one: (-labels[one], one))
    edges: dict[Span, float] = {}
    for span, weight in weighed:
        if span.label == label:
            edges[span] = edges.get(span, 0.0) + weight

    def nearness(edge: Span) -> float:
        return sum(weight * overlap(edge, span) for span, weight in weighed)

    best = min(edges, key=lambda edge: (-edges[edge], -nearness(edge), edge))
    tied = _equal(list(labels.values())) or _equal(list(edges.values()))
    return best, tied


def _equal(weights: Sequence[float]) -> bool:
    """Whether the two largest are equal."""
    ordered = sorted(weights, reverse=True)
    return len(ordered) > 1 and ordered[0] - ordered[1] <= TIE
