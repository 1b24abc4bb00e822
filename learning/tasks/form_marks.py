"""Questions of a form that mark places of the text: what several voices' marks amount to.

A label belongs to one question, so the label of a mark tells which question it answers. Letters in
shapes: n items, v votes, c columns of the question.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.consensus import ConsensusMethod
from learning.consensus.agreement import jaccard
from learning.consensus.candidates import SpanAnswer, settle
from learning.errors import ShapeError
from learning.spans import Span
from learning.spans.scores import exact_f1
from learning.tasks.content import Content
from learning.tasks.question import Question
from learning.tasks.spans import Spans
from learning.types import Bools, Part, Votes

MARKS = Spans()


@dataclass(frozen=True, kw_only=True)
class Marked:
    """What the voices that were asked a question marked in the end.

    answers: (n, c) bool, the labels that occur; shares: (n, c) float32, how far to believe it; tied:
    (n,) bool; marks: of each item its spans, sorted, by label id.
    """

    answers: Bools
    shares: NDArray[np.float32]
    tied: Bools
    marks: list[list[Span]]


def read(
    questions: Sequence[Question], value: object, content: Content, labels: Collection[int]
) -> dict[str, Any]:
    """The canonical value of a form's marks. Raises ShapeError that names the questions."""
    live = {label for one in questions for label in one.live} & set(labels)
    try:
        return MARKS.read(value, content, live)
    except ShapeError as refusal:
        names = ", ".join(f"“{one.name}”" for one in questions)
        raise ShapeError(f"{names}: {refusal}") from refusal


def agreed(
    method: ConsensusMethod, votes: Votes, spoke: Bools, question: Question, part: Part
) -> Marked:
    """What the votes marked, by those of the (v,) that `spoke` to the question."""
    place = {label: at for at, label in enumerate(question.known(part))}
    said: dict[int, list[SpanAnswer]] = {}
    marks = votes.marks or [()] * len(votes.item)
    for vote in np.flatnonzero(spoke).tolist():
        said.setdefault(int(votes.item[vote]), []).append(
            SpanAnswer(
                annotator=int(votes.annotator[vote]),
                spans=[span for span in marks[vote] if span.label in place],
                weight=1.0 if votes.weights is None else float(votes.weights[vote]),
            )
        )
    found = Marked(
        answers=np.zeros((votes.items, len(place)), dtype=np.bool_),
        shares=np.zeros((votes.items, len(place)), dtype=np.float32),
        tied=np.zeros(votes.items, dtype=np.bool_),
        marks=[[] for _ in range(votes.items)],
    )
    for item, one in zip(said, settle(method, list(said.values())), strict=True):
        found.marks[item] = one.spans
        found.tied[item] = one.tied
        for span in one.spans:
            found.answers[item, place[span.label]] = True
        for span, share in [*zip(one.spans, one.probabilities, strict=True), *one.doubtful]:
            at = (item, place[span.label])
            found.shares[at] = max(found.shares[at], np.float32(share))
    return found


def apart(question: Question, a: Collection[Any], b: Collection[Any]) -> float:
    """Disagreement of two answers to it: 1 - F1 of their spans, or by labels where none has spans."""
    one, other = _own(question, a), _own(question, b)
    if not any(isinstance(each, Span) for each in (*a, *b)):
        return jaccard(frozenset(one), frozenset(other))
    return 1 - exact_f1(
        [each for each in one if isinstance(each, Span)],
        [each for each in other if isinstance(each, Span)],
    )


def _own(question: Question, given: Collection[Any]) -> list[Any]:
    labels = set(question.labels)
    return [each for each in given if (each.label if isinstance(each, Span) else each) in labels]
