"""What tells how far a teacher's answer can be trusted, item by item."""

from collections.abc import Callable
from functools import partial

import numpy as np

from learning.routing.types import Candidates, Shares
from learning.scores import confidences
from learning.types import Floats, row_blocks

SIGNALS = {
    "confidence": "the confidence that the teacher states",
    "agreement": "the share of other voices that agree with the teacher",
    "student": "the student's belief in the teacher's answer",
    "distribution": "the probability that the teacher gives its answer",
}
"""Signals in the order in which they are taken, in words. All 0 … 1, higher is surer."""

NEIGHBOURS = 10
REFERENCE = 5_000  # answered items that neighbours are looked for among, drawn at random


def signal(name: str, items: Candidates, missing: float = 0.0) -> Shares:
    """(n,) one of SIGNALS, `missing` where an item does not have it."""
    sources: dict[str, Callable[[], Floats | None]] = {
        "confidence": lambda: items.confidence,
        "agreement": lambda: None if items.disagreement is None else 1 - items.disagreement,
        "student": lambda: student_belief(items),
        "distribution": partial(confidences, items.teacher, multi_label=items.multi_label),
    }
    found = sources[name]()
    values = np.full(items.rows, np.nan) if found is None else np.asarray(found, dtype=np.float64)
    known = items.answered & np.isfinite(values)
    return np.where(known, values, missing)


def student_belief(items: Candidates) -> Shares | None:
    """(n,) the probability that the student gives the teacher's answer; with several labels that
    of the yes or no it believes least, where places are marked how far its marks meet the teacher's.
    None without a student.
    """
    if items.met is not None:
        return np.asarray(items.met, dtype=np.float64)
    if items.student is None:
        return None
    student = np.asarray(items.student, dtype=np.float64)
    said = items.said()
    if items.multi_label:
        return np.asarray(np.where(said, student, 1 - student).min(axis=1, initial=1.0))
    return np.asarray((student * said).sum(axis=1))


def neighbour_agreement(
    items: Candidates,
    rng: np.random.Generator,
    neighbours: int = NEIGHBOURS,
    reference: int = REFERENCE,
) -> Shares:
    """(n,) the share of an item's nearest answered items that got the same answer, 0 … 1.

    Not a number where the item has no answer, or nothing else has. Neighbours are looked for among
    at most `reference` random answered items; a nearer one counts more (by its cosine). Give seed
    and pool together, so that both have the same neighbours. Cost: n x reference x d.
    """
    found = np.full(items.rows, np.nan)
    answered = np.flatnonzero(items.answered)
    if items.encodings is None or len(answered) < 2:
        return found
    if len(answered) > reference:
        answered = np.sort(rng.choice(answered, size=reference, replace=False))
    said = items.said()
    points = np.asarray(items.encodings[answered], dtype=np.float32)
    take = min(neighbours, len(answered) - 1)
    for block in row_blocks(items.rows, 1024):
        near = np.asarray(items.encodings[block], dtype=np.float32) @ points.T  # (b, r)
        own = answered[None, :] == np.arange(items.rows)[block, None]
        near[own] = -np.inf
        places = np.argpartition(-near, take - 1, axis=1)[:, :take]
        closeness = np.maximum(np.take_along_axis(near, places, axis=1), 0) + 1e-6
        same = (said[answered[places]] == said[block][:, None, :]).all(axis=2)
        found[block] = (same * closeness).sum(axis=1) / closeness.sum(axis=1)
    return np.where(items.answered, found, np.nan)
