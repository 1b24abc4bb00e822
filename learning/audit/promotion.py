"""When may one student take another's place? Letters: n drawn items that both were asked about."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from learning.audit.intervals import CONFIDENCE, normal_quantile
from learning.types import Bools, Floats, require

# A refit of the serving recipe stays out when it is surely worse by more than this share.
MOST_LOST = 0.05
# How often a recipe that is no better may win, over all of its tests together.
ALPHA = 0.05
# Drawn answers that a test takes, and that must have come since the last one of this recipe.
FEWEST_FRESH = 50
# Tests that have an equal share of ALPHA, one share being left for all later ones together. An audit
# sample of the usual size has answers for so many.
EQUAL_TESTS = 4
# Sign flips where the exact distribution is too long to count.
FLIPS = 9_999
_FLIPS_AT_ONCE = 1_000

Rule = Literal["first", "refit", "challenge"]


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two students on the same drawn items.

    wins, losses: items on which the first is better, worse. difference: mean score of the first
    minus the second's, -1 … 1, with its 95 % interval. p_better, p_worse: how often chance alone
    would put the first so far ahead, so far behind, 0 … 1; 1 where nothing was drawn.
    """

    n: int
    wins: int
    losses: int
    difference: float
    low: float
    high: float
    p_better: float
    p_worse: float

    @property
    def p(self) -> float:
        """How often chance alone would part them so far, whoever is ahead."""
        return min(1.0, 2 * min(self.p_better, self.p_worse))


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether a student takes over, and what that rests on.

    alpha: the level of the test, None where none was made. missing: drawn answers until the next
    test, 0 where this one was made or none is needed.
    """

    takes_over: bool
    rule: Rule
    paired: Paired | None = None
    alpha: float | None = None
    missing: int = 0


def scores(truth: Bools, said: Bools) -> NDArray[np.float64]:
    """(n,) how right (n, k) answers are, 0 … 1: common labels over all labels named by either.

    With one label per item it is 1 or 0. Two empty answers agree. Source: Jaccard 1912.
    """
    require(truth.shape == said.shape, "Truth and prediction differ in shape.")
    common, either = (truth & said).sum(axis=1), (truth | said).sum(axis=1)
    return np.where(either > 0, common / np.maximum(either, 1), 1.0).astype(np.float64)


def compare(one: Floats, other: Floats, rng: np.random.Generator) -> Paired:
    """The scores (n,) of two students on the same items, each in 0 … 1.

    Where every item is right or wrong the tails are those of McNemar's exact test, else of a
    permutation test that flips the signs of the differences, by 9,999 draws of `rng`. The interval
    is Wald's after half a win, half a loss and a draw were added. Source: McNemar 1947; Pitman
    1937; Agresti, Min 2005.
    """
    require(
        one.shape == other.shape and one.ndim == 1, "Two students need one score per item each."
    )
    gap = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    gap[np.abs(gap) < 1e-12] = 0.0
    wins, losses = int((gap > 0).sum()), int((gap < 0).sum())
    low, high = _interval(gap)
    if np.isin(gap, (-1.0, 0.0, 1.0)).all():
        better, worse = _tail(wins, wins + losses), _tail(losses, wins + losses)
    else:
        better, worse = _flipped(gap[gap != 0], rng)
    return Paired(
        n=len(gap),
        wins=wins,
        losses=losses,
        difference=float(gap.mean()) if len(gap) else 0.0,
        low=low,
        high=high,
        p_better=better,
        p_worse=worse,
    )


def _interval(gap: NDArray[np.float64]) -> tuple[float, float]:
    if not len(gap):
        return -1.0, 1.0
    n = len(gap) + 2
    middle = float(gap.sum()) / n
    variance = max((float(np.square(gap).sum()) + 1) / n - middle * middle, 0.0) / n
    reach = normal_quantile(CONFIDENCE) * math.sqrt(variance)
    return max(-1.0, middle - reach), min(1.0, middle + reach)


def _tail(hits: int, throws: int) -> float:
    """How often a fair coin shows `hits` or more heads in so many throws."""
    ways = sum(math.comb(throws, count) for count in range(hits, throws + 1))
    return float(ways / 2**throws)


def _flipped(gap: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    seen, above, below = float(gap.sum()), 1, 1
    for start in range(0, FLIPS, _FLIPS_AT_ONCE):
        count = min(_FLIPS_AT_ONCE, FLIPS - start)
        sums = (2.0 * rng.integers(0, 2, size=(count, len(gap))) - 1.0) @ gap
        above += int((sums >= seen - 1e-9).sum())
        below += int((sums <= seen + 1e-9).sum())
    return above / (FLIPS + 1), below / (FLIPS + 1)


def level(test: int) -> float:
    """The level of a recipe's test number `test`, 1 or more; all of them together are ALPHA at most.

    The first EQUAL_TESTS have a share each, later ones half of what is left; by Bonferroni this holds
    whatever the tests have in common, and however many there will be. Source: Lan, DeMets 1983 (a
    level that is spent in parts); the parts are ours.
    """
    require(test >= 1, "Tests are counted from 1.")
    part = ALPHA / (EQUAL_TESTS + 1)
    return part if test <= EQUAL_TESTS else part * 0.5 ** (test - EQUAL_TESTS)


def refit(paired: Paired) -> Decision:
    """The serving recipe, fitted anew on more labels: takes over unless it is surely worse.

    Surely: the 95 % interval of the difference ends below -MOST_LOST. Without drawn answers it does.
    """
    return Decision(takes_over=paired.high >= -MOST_LOST, rule="refit", paired=paired)


def challenge(paired: Paired, *, tests: int, fresh: int) -> Decision:
    """Another recipe than the serving one: has to win.

    tests: how many this recipe has had; fresh: drawn answers that came since the last of them.
    """
    missing = max(FEWEST_FRESH - fresh, FEWEST_FRESH - paired.n, 0)
    if missing:
        return Decision(takes_over=False, rule="challenge", paired=paired, missing=missing)
    alpha = level(tests + 1)
    won = paired.p_better <= alpha
    return Decision(takes_over=won, rule="challenge", paired=paired, alpha=alpha)


def answers_to_win(paired: Paired, test: int) -> int | None:
    """About how many drawn answers test number `test` would take if the difference stays as it is.

    None where the first is not ahead, or is ahead by so little that it would take 100,000.
    Source: the normal approximation of the paired test.
    """
    if paired.n == 0 or paired.difference <= 0:
        return None
    spread = (paired.high - paired.low) / 2 / normal_quantile(CONFIDENCE) * math.sqrt(paired.n + 2)
    one_sided = normal_quantile(1 - 2 * level(test))
    wanted = math.ceil((one_sided * spread / paired.difference) ** 2)
    return wanted if wanted < 100_000 else None
