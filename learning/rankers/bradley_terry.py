"""How good texts are, from comparisons of two: Bradley and Terry's model with ties, on a sparse graph.

Letters: p comparisons, t texts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.rankers.davidson import TIES, chances, tie_of
from learning.students.lbfgs import minimise
from learning.types import Floats, Ints, Report, no_report, require

# How far texts may be apart, as the standard deviation of their log odds; the likeliest is taken.
SPREADS = (0.5, 1.0, 2.0, 4.0)
EVALUATIONS, TOLERANCE = 200, 1e-5
ROUNDS = 3  # utilities and the share of ties are found in turn

Doubles = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What comparisons say together.

    utility: (t,) log odds, around 0; without: (p,) the first less the second utility of each comparison, as if it had
    not been made; log_tie: see `davidson`; spread: the one of SPREADS under which what was said is likeliest.
    """

    utility: Doubles
    without: Doubles
    log_tie: float
    spread: float


def compare(
    first: Ints, second: Ints, outcome: Ints, texts: int, report: Report = no_report
) -> Compared:
    """The texts' utilities with a normal prior, and of each comparison what all others say of its two texts.

    first, second: (p,) 0 … texts - 1, never equal; outcome: (p,) 1 the first is better, 0 none, -1 the second.
    Leaving one out is a Newton step of its two texts, the others held where they are: exact up to the step for
    three texts by themselves, and in the limit for many that are compared often (von Luxburg, Radl, Hein 2014).
    Source: Bradley, Terry 1952; Davidson 1970 (ties); Pregibon 1981 (the step). Raises ShapeError where a text
    is compared with itself.
    """
    require(
        len(first) == len(second) == len(outcome), "Each comparison has two texts and an outcome."
    )
    require(bool(np.all(first != second)), "A text cannot be compared with itself.")
    found: list[tuple[float, Compared]] = []
    for done, spread in enumerate(SPREADS):
        report(done, len(SPREADS))
        game = _Game(first=first, second=second, outcome=outcome, texts=texts, spread=spread)
        found.append(game.played())
    report(len(SPREADS), len(SPREADS))
    return min(found, key=lambda each: each[0])[1]


def chance_of(outcome: Ints, difference: Floats, log_tie: float) -> Doubles:
    """(p,) how likely each outcome is, at these differences."""
    first, second = chances(difference, log_tie)
    return np.where(outcome > 0, first, np.where(outcome < 0, second, 1 - first - second))


@dataclass(frozen=True, kw_only=True)
class _Game:
    """The comparisons, and how far texts are expected to be apart."""

    first: Ints
    second: Ints
    outcome: Ints
    texts: int
    spread: float

    def played(self) -> tuple[float, Compared]:
        """What the comparisons cost as each is foretold by the others, and what they say."""
        utility, log_tie = np.zeros(self.texts), float(TIES[0])
        for _ in range(ROUNDS if np.any(self.outcome == 0) else 1):
            utility = self._utility(utility, log_tie)
            if np.any(self.outcome == 0):
                log_tie = tie_of(self._apart(utility), self.outcome)
        without = self._without(utility, log_tie)
        said = chance_of(self.outcome, without, log_tie)
        cost = -float(np.log(np.maximum(said, 1e-12)).sum())
        return cost, Compared(utility=utility, without=without, log_tie=log_tie, spread=self.spread)

    def _apart(self, utility: Floats) -> Doubles:
        return np.asarray(utility[self.first] - utility[self.second], dtype=np.float64)

    def _utility(self, begin: Doubles, log_tie: float) -> Doubles:
        def cost(point: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
            utility = point.astype(np.float64)
            apart = self._apart(utility)
            said = np.maximum(chance_of(self.outcome, apart, log_tie), 1e-30)
            pull = self._pull(apart, log_tie)
            slope = utility / self.spread**2
            slope -= np.bincount(self.first, pull, self.texts)
            slope += np.bincount(self.second, pull, self.texts)
            value = (utility @ utility) / (2 * self.spread**2) - np.log(said).sum()
            return float(value), slope.astype(np.float32)

        found = minimise(
            cost,
            begin.astype(np.float32),
            evaluations=EVALUATIONS,
            tolerance=TOLERANCE,
            after_step=lambda _used: None,
        )
        return found.point.astype(np.float64)

    def _pull(self, apart: Doubles, log_tie: float) -> Doubles:
        """(p,) the slope of each comparison's log likelihood by how far its texts are apart."""
        first, second = chances(apart, log_tie)
        return np.asarray((self.outcome - (first - second)) / 2, dtype=np.float64)

    def _without(self, utility: Doubles, log_tie: float) -> Doubles:
        apart = self._apart(utility)
        first, second = chances(apart, log_tie)
        weight = ((first + second) - (first - second) ** 2) / 4  # (p,) how bent it is
        own = np.full(self.texts, 1 / self.spread**2)
        own += np.bincount(self.first, weight, self.texts)
        own += np.bincount(self.second, weight, self.texts)
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        _, pair = np.unique(low * self.texts + high, return_inverse=True)
        both = np.bincount(pair, weight)[pair]
        a, b = own[self.first], own[self.second]
        reach = (a + b - 2 * both) / (a * b - both**2)
        step = self._pull(apart, log_tie) * reach / (1 - weight * reach)
        return np.asarray(apart - step, dtype=np.float64)
