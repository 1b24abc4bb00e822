"""Whether the side on which a text is shown sways those who choose between two."""

from dataclasses import dataclass

import numpy as np

from learning.metrics import wilson
from learning.types import Bools, require


@dataclass(frozen=True, kw_only=True)
class OrderEffect:
    """share: of the answers for one side, those for the text that was shown first, 0 … 1; a half is
    none of an effect. low, high: its 95 % interval by Wilson. answers: how many those are.
    """

    share: float
    low: float
    high: float
    answers: int

    @classmethod
    def of(cls, won: int, answers: int) -> "OrderEffect":
        """Of so many answers for one side, 1 at least, `won` for the text that was shown first."""
        low, high = wilson(won, answers)
        return cls(share=won / answers, low=low, high=high, answers=answers)

    @property
    def is_told(self) -> bool:
        """True where the interval leaves a half out."""
        return not self.low <= 0.5 <= self.high


def order_effect(chose_first: Bools, shown_first: Bools) -> OrderEffect | None:
    """What (v,) answers for one of two texts tell; None without any.

    chose_first: the item's own first text was found better. shown_first: that text was shown first.
    """
    require(chose_first.shape == shown_first.shape, "Each answer needs the order it was shown in.")
    n = len(chose_first)
    if not n:
        return None
    return OrderEffect.of(int(np.count_nonzero(chose_first == shown_first)), n)
