"""Whether the side on which a text is shown sways those who choose between two."""

from dataclasses import dataclass

from learning.metrics import wilson


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
