"""Selection for annotators that err: what a teacher should label."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.selection.margin import pool_margins, smallest
from learning.selection.reading import finite, probabilities_of, wanted
from learning.types import Bools, Floats, Pool, Selection

LEAST_GAIN = 1e-12


@dataclass(frozen=True)
class Game:
    """How to draw against an adversary who makes the teacher wrong on some items.

    probabilities: (n,) of one draw, sum 1; inversely proportional to the gain in the support, 0
        outside of it.
    support: (n,) bool, the items that may be drawn: those of the largest gains.
    value: the expected gain of one draw from a rightly labelled item, whatever items are wrong.
    """

    probabilities: NDArray[np.float64]
    support: Bools
    value: float


@dataclass(frozen=True, kw_only=True)
class Rad:
    """Draw from the items in doubt, the less likely the more doubt each has, so that a teacher who
    errs where the student doubts is not asked its worst questions. Source: Baykal et al. 2023
    (Robust active distillation).

    The gain of an item is 1 - margin. Of n candidates the teacher gets at most m = ceil(n x error)
    wrong, at most n - 1; the draw maximises what is gained when the worst m of them are. With
    m = 0, and wherever the support has no more items than are wanted, this is smallest margin.
    """

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows, drawn one after the other without replacement.

        Every beginning of the list is such a draw itself. `probabilities` are for weighting by
        their inverse (see `draw`); they speak of the items in the support: the others cannot be
        drawn, and no weighting makes up for that.
        Raises NeedsStudentError without probabilities, NotEnoughDataError without an error rate.
        """
        beliefs = probabilities_of(pool, "Robust distillation")
        if pool.teacher_error is None:
            raise NotEnoughDataError(
                "Robust distillation needs to know how often the teacher errs; no items were "
                "labelled by both the teacher and a person at random yet."
            )
        candidates = pool.candidates()
        doubt = gains(pool, beliefs)[candidates]  # (c,)
        take = wanted(n, candidates)
        game = play(doubt, wrong_items(len(doubt), pool.teacher_error))
        if int(game.support.sum()) <= take:
            chosen, probabilities = smallest(-doubt, take, rng)
        else:
            chosen, probabilities = draw(game.probabilities, take, rng)
        return Selection(
            rows=candidates[chosen],
            probabilities=probabilities,
            reasons=_reasons(doubt, chosen, probabilities, game),
        )


def gains(pool: Pool, probabilities: Floats) -> NDArray[np.float64]:
    """(n,) what an answer would add, 0 … 1: 1 - margin, at least 1e-12."""
    margin = finite(pool_margins(pool, probabilities), "student's probabilities").astype(np.float64)
    return np.clip(1 - margin, LEAST_GAIN, 1)


def wrong_items(n: int, error: float) -> int:
    """m: how many of n items the teacher gets wrong at most; one item is always right."""
    return max(0, min(n - 1, math.ceil(n * error - 1e-9)))


def play(gain: NDArray[np.float64], wrong: int) -> Game:
    """The best draw against an adversary who takes away the `wrong` items that hurt most.

    gain: (n,) above 0; 0 <= wrong < n. For the k largest gains, with H the sum of their inverses,
    drawing each with probability 1 / (gain H) is worth (k - wrong) / H; the best k wins. Equal
    gains are all in or all out, which changes no value. O(n log n).
    """
    if not len(gain):
        return Game(probabilities=gain, support=gain > 0, value=0.0)
    falling = np.sort(gain)[::-1]
    worth = (np.arange(1, len(gain) + 1) - wrong) / np.cumsum(1 / falling)
    support = gain >= falling[int(worth.argmax())]
    inverse = np.where(support, 1 / gain, 0.0)
    total = float(inverse.sum())
    return Game(
        probabilities=inverse / total,
        support=support,
        value=(int(support.sum()) - wrong) / total,
    )


def draw(
    probabilities: NDArray[np.float64], take: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(m,) places drawn one after the other without replacement, and (m,) how likely each was in.

    Each place runs to a time -log(u) / p, the first `take` are in; more than `take` places must
    have p > 0. How likely a place was among them has no short form; what is given is how likely it
    was given the times of all others, 1 - exp(-p t) with t the first time that is not in. Weights
    of 1 / that give exactly unbiased totals over the places with p > 0 (the test compares them with
    what is true), which the plain p would not. One draw alone gives p itself.
    Source: Cohen, Kaplan 2007 (bottom-k sketches, rank conditioning).
    """
    if take == 0:
        return np.empty(0, dtype=np.int64), np.empty(0)
    running = np.flatnonzero(probabilities > 0)
    p = probabilities[running]
    times = rng.exponential(size=len(running)) / p
    ahead = np.argpartition(times, take)[: take + 1]
    ahead = ahead[np.argsort(times[ahead], kind="stable")]
    chosen, first_out = ahead[:take], times[ahead[take]]
    likely = p[chosen] if take == 1 else -np.expm1(-p[chosen] * first_out)
    return running[chosen], np.maximum(likely, np.finfo(np.float64).tiny)


def _reasons(
    doubt: NDArray[np.float64],
    chosen: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    game: Game,
) -> list[str]:
    """One sentence per pick: gain, rank by gain (1 the most in doubt) and draw probability."""
    rising = np.sort(doubt)
    ranks = len(rising) - np.searchsorted(rising, doubt[chosen], side="right") + 1
    supported = int(game.support.sum())
    return [
        f"worth a teacher's answer: doubt {doubt[place]:.2f}, rank {rank:,} of {len(doubt):,}, "
        + (
            "taken without chance"
            if p == 1
            else f"drawn with probability {_percent(p)} from the {supported:,} worth asking"
        )
        for place, rank, p in zip(chosen, ranks, probabilities, strict=True)
    ]


def _percent(p: float) -> str:
    return f"{100 * p:.1f} %" if p >= 0.001 else f"{100 * p:.1g} %"
