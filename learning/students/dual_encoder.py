"""The student for hundreds of labels: texts and what labels are called, side by side in one space."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from learning.bounds import Batch, Count, Epochs, Penalty, Rate, Share, Size, Tokens, refuse_outside
from learning.encoders.named import check_model
from learning.students.finetune import BUILT_IN, refuse_without_texts
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.transformer import FittedTransformer


@dataclass(frozen=True, kw_only=True)
class DualEncoder:
    """Tune one encoder so that a text lies nearest to what its labels are called, labels of one text not
    competing; a label is found by its text before its first example. Source: Gupta et al. 2024 (DEXML).

    model: "minilm" (built in), a folder, or a name on the hub; revision: a commit there.
    loss: "softmax" weighs each label against those that a text does not have, "top-k" wants the labels
        of a text among the nearest; top: among how many.
    compared: label texts that a batch is compared with, its own labels first.
    label_rate: of what each label learns beside its text, so that labels without one are learnt too.
    epochs: passes over the data; batch: texts per step; tokens: longer texts are cut.
    learning_rate: of the encoder at its peak; warmup: share of the steps in which the rates rise; then
        they fall to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "texts"

    model: str = BUILT_IN
    revision: str | None = None
    loss: Literal["softmax", "top-k"] = "softmax"
    top: Size = 5
    compared: Size = 64
    epochs: Epochs = 10
    batch: Batch = 32
    tokens: Tokens = 128
    learning_rate: Rate = 5e-5
    label_rate: Rate = 1e-3
    weight_decay: Penalty = 0.01
    warmup: Share = 0.1
    checkpoint_steps: Count = 100

    def __post_init__(self) -> None:
        refuse_outside(self)
        check_model(self.model, self.tokens)

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedTransformer":
        """Train for `epochs`; then the labels' vectors are the linear layer of the student.

        A label with a text gets probability even if nothing is known of it yet. Checkpoints, cancel and
        refusals as with `Finetune.fit`; an earlier student is not begun from.
        """
        refuse_without_texts(data)
        from learning.students.side_by_side import tuned
        from learning.students.spread import spread

        with spread(self, data, checkpoint, partial(report, 0, self.epochs)):
            return tuned(self, data, rng, report, checkpoint)

    def settle(self, fitted: "FittedTransformer") -> "DualEncoder":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedTransformer":
        """The student that `FittedTransformer.save` wrote into `folder`."""
        from learning.students.transformer import FittedTransformer

        return FittedTransformer.load(folder)
