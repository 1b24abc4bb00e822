"""The student that reads the texts itself: a transformer with a linear layer, trained whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from learning.bounds import (
    Batch,
    Count,
    Epochs,
    Penalty,
    Rate,
    Share,
    Size,
    Tokens,
    Weight,
    refuse_outside,
)
from learning.encoders.named import check_model
from learning.errors import NotEnoughDataError, ShapeError
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.transformer import FittedTransformer

BUILT_IN = "minilm"
RATES = {"full": 5e-5, "lora": 1e-3}


@dataclass(frozen=True, kw_only=True)
class Finetune:
    """Train a transformer and a linear layer on soft labels, on CUDA where there is one; of items with two
    texts a cross-encoder, which reads both together as two segments.
    Source: Devlin et al. 2019; AdamW, Loshchilov, Hutter 2019; LoRA, Hu et al. 2022.

    model: "minilm" (built in), a folder, or a name on the hub.
    revision: a commit on the hub, None for what is current.
    epochs: passes over the data.
    batch: texts per step.
    tokens: longer texts are cut, of two texts the longer one first.
    method: "full" trains all weights; "lora" freezes them and trains a low-rank matrix beside each
    linear layer, which takes less memory; it is merged into them at the end.
    rank: size of those matrices.
    alpha: their strength, divided by the rank.
    dropout: of what they read, 0 to below 1.
    learning_rate: of the transformer at its peak, None for 5e-5 (full) or 1e-3 (lora).
    head_rate: of the new linear layer.
    class_weights: "balanced" lets rare labels count more.
    weight_decay: how fast weights shrink towards 0.
    warmup: share of the steps in which the rates rise; then they fall to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "texts"

    model: str = BUILT_IN
    revision: str | None = None
    epochs: Epochs = 10
    batch: Batch = 16
    tokens: Tokens = 128
    method: Literal["full", "lora"] = "full"
    rank: Size = 8
    alpha: Weight = 16.0
    dropout: Share = 0.1
    learning_rate: Rate | None = None
    head_rate: Rate = 5e-3
    class_weights: Literal["none", "balanced"] = "none"
    weight_decay: Penalty = 0.01
    warmup: Share = 0.1
    checkpoint_steps: Count = 100

    def __post_init__(self) -> None:
        refuse_outside(self)
        check_model(self.model, self.tokens)

    @property
    def rate(self) -> float:
        """The peak learning rate of the transformer."""
        return RATES[self.method] if self.learning_rate is None else self.learning_rate

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedTransformer":
        """Train for `epochs`; reports after each step, and what `report` raises ends it.

        With a `checkpoint` folder, the same call after a kill goes on behind the last checkpoint
        and ends with the weights that an undisturbed run has (on the same device and threads).
        Raises CheckpointMismatchError when the folder belongs to other data or parameters,
        ModelUnavailableError when the model cannot be loaded, DivergedError when training breaks
        down, OutOfMemoryError when half a batch does not fit.
        """
        refuse_without_texts(data)
        from learning.students.classification import active_columns, learn
        from learning.students.lora import merge
        from learning.students.transformer import FittedTransformer, fresh_classifier

        former = start.network if isinstance(start, FittedTransformer) else None
        made, margins = learn(
            self, data, lambda: fresh_classifier(self, data, former), rng, report, checkpoint
        )
        if self.method == "lora":
            merge(made.network.encoder)
        return FittedTransformer(
            network=made.network,
            tokenizer=made.tokenizer,
            tokens=self.tokens,
            active=active_columns(data),
            multi_label=data.multi_label,
            margins=margins,
            pairs=made.pairs,
        )

    def settle(self, fitted: "FittedTransformer") -> "Finetune":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedTransformer":
        """The student that `FittedTransformer.save` wrote into `folder`."""
        from learning.students.transformer import FittedTransformer

        return FittedTransformer.load(folder)


def refuse_without_texts(data: TrainingData) -> None:
    """Raise ShapeError for data without texts, NotEnoughDataError for data without labels."""
    if data.texts is None:
        raise ShapeError("This student learns from texts; the data has none.")
    if data.rows == 0 or (data.known is not None and not data.known.any()):
        raise NotEnoughDataError("This student needs at least one labelled item.")


def texts_of(items: object) -> list[str]:
    """`items` as strings; raises ShapeError for encodings or anything else."""
    if isinstance(items, np.ndarray) or not isinstance(items, Sequence):
        raise ShapeError("A fine-tuned transformer predicts from texts, not from encodings.")
    texts = list(items)
    if any(not isinstance(text, str) for text in texts):
        raise ShapeError("A fine-tuned transformer predicts from texts.")
    return texts
