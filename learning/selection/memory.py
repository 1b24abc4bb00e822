"""How far a label speaks for its surroundings: as far as its neighbours' labels foretell it."""

import numpy as np

from learning.selection.reading import Matrix, Rows, points_of
from learning.types import Floats, Pool

PENALTY = 0.3  # of the ridge regression, on unit rows
ENOUGH = 10  # labels a class on average, and outside the commonest: fewer foretell little anyway
NO_SKILL, FULL_SKILL = 0.2, 0.45  # where labels are half wrong, and where they are clean


def memory(pool: Pool, encodings: Floats, labelled: Rows) -> float:
    """0 … 1: how far what is labelled counts as covered, by the skill that its labels allow.

    encodings: (n, d); labelled: (s,) the labelled rows that are looked at.
    Where half of the labels are wrong, one of them settles nothing and its neighbours are worth
    asking too; where labels follow from encodings, one is enough. 1 where that cannot be told: no
    answers or few, hardly any but of one class, several labels an item, or doubt within items.
    """
    if pool.answers is None or pool.multi_label or pool.doubted:
        return 1.0
    if len(labelled) < ENOUGH * pool.answers.shape[1]:
        return 1.0
    places = np.searchsorted(np.flatnonzero(pool.labelled), labelled)
    answers = np.asarray(pool.answers[places], dtype=np.float64)
    if len(answers) * (1 - float(answers.mean(axis=0).max())) < ENOUGH:
        return 1.0
    shown = skill(points_of(encodings, labelled), answers)
    return min(1.0, max(0.0, (shown - NO_SKILL) / (FULL_SKILL - NO_SKILL)))


def skill(points: Matrix, answers: Floats) -> float:
    """0 … 1: accuracy on left-out rows above that of always saying the commonest label.

    points: (s, d); answers: (s, k), not all of one class. Ridge regression on the answers, each row left out in turn in
    closed form. Source: Allen 1974 (the PRESS residual).
    """
    x = np.hstack([points, np.ones((len(points), 1))]).astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + PENALTY * np.eye(x.shape[1]))
    half = x @ inverse
    own = np.einsum("sd,sd->s", half, x)[:, None]
    left_out = (half @ (x.T @ answers) - own * answers) / (1 - own)
    right = float((left_out.argmax(axis=1) == answers.argmax(axis=1)).mean())
    common = float(answers.mean(axis=0).max())
    return max(0.0, (right - common) / (1 - common))
