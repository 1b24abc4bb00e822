"""Selection: which items are worth a label next."""

from typing import Protocol

import numpy as np

from learning.registry import Entry, Registry
from learning.types import Pool, Selection


class Strategy(Protocol):
    """What a selection strategy does: at most n distinct candidates, best first."""

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection: ...


STRATEGIES: Registry[Strategy] = Registry(
    "selection strategy",
    {
        "margin": Entry("Smallest margin", "learning.selection.margin:Margin"),
        "random": Entry("Random", "learning.selection.random:Random"),
        "representatives": Entry(
            "Representatives (cold start)", "learning.selection.representatives:Representatives"
        ),
    },
)
