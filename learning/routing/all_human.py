"""The router that trusts no teacher: where every project begins."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from learning.routing.types import Candidates, Seed, Shares
from learning.types import Ints, Report


@dataclass(frozen=True, kw_only=True)
class AllHuman:
    """Send every item to a person. Source: own (what teachers are compared with)."""

    def fit(self, seed: Seed, rng: np.random.Generator, report: Report) -> "FittedAllHuman":
        """Counts how often the teacher was wrong; without a seed it counts as always wrong."""
        error = seed.teacher_error()
        return FittedAllHuman(error=1.0 if error.value is None else error.value, n=error.n)


@dataclass(frozen=True, kw_only=True)
class FittedAllHuman:
    """error: the teacher's share of wrong answers among n seed items."""

    error: float
    n: int

    def wrong(self, items: Candidates) -> Shares:
        """(n,) the same for all."""
        return np.full(items.rows, self.error)

    def benefit(self, items: Candidates) -> Shares:
        """(n,) ones: nobody goes before another."""
        return np.ones(items.rows)

    def reasons(self, items: Candidates, rows: Ints) -> list[str]:
        """People label everything."""
        return ["sent to a person because people label everything here"] * len(rows)

    def told(self) -> dict[str, Any]:
        """error and seed_items."""
        return {"error": self.error, "seed_items": self.n}
