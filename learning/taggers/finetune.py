"""The tagger that reads the texts itself: a transformer with a linear layer on each word, trained whole."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from learning.bounds import (
    Batch,
    Count,
    Epochs,
    Penalty,
    Rate,
    Share,
    Tokens,
    Within,
    refuse_outside,
)
from learning.encoders.named import check_model
from learning.errors import NotEnoughDataError, ShapeError
from learning.taggers.types import Marked
from learning.types import Report

if TYPE_CHECKING:
    from learning.taggers.network import FittedTokenNetwork

BUILT_IN = "minilm"


@dataclass(frozen=True, kw_only=True)
class TokenFinetune:
    """Train a whole transformer and a linear layer on the first piece of each word, decoded to valid
    tags. Source: Devlin et al. 2019, 5.3.

    model: "minilm" (built in), a folder, or a name on the hub; revision: a commit there.
    epochs: passes over the texts; batch: windows per step; tokens: of a window, long texts have several.
    learning_rate: of the transformer at its peak; head_rate: of the new linear layer.
    warmup: share of the steps in which the rates rise; then they fall to 0.
    reach: what is taken off the score of "outside".
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["words", "texts"]] = "texts"

    model: str = BUILT_IN
    revision: str | None = None
    epochs: Epochs = 5
    batch: Batch = 8
    tokens: Tokens = 192
    learning_rate: Rate = 1e-4
    head_rate: Rate = 1e-3
    weight_decay: Penalty = 0.01
    warmup: Share = 0.1
    reach: Annotated[float, Within(-100, 100)] = 0.0
    checkpoint_steps: Count = 100

    def __post_init__(self) -> None:
        refuse_outside(self)
        check_model(self.model, self.tokens)

    def fit(
        self,
        data: Marked,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedTokenNetwork":
        """Train for `epochs`; reports after each step, and what `report` raises ends it.

        With a `checkpoint` folder the same call after a kill goes on behind the last checkpoint. Raises
        ModelUnavailableError when the model cannot be loaded, NotEnoughDataError without any words.
        """
        if data.texts is None:
            raise ShapeError("A fine-tuned tagger learns from texts; the data has none.")
        if not len(data.words.edges):
            raise NotEnoughDataError("A fine-tuned tagger needs a text with a word at least.")
        from learning.students.spread import spread
        from learning.taggers.network import learn

        with spread(self, data, checkpoint, partial(report, 0, self.epochs)):
            return learn(self, data, rng, report, checkpoint)

    def settle(self, fitted: "FittedTokenNetwork") -> "TokenFinetune":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedTokenNetwork":
        """The tagger that `FittedTokenNetwork.save` wrote into `folder`."""
        from learning.taggers.network import FittedTokenNetwork

        return FittedTokenNetwork.load(folder)
