"""What voices said to the questions of a form, question by question. Letters in shapes: v votes, n items."""

from collections.abc import Sequence

import numpy as np

from learning.consensus import ConsensusMethod
from learning.spans import Span
from learning.tasks import form_marks
from learning.tasks.question import Question
from learning.types import Bools, Consensus, Part, Votes


def settled(
    method: ConsensusMethod, votes: Votes, spoke: Bools, question: Question, part: Part
) -> Consensus | form_marks.Marked:
    """What the (v,) votes that `spoke` to one question amount to in labels."""
    if votes.marks is not None and question.marks:
        return form_marks.agreed(method, votes, spoke, question, part)
    return method.aggregate(_about(votes, part, spoke))


def _about(votes: Votes, part: Part, spoke: Bools) -> Votes:
    """What the voices that were asked one question said to it."""
    answers = np.asarray(votes.answers, dtype=np.float32)[:, list(part.columns)]
    if not part.several:
        spoke = spoke & answers.any(axis=1)
    return Votes(
        items=votes.items,
        item=votes.item[spoke],
        annotator=votes.annotator[spoke],
        answers=answers[spoke],
        weights=None if votes.weights is None else votes.weights[spoke],
        multi_label=part.several,
    )


def skill(
    votes: Votes, answers: Bools, marks: Sequence[Sequence[Span]], tied: Bools
) -> dict[int, float]:
    """annotator -> the share of their whole answers that equal an untied verdict; texts do not count."""
    same = ((votes.answers >= 0.5) == answers[votes.item]).all(axis=1)
    if votes.marks is not None:
        told = zip(votes.item.tolist(), votes.marks, strict=True)
        same &= np.array([set(said) == set(marks[item]) for item, said in told], dtype=np.bool_)
    decided = ~tied[votes.item]
    return {
        int(who): float(same[(votes.annotator == who) & decided].mean())
        for who in np.unique(votes.annotator[decided])
    }
