"""What audited answers say of a teacher: how often it means one label and says another.

A single-label answer is one question with k options, an answer with several labels k questions
with two options, no and yes. Letters: q questions, o options, m members, a answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.teachers.types import TeacherAnswer, TeacherSchema
from learning.types import Bools, Floats, require

ASSUMED = 0.6  # how often a teacher that was not audited is taken to be right
LENT = 2.0  # audited answers that this assumption is worth
SHARES_LENT = 5.0


def beliefs(answer: TeacherAnswer, schema: TeacherSchema) -> NDArray[np.float64]:
    """(q, o) what an answer that is no abstention gives each option."""
    require(answer.probabilities is not None, "An abstention holds no belief.")
    p = np.asarray(answer.probabilities, dtype=np.float64)
    return np.stack([1 - p, p], axis=1) if schema.multi_label else p[None]


def knows(answer: TeacherAnswer, schema: TeacherSchema) -> Bools:
    """(q,) the questions that an answer speaks about."""
    if not schema.multi_label:
        return np.ones(1, dtype=np.bool_)
    return np.ones(schema.size, dtype=np.bool_) if answer.known is None else answer.known


def confusion_of(
    answers: Sequence[TeacherAnswer], truth: Floats, schema: TeacherSchema
) -> NDArray[np.float64]:
    """Counts of audited items for `Member.confusion`: (k, k), or (k, 2, 2) for several labels.

    truth: (a, k) ones at the labels of each answered item. Abstentions are left out. An answer
    counts for its likeliest option.
    """
    require(truth.shape == (len(answers), schema.size), "Each answer needs one row of truth.")
    q, o = _shape(schema)
    counts = np.zeros((q, o, o))
    for answer, row in zip(answers, truth, strict=True):
        if answer.probabilities is None:
            continue
        said = beliefs(answer, schema).argmax(axis=1)
        true = (row > 0.5).astype(np.int64) if schema.multi_label else np.array([row.argmax()])
        asked = np.flatnonzero(knows(answer, schema))
        counts[asked, true[asked], said[asked]] += 1
    return counts if schema.multi_label else counts[0]


@dataclass(frozen=True, kw_only=True)
class Skill:
    """What an answer of a teacher is worth.

    given: (q, o, o) probability of each true option by row, given that it says the column's; it
        was taken with equal shares of all options.
    information: (q,) how much an answer tells about the truth, in natural units, at least 0.
    accuracy: 0 … 1, the mean over the questions, with the assumption of 60 % lent to it.
    """

    given: NDArray[np.float64]
    information: NDArray[np.float64]
    accuracy: float


def skill_of(confusion: Floats | None, schema: TeacherSchema, smoothing: float) -> Skill:
    """From audited counts, or from the assumption alone where there are none.

    smoothing: audited items that a teacher of the same accuracy with even errors lends each
        option, so that an option seen twice does not decide.
    """
    q, o = _shape(schema)
    counts = np.zeros((q, o, o))
    if confusion is not None:
        expected = (schema.size, 2, 2) if schema.multi_label else (schema.size, schema.size)
        require(
            confusion.shape == expected and bool(np.all(confusion >= 0)),
            f"A confusion for this schema has the shape {expected} and holds counts.",
        )
        counts = np.asarray(confusion, dtype=np.float64).reshape(q, o, o)
    diagonal = np.eye(o, dtype=np.bool_)
    right = counts[:, diagonal].sum(axis=1)
    accuracy = (right + LENT * max(ASSUMED, 1 / o)) / (counts.sum(axis=(1, 2)) + LENT)  # (q,)
    even = np.where(
        diagonal, accuracy[:, None, None], ((1 - accuracy) / max(1, o - 1))[:, None, None]
    )
    says = (counts + smoothing * even) / (counts.sum(axis=2, keepdims=True) + smoothing)
    joint = np.maximum(says / o, 1e-12)  # (q, o, o): truth with equal shares, and what is said
    joint /= joint.sum(axis=(1, 2), keepdims=True)
    apart = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    return Skill(
        given=joint / joint.sum(axis=1, keepdims=True),
        information=np.maximum((joint * np.log(joint / apart)).sum(axis=(1, 2)), 0),
        accuracy=float(accuracy.mean()),
    )


def shares_of(confusions: Sequence[Floats | None], schema: TeacherSchema) -> NDArray[np.float64]:
    """(q, o) how common each option is among audited items, five of each lent to it."""
    q, o = _shape(schema)
    counts = np.full((q, o), SHARES_LENT)
    rows = [
        np.asarray(c, dtype=np.float64).reshape(q, o, o).sum(axis=2)
        for c in confusions
        if c is not None
    ]
    if rows:
        counts += np.mean(rows, axis=0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def _shape(schema: TeacherSchema) -> tuple[int, int]:
    return (schema.size, 2) if schema.multi_label else (1, schema.size)
