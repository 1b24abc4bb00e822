"""Which labels a student should not learn from, decided without those whom it will judge."""

import numpy as np
from numpy.typing import NDArray

from learning.audit.detectors.evidence import Near
from learning.audit.detectors.ridge import Ridges

COUNT = 15  # neighbours that vote
MOST_OF_A_LABEL = 0.5

Bools = NDArray[np.bool_]
Table = NDArray[np.float32]


def doubtful(ridges: Ridges, near: Near, without: int) -> Bools:
    """(n,), or (n, k) for several labels: students and neighbours both prefer another answer.

    Neither the students nor the neighbours are of the fold `without`, nor do they go by its labels, so
    that no label has a say in what its judge learns. At most half of a label's items are in doubt,
    the most doubtful ones. Of the fold itself nothing is in doubt.
    """
    told = ridges.told
    students = np.exp(np.log(np.maximum(ridges.held_out(without), 1e-6)).mean(axis=0))
    targets = np.asarray(told.targets, dtype=np.float32)
    others = (ridges.fold != without)[:, None]
    heard = told.known & others if told.multi_label else others
    votes = _votes((targets + students) / 2, heard, near)
    if told.multi_label:
        lead = np.minimum(*(np.where(targets > 0.5, 0.5 - x, x - 0.5) for x in (students, votes)))
        return np.asarray(heard & (lead > 0))
    given = targets.argmax(axis=1)
    lead = np.minimum(_behind(students, given), _behind(votes, given))
    lead[ridges.fold == without] = -1
    return _at_most_half(lead, given)


def _votes(opinion: Table, heard: Bools, near: Near) -> Table:
    """(n, k) mean opinion of the nearest COUNT whose word on the label is heard; a half of none.

    heard: (n, k), or (n, 1) where it is the same for all labels.
    """
    total = np.zeros(opinion.shape, dtype=np.float32)
    voices = np.zeros(heard.shape, dtype=np.float32)
    for rows in near.rows.T:
        asked = heard[rows] & (voices < COUNT)
        total += np.where(asked, opinion[rows], 0)
        voices += asked
    return np.where(voices > 0, total / np.maximum(voices, 1), np.float32(0.5))


def _behind(shares: Table, given: NDArray[np.int64]) -> Table:
    """(n,) how far the given label is behind the best other one; below 0 where it leads."""
    every, others = np.arange(len(given)), shares.copy()
    others[every, given] = -np.inf
    behind: Table = others.max(axis=1) - shares[every, given]
    return behind


def _at_most_half(lead: Table, given: NDArray[np.int64]) -> Bools:
    doubt = lead > 0
    for label in np.unique(given[doubt]):
        rows = np.flatnonzero(given == label)
        allowed = int(MOST_OF_A_LABEL * len(rows))
        if int(doubt[rows].sum()) > allowed:
            order = np.argsort(-lead[rows], kind="stable")
            doubt[rows[order[allowed:]]] = False
    return doubt
