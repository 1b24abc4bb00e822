"""Selection by data value: whose corrected label would set most of its neighbours right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.scores import confidences
from learning.selection.margin import smallest
from learning.selection.reading import (
    Matrix,
    Rows,
    answers_of,
    beliefs_of,
    dense,
    encodings_of,
    likeliest,
    nothing,
    points_of,
    probabilities_of,
    wanted,
)
from learning.selection.thinning import sample
from learning.types import Pool, Selection, row_blocks

MOST_LABELLED = 5_000  # labelled items in the bank
QUERIES_AT_A_TIME = 256

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DataValue:
    """Pick the items whose corrected label is expected to bring a nearest-neighbour vote most.
    Source: Lyu et al. 2023 (data importance by the multilinear extension); the expectation over
    the student's labels is ours.

    Bank: labelled items, and waiting ones with the label ŷ that the student guesses. Item b is
    present with probability v_b: 1 if labelled, else the student's confidence that ŷ_b is right. A
    query q (an item of the bank, left out itself) is answered by the K first present items in its
    ranking by similarity: U_q(S) = 1/K Σ u_bq over them, with u_bq the probability that the label
    of b is right for q. F(v) = E[U], averaged over the queries, is linear in every v_i, and
        ∂F/∂v_i = Σ_q a_iq u_iq - (what i displaces),  a_iq = 1/K P(fewer than K present before i).
    What i displaces does not depend on its label, so correcting ŷ_i to y is worth
        Σ_q a_iq (t_q(y) - t_q(ŷ_i)),  t_q the answer of q, or the student's belief in it.
    The value is Σ_y p_i(y) max(0, that), with p_i the student's belief. Multi-label: each label is
    a vote of its own, and their values are summed.

    neighbours: K. ranked: items of each ranking that are looked at. queries: how many are drawn.
    keep: waiting items in the bank, a uniform sample of larger pools.
    """

    neighbours: int = 10
    ranked: int = 40
    queries: int = 2_000
    keep: int = 20_000

    def __post_init__(self) -> None:
        if min(self.neighbours, self.ranked, self.queries, self.keep) < 1:
            raise ParameterError("Data value needs all parameters above 0.")

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, most valuable first; the generator breaks ties.

        The draw probability is the share of the candidates that was looked at. Raises
        NeedsStudentError without probabilities, NotEnoughDataError without encodings or answers,
        ShapeError when they are not numbers.
        """
        probabilities = probabilities_of(pool, "Data value")
        encodings = encodings_of(pool, "Data value")
        labelled, answers = answers_of(pool, "Data value")
        candidates = pool.candidates()
        take = wanted(n, candidates)
        if take == 0:
            return nothing()
        kept = sample(candidates, max(self.keep, take), rng)
        known = sample(np.arange(len(labelled)), MOST_LABELLED, rng)
        bank = _Bank(
            pool=pool,
            points=points_of(encodings, np.concatenate([labelled[known], kept])),
            answers=answers[known],
            rows=kept,
            beliefs=beliefs_of(probabilities, kept),
        )
        value = self._values(bank, rng)
        chosen, probability = smallest(-value, take, rng)
        return Selection(
            rows=kept[chosen],
            probabilities=probability * len(kept) / len(candidates),
            reasons=[_reason(pool, int(kept[place]), float(value[place])) for place in chosen],
        )

    def _values(self, bank: "_Bank", rng: np.random.Generator) -> Doubles:
        """(c,) how many votes of the bank's items a corrected label is expected to set right."""
        queries = sample(np.arange(len(bank.points)), self.queries, rng)
        ranked = min(self.ranked, len(bank.points) - 1)
        votes = np.zeros(bank.beliefs.shape)  # K Σ_q a_iq t_q(y)
        weight = np.zeros(len(votes))  # K Σ_q a_iq
        present = bank.present()
        if ranked:
            for block in row_blocks(len(queries), QUERIES_AT_A_TIME):
                near = bank.ranking(queries[block], ranked)
                influence = influences(present[near], self.neighbours)
                _tally(bank, queries[block], near, influence, votes, weight)
        scale = len(bank.points) / len(queries)
        return scale * _gain(bank.beliefs, votes, weight, multi_label=bank.pool.multi_label)


@dataclass(frozen=True, kw_only=True)
class _Bank:
    """points: (l + c, d), labelled items first; answers: (l, k); rows: (c,) of the pool; beliefs:
    (c, t) of the student about them.
    """

    pool: Pool
    points: Matrix
    answers: Matrix
    rows: Rows
    beliefs: Matrix

    def present(self) -> Doubles:
        """(l + c,) how likely each item's label is right."""
        sure = confidences(self.beliefs, multi_label=self.pool.multi_label)
        return np.concatenate([np.ones(len(self.answers)), np.clip(sure, 0, 1)])

    def ranking(self, queries: Rows, ranked: int) -> Rows:
        """(q, ranked) the items most like each query, most alike first, but not itself."""
        alike = self.points[queries] @ self.points.T
        alike[np.arange(len(queries)), queries] = -np.inf
        near = np.argpartition(-alike, ranked - 1, axis=1)[:, :ranked]
        order = np.argsort(-np.take_along_axis(alike, near, axis=1), axis=1, kind="stable")
        return np.take_along_axis(near, order, axis=1)

    def truths(self, queries: Rows) -> Matrix:
        """(q, k) the answer of each query, or the student's belief in it."""
        known = queries < len(self.answers)
        waiting = queries[~known] - len(self.answers)
        truth = np.empty((len(queries), self.answers.shape[1]), dtype=np.float32)
        truth[known] = self.answers[queries[known]]
        truth[~known] = dense(self.pool, self.beliefs[waiting], self.rows[waiting])
        return truth


def influences(present: Doubles, neighbours: int) -> Doubles:
    """(q, m) how likely each item of a ranking has a vote: fewer than `neighbours` before it are
    present. present: (q, m) in 0 … 1, best rank first.
    """
    result = np.empty(present.shape)
    counts = np.zeros((len(present), neighbours))  # exactly j present before, j < neighbours
    counts[:, 0] = 1
    for rank, likely in enumerate(present.T):
        result[:, rank] = counts.sum(axis=1)
        moved = counts * likely[:, None]
        counts -= moved
        counts[:, 1:] += moved[:, :-1]
    return result


def _tally(
    bank: _Bank, queries: Rows, near: Rows, influence: Doubles, votes: Doubles, weight: Doubles
) -> None:
    """Add to votes (c, t) and weight (c,) what these queries say about the waiting items."""
    asked = np.repeat(np.arange(len(queries)), near.shape[1])
    place = near.ravel() - len(bank.answers)
    order = np.argsort(place, kind="stable")
    order = order[np.searchsorted(place[order], 0) :]  # labelled items have negative places
    if not len(order):
        return
    asked, place, share = asked[order], place[order], influence.ravel()[order]
    truth = bank.truths(queries)
    if bank.pool.columns is None:
        said = truth[asked]
    else:
        said = truth[asked[:, None], bank.pool.columns[bank.rows[place]]]
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    votes[place[starts]] += np.add.reduceat(share[:, None] * said, starts, axis=0)
    weight[place[starts]] += np.add.reduceat(share, starts)


def _gain(beliefs: Matrix, votes: Doubles, weight: Doubles, *, multi_label: bool) -> Doubles:
    """(c,) Σ_y p(y) max(0, votes right with y - votes right with the guess)."""
    if multi_label:
        against = np.where(beliefs >= 0.5, weight[:, None] - 2 * votes, 2 * votes - weight[:, None])
        return np.asarray((np.minimum(beliefs, 1 - beliefs) * np.maximum(against, 0)).sum(axis=1))
    guess = beliefs.argmax(axis=1)[:, None]
    more = np.maximum(votes - np.take_along_axis(votes, guess, axis=1), 0)
    return np.asarray((beliefs * more).sum(axis=1))


def _reason(pool: Pool, row: int, value: float) -> str:
    guess = likeliest(pool, row, 1)[0]
    return (
        f"the student guesses {guess}; correcting that is expected to set {value:.2f} votes of "
        "nearby items right"
    )
