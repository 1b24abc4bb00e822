"""Candidates in the order of their likeness to what an item asks: a teacher that needs no labels."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from learning.teachers.types import TeacherAnswer, TeacherItem
from learning.types import Floats, Report, row_blocks

if TYPE_CHECKING:
    from learning.encoders import Ready

BATCH = 16  # items at a time, each with all of its candidates
NOTHING = "The item asks nothing that its candidates could be compared with."


def by_likeness(
    items: Sequence[TeacherItem], encoder: "Ready", temperature: float, report: Report
) -> Iterator[TeacherAnswer]:
    """One order for each item, best first, by the cosine of its text and each candidate; no two are equal
    but by the same cosine. An item without a text, or two candidates, is an abstention.

    The confidence is the mean over neighbours in the order of how much likelier it is than its reverse,
    by cosines over the temperature, brought to 1/2 … 1. Source: Karpukhin et al. 2020 (likeness of
    single vectors); Bradley, Terry 1952 (the chance).
    """
    for block in row_blocks(len(items), BATCH):
        report(block.start, len(items))
        began = time.perf_counter()
        part = items[block]
        texts = [text for item in part for text in (item.text, *item.candidates)]
        vectors = encoder.encode(texts)
        spent = (time.perf_counter() - began) / len(part)
        start = 0
        for item in part:
            own = vectors[start : start + 1 + len(item.candidates)]
            start += len(own)
            yield _answer(item, own[1:] @ own[0], temperature, spent)
    report(len(items), len(items))


def _answer(item: TeacherItem, cosines: Floats, temperature: float, spent: float) -> TeacherAnswer:
    if not item.text.strip() or len(cosines) < 2:
        return TeacherAnswer(number=item.number, abstained=NOTHING, seconds=spent)
    groups: list[list[int]] = []
    last = np.inf
    order = np.argsort(-cosines, kind="stable")
    for place in order.tolist():
        if cosines[place] < last:
            groups.append([])
        groups[-1].append(place + 1)
        last = cosines[place]
    steps = -np.diff(np.asarray(cosines, dtype=np.float64)[order]) / temperature
    best = order[0]
    return TeacherAnswer(
        number=item.number,
        probabilities=np.zeros(0, dtype=np.float32),
        order=tuple(tuple(sorted(group)) for group in groups),
        confidence=float(np.mean(1 / (1 + np.exp(-steps)))),
        reason=f"candidate {best + 1} is closest (similarity {cosines[best]:.2f})",
        seconds=spent,
    )
