"""Uniform random selection."""

from dataclasses import dataclass

import numpy as np

from learning.types import Pool, Selection


@dataclass(frozen=True, kw_only=True)
class Random:
    """Draw items uniformly without replacement, the yardstick of all others. Source: textbook."""

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection:
        """min(n, candidates) rows; the draw probability is that share of the candidates."""
        candidates = pool.candidates()
        take = min(max(n, 0), len(candidates))
        rows = rng.choice(candidates, size=take, replace=False)
        share = take / len(candidates) if take else 1.0
        reason = f"drawn at random, {take:,} of {len(candidates):,} waiting items"
        return Selection(
            rows=rows.astype(np.int64),
            probabilities=np.full(take, share),
            reasons=[reason] * take,
        )
