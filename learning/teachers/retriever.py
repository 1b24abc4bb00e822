"""Learn which solved items help a teacher, where the nearest is not always the most helpful.

Letters in shapes: n asked items, g candidates shown with each, d dimensions.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.students.lbfgs import minimise
from learning.teachers.trial import paired
from learning.teachers.zero_shot import unit
from learning.types import Floats, Report, no_report, require, row_blocks

BATCH = 64  # asked items whose candidates are one another's wrong choices
HELD_OUT = 4  # every so-manyth asked item judges and does not teach
Z = 1.28  # of the lower bound that the gain must keep above 0: 90 %, one-sided


@dataclass(frozen=True, kw_only=True)
class Rewards:
    """What examples were worth: a teacher was asked each item with each of its candidates.

    queries: (n, d) and candidates: (n, g, d) unit rows, g at least 2. rewards: (n, g), larger is
    better: the mean log-probability of the right answer, or without one the share of right answers
    over repeated asking.
    """

    queries: Floats
    candidates: Floats
    rewards: Floats

    def __post_init__(self) -> None:
        n, d = self.queries.shape
        require(
            self.candidates.shape == (n, self.rewards.shape[1], d) and self.rewards.shape[0] == n,
            "Each asked item needs its candidates, and each candidate a reward.",
        )
        require(self.rewards.shape[1] >= 2, "Fewer than two candidates leave no choice.")
        require(bool(np.all(np.isfinite(self.rewards))), "Rewards must be finite.")

    def part(self, rows: NDArray[np.int64]) -> "Rewards":
        """The same for these items only."""
        return Rewards(
            queries=self.queries[rows],
            candidates=self.candidates[rows],
            rewards=self.rewards[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A map of the asked item's encoding, and what it gained on items that did not teach it.

    gain: mean reward of its first choice minus that of the nearest, low: the lower bound; held_out:
    on how many items. Use it only where `better`.
    """

    matrix: NDArray[np.float32]
    gain: float
    low: float
    held_out: int

    @property
    def better(self) -> bool:
        """Whether it was shown to choose better than the plain similarity."""
        return self.low > 0

    def move(self, queries: Floats) -> NDArray[np.float32]:
        """(n, d) unit rows to look for examples with, in place of the encodings."""
        return unit(np.asarray(queries, dtype=np.float32) @ self.matrix.T)


@dataclass(frozen=True, kw_only=True)
class Retriever:
    """Learn a linear map of encodings under which candidates with larger rewards come first, begun
    at no change. Source: Zhang et al. 2023 (LLM-Embedder, rank-aware distillation).

    temperature: of similarities. sharpness: of rewards; larger looks at the best candidate only.
    pull: how strongly the map is held at no change; it protects against few rewards.
    """

    temperature: float = 0.1
    sharpness: float = 3.0
    pull: float = 0.1
    evaluations: int = 60
    fewest: int = 60

    def __post_init__(self) -> None:
        if min(self.temperature, self.sharpness, self.pull) <= 0 or self.evaluations < 1:
            raise ParameterError(
                "A retriever needs temperature, sharpness, pull and evaluations above 0."
            )

    def fit(
        self, rewards: Rewards, rng: np.random.Generator, report: Report = no_report
    ) -> Learned:
        """Learn on three quarters of the asked items, judge on the rest; the generator deals them.

        Raises NotEnoughDataError for fewer than `fewest` items.
        """
        n = len(rewards.queries)
        if n < self.fewest:
            raise NotEnoughDataError(
                f"What helps a teacher is learnt from at least {self.fewest} items that were asked "
                f"with several examples; there are {n}."
            )
        order = rng.permutation(n)
        judge, learn = (
            rewards.part(order[::HELD_OUT]),
            rewards.part(np.delete(order, np.s_[::HELD_OUT])),
        )
        d = rewards.queries.shape[1]
        start = np.eye(d, dtype=np.float32).ravel()
        found = minimise(
            lambda point: self._objective(point, learn),
            start,
            evaluations=self.evaluations,
            tolerance=1e-3,
            after_step=lambda used: report(min(used, self.evaluations), self.evaluations),
        )
        matrix = found.point.reshape(d, d)
        plain, moved = (_first_choice(judge, map_) for map_ in (np.eye(d), matrix))
        scale = float(np.ptp(judge.rewards)) or 1.0
        gain, spread = paired((moved - plain) / scale)
        return Learned(
            matrix=matrix,
            gain=gain * scale,
            low=(gain - Z * spread) * scale,
            held_out=len(judge.queries),
        )

    def _objective(
        self, point: NDArray[np.float32], rewards: Rewards
    ) -> tuple[float, NDArray[np.float32]]:
        d = rewards.queries.shape[1]
        matrix = point.reshape(d, d)
        away = matrix - np.eye(d, dtype=np.float32)
        n = len(rewards.queries)
        total, slope = self.pull * float((away**2).sum()) / 2, self.pull * away
        for block in row_blocks(n, BATCH):
            loss, part = self._batch(matrix, rewards.part(np.arange(n)[block]))
            total, slope = total + loss / n, slope + part / n
        return total, slope.astype(np.float32).ravel()

    def _batch(
        self, matrix: NDArray[np.float32], rewards: Rewards
    ) -> tuple[float, NDArray[np.float32]]:
        """(loss, (d, d) slope) of one batch, summed over its items."""
        moved = np.asarray(rewards.queries, dtype=np.float32) @ matrix.T
        n, g, d = rewards.candidates.shape
        flat = np.asarray(rewards.candidates, dtype=np.float32).reshape(n * g, d)
        scores = (moved @ flat.T / self.temperature).reshape(n, n, g)
        loss, slopes = ranked_loss(scores, self.sharpness * np.asarray(rewards.rewards))
        by_query = slopes.reshape(n, n * g).astype(np.float32) @ flat / self.temperature
        return loss, by_query.T @ np.asarray(rewards.queries, dtype=np.float32)


def ranked_loss(scores: Floats, rewards: Floats) -> tuple[float, Floats]:
    """(loss, (n, n, g) its slope by score).

    scores: (n, n, g) of each asked item (first axis) to the candidates of every item; rewards:
    (n, g). For each own candidate, the cross-entropy of choosing it among itself, its own item's
    candidates with smaller rewards, and all candidates of the others; weighted by the softmax of
    its item's rewards, so that flat rewards teach all ranks alike and a clear best one mostly itself.
    """
    n, g = rewards.shape
    weights = np.exp(rewards - rewards.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    scores = np.asarray(scores, dtype=np.float64)
    rows = np.arange(n)
    own = scores[rows, rows]  # (n, g)
    others = scores.copy()
    others[rows, rows] = -np.inf
    slope = np.zeros_like(scores)
    rest = np.logaddexp.reduce(others.reshape(n, n * g), axis=1)  # (n,)
    order = np.argsort(-rewards, axis=1, kind="stable")
    ranked = np.take_along_axis(own, order, axis=1)
    weight = np.take_along_axis(weights, order, axis=1)
    total = 0.0
    ranked_slope = np.zeros((n, g))
    for rank in range(g):
        below = np.logaddexp(np.logaddexp.reduce(ranked[:, rank:], axis=1), rest)  # (n,)
        total += float((weight[:, rank] * (below - ranked[:, rank])).sum())
        ranked_slope[:, rank] -= weight[:, rank]
        share = np.exp(ranked[:, rank:] - below[:, None])
        ranked_slope[:, rank:] += weight[:, rank, None] * share
        slope += weight[:, rank, None, None] * np.exp(others - below[:, None, None])
    own_slope = np.empty_like(ranked_slope)
    np.put_along_axis(own_slope, order, ranked_slope, axis=1)
    slope[rows, rows] = own_slope
    return total, slope


def _first_choice(rewards: Rewards, matrix: Floats) -> NDArray[np.float64]:
    """(n,) the reward of the candidate that comes first under the map."""
    moved = rewards.queries @ np.asarray(matrix).T
    near = np.einsum("nd,ngd->ng", moved, rewards.candidates)
    best = near.argmax(axis=1)[:, None]
    return np.asarray(np.take_along_axis(rewards.rewards, best, axis=1)[:, 0], dtype=np.float64)
