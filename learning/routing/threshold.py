"""The router of the shelf: people label what the teacher is least sure of."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from learning.routing.regression import Logistic, fit_logistic
from learning.routing.signals import SIGNALS, signal
from learning.routing.types import Candidates, Seed, Shares, sentences
from learning.teachers.platt import log_odds
from learning.types import Ints, Report

FEWEST = 20  # seed items from which on a stated confidence is read through what became of it
STRENGTH = 1.0


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """Send people what the teacher is least sure of, by the confidence that it states, else by the
    agreement of other voices, the student's belief in its answer, or its own distribution.
    Source: Chow 1970 (reject option).

    With 20 seed items the figure is calibrated for `wrong`; the order is never changed by it, and
    with fewer it is taken as it is.
    """

    def fit(self, seed: Seed, rng: np.random.Generator, report: Report) -> "FittedThreshold":
        """Never refuses; the first signal that the seed items have is used."""
        name = _first_known(seed.items) if seed.rows else None
        error = seed.teacher_error().value
        reading = None
        if name is not None and seed.rows >= FEWEST:
            sure = log_odds(signal(name, seed.items))
            spread = np.sqrt(np.cov(sure, aweights=seed.weights, ddof=0))
            home = -np.atleast_1d(spread)  # what is stated is believed unless the seed differs
            reading = fit_logistic(sure[:, None], seed.wrong, seed.weights, STRENGTH, home)
        return FittedThreshold(name=name, reading=reading, error=error, n=seed.rows)


def _first_known(items: Candidates) -> str:
    """The first signal that most items have."""
    for name in SIGNALS:
        known = np.isfinite(signal(name, items, missing=np.nan)[items.answered])
        if len(known) and known.mean() >= 0.5:
            return name
    return "distribution"


@dataclass(frozen=True, kw_only=True)
class FittedThreshold:
    """name: the signal, None to take the first that the items have; reading: from its log-odds to
    P(wrong), or None; error: the teacher's among n seed items, or None without any.
    """

    name: str | None
    reading: Logistic | None
    error: float | None
    n: int

    def wrong(self, items: Candidates) -> Shares:
        """(n,) calibrated where the seed allowed it; 1 - the signal otherwise."""
        sure = self._sure(items)
        reading = self.reading
        found = 1 - sure if reading is None else reading.predict(log_odds(sure)[:, None])
        return np.where(items.answered, found, 1.0 if self.error is None else self.error)

    def benefit(self, items: Candidates) -> Shares:
        """(n,) 1 - the signal: the least sure first, and before them what has no answer."""
        return np.where(items.answered, 1 - self._sure(items), 1.0)

    def reasons(self, items: Candidates, rows: Ints) -> list[str]:
        """The signal of each row, and how often such answers are wrong."""
        picked = items.subset(rows)
        what, sure, wrong = SIGNALS[self._name(items)], self._sure(items)[rows], self.wrong(picked)
        because = [
            f"{what} is {s:.2f}; answers like this are wrong in {100 * p:.0f} %"
            if answered
            else f"it is wrong in {100 * p:.0f} % of its answers"
            for s, p, answered in zip(sure, wrong, picked.answered, strict=True)
        ]
        return sentences(items, rows, because)

    def told(self) -> dict[str, Any]:
        """The signal, whether it was calibrated, its slope in log-odds, and the seed."""
        return {
            "signal": self.name,
            "calibrated": self.reading is not None,
            "slope": None if self.reading is None else self.reading.slopes[0],
            "error": self.error,
            "seed_items": self.n,
        }

    def _name(self, items: Candidates) -> str:
        return self.name or _first_known(items)

    def _sure(self, items: Candidates) -> Shares:
        return signal(self._name(items), items)
