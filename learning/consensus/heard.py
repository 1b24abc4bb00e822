"""Votes laid out for the sums that every model of the voices needs.

Letters: q questions, n items, v votes, a voices, o options (see `skills`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from learning.types import Bools, Floats, Votes

Table = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """The votes in the order of their items.

    said: (q, v, o) the weight that each vote puts on each option; all 0 where it says nothing. The heaviest
        vote on a question of an item weighs 1, the others as much less as they were given less than that one.
    item: (v,) ascending; voice: (v,) places in `voices`, the annotators' ids, ascending.
    student: (q, n, o) natural logarithms of a student's probabilities, 0 where it has no word, or
        None; told: (n,) bool, where it has one.
    truth: (q, n, o) ones at what is known for sure, or None; settled: (n,) bool, where it is.
    """

    items: int
    said: Table
    item: NDArray[np.int64]
    voice: NDArray[np.int64]
    voices: NDArray[np.int64]
    student: Table | None = None
    told: NDArray[np.bool_] | None = None
    truth: Table | None = None
    settled: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(q, o)."""
        return self.said.shape[0], self.said.shape[2]

    @cached_property
    def rows(self) -> list[NDArray[np.int64]]:
        """The votes of each voice."""
        order = np.argsort(self.voice, kind="stable")
        cuts = np.searchsorted(self.voice[order], np.arange(1, len(self.voices)))
        return np.split(order, cuts) if len(self.voices) else []

    @cached_property
    def shared(self) -> NDArray[np.bool_]:
        """(q, n) bool: where a vote can be compared, with another or with what is known for sure."""
        known = 0 if self.settled is None else self.settled[None]
        return np.asarray(self.voted + known > 1)

    @cached_property
    def voted(self) -> NDArray[np.int64]:
        """(q, n) how many votes speak about it."""
        speaks = np.asarray((self.said > 0).any(axis=2, keepdims=True), dtype=np.float64)
        return self.by_item(speaks)[:, :, 0].astype(np.int64)

    def corrected(self, belief: Table) -> Table:
        """The belief (q, n, o) with what is known for sure in its place."""
        if self.truth is None or self.settled is None:
            return belief
        return np.where(self.settled[None, :, None], self.truth, belief)

    def by_item(self, values: Table) -> Table:
        """(q, v, x) summed to (q, n, x)."""
        found = np.zeros((values.shape[0], self.items, values.shape[2]))
        if len(self.item):
            present, starts = np.unique(self.item, return_index=True)
            found[:, present] = np.add.reduceat(values, starts, axis=1)
        return found

    def evidence(self, log_confusion: Callable[[int], Table]) -> Table:
        """(q, n, o) the logarithm of how likely the votes are under each truth.

        log_confusion: place of a voice -> (q, o, o), truth by row and answer by column.
        """
        told = np.empty(self.said.shape)
        for place, rows in enumerate(self.rows):
            told[:, rows] = self.said[:, rows] @ log_confusion(place).transpose(0, 2, 1)
        return self.by_item(told)

    def counts(self, belief: Table) -> Table:
        """(a, q, o, o) the weight of each voice's votes for the column where the row is believed;
        belief: (q, n, o), on shared items only.
        """
        known = belief * self.shared[:, :, None]
        found = np.empty((len(self.voices), *self.shape, self.shape[1]))
        for place, rows in enumerate(self.rows):
            found[place] = known[:, self.item[rows]].transpose(0, 2, 1) @ self.said[:, rows]
        return found

    def agreed(self, belief: Table) -> tuple[Table, Table, Table]:
        """(a, q) the weight of each voice's votes that are believed right, that of all of them, and
        the sum of p (1 - p) over them, p the belief; on shared items only.
        """
        right, total, doubt = np.zeros((3, len(self.voices), self.shape[0]))
        for place, rows in enumerate(self.rows):
            taught = self.shared[:, self.item[rows]]
            weight = self.said[:, rows].sum(axis=2)  # (q, r)
            part = np.einsum("qro,qro->qr", belief[:, self.item[rows]], self.said[:, rows])
            p = part / np.where(weight > 0, weight, 1)
            right[place] = (part * taught).sum(axis=1)
            total[place] = (weight * taught).sum(axis=1)
            doubt[place] = (weight * p * (1 - p) * taught).sum(axis=1)
        return right, total, doubt

    def majority(self) -> Table:
        """(q, n, o) shares of the votes; even where there are none."""
        mass = self.by_item(self.said)
        total = mass.sum(axis=2, keepdims=True)
        even = np.full_like(mass, 1 / mass.shape[2])
        return self.corrected(np.divide(mass, total, out=even, where=total > 0))


def hear(votes: Votes, *, relative: bool = True) -> Heard:
    """Lay the votes out by question. A vote for several options of one label speaks for each in part.

    relative: whether weights count beside each other; False takes them as they were given (see `Skills`).
    """
    order = np.argsort(votes.item, kind="stable")
    answers = np.asarray(votes.answers, dtype=np.float64)[order]
    voices, voice = np.unique(np.asarray(votes.annotator)[order], return_inverse=True)
    if votes.multi_label:
        known = np.ones(answers.shape) if votes.known is None else votes.known[order]
        said = np.stack([(1 - answers) * known, answers * known], axis=2).transpose(1, 0, 2)
    else:
        said = answers[None]
    item = np.asarray(votes.item, dtype=np.int64)[order]
    if votes.weights is not None:
        weights = np.asarray(votes.weights, dtype=np.float64)[None, order]
        said = said * (_beside_each_other(weights, said, item) if relative else weights)[:, :, None]
    student, told = _student(votes)
    truth = votes.truth
    return Heard(
        items=votes.items,
        said=np.ascontiguousarray(said),
        item=item,
        voice=voice.astype(np.int64),
        voices=voices.astype(np.int64),
        student=student,
        told=told,
        truth=None if truth is None else split_options(truth, multi_label=votes.multi_label),
        settled=votes.settled,
    )


def _beside_each_other(weights: Table, said: Table, item: NDArray[np.int64]) -> Table:
    """(q, v) the (1, v) weights, the largest on each question of an item 1, by the votes that speak to it.

    They say who gives way to whom where voices differ. How often a voice is right its skill says: a
    weight below 1 where nobody has more would doubt it twice.
    """
    given = np.where((said > 0).any(axis=2), weights, 0)
    if not len(item):
        return given
    _, starts, place = np.unique(item, return_index=True, return_inverse=True)
    most = np.maximum.reduceat(given, starts, axis=1)[:, place]
    return np.divide(given, most, out=np.zeros_like(given), where=most > 0)


def _student(votes: Votes) -> tuple[Table | None, NDArray[np.bool_] | None]:
    if votes.probabilities is None:
        return None, None
    p = np.asarray(votes.probabilities, dtype=np.float64)
    told = np.asarray(np.isfinite(p).all(axis=1))
    by_question = split_options(np.where(told[:, None], p, 0.5), multi_label=votes.multi_label)
    logs = np.log(np.clip(by_question, 1e-6, 1.0)) * told[None, :, None]
    return logs, told


def split_options(p: Floats | Bools, *, multi_label: bool) -> Table:
    """(n, k) probabilities of labels as (q, n, o) probabilities of options."""
    wide = np.asarray(p, dtype=np.float64)
    if not multi_label:
        return wide[None]
    return np.ascontiguousarray(np.stack([1 - wide, wide], axis=2).transpose(1, 0, 2))


def joined_options(belief: Table, *, multi_label: bool) -> Table:
    """The inverse: (q, n, o) to (n, k)."""
    return np.ascontiguousarray(belief[:, :, 1].T) if multi_label else belief[0]
