"""The student that reads the texts itself: a transformer with a linear layer, trained whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from learning.encoders.named import check_model
from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.transformer import FittedTransformer

BUILT_IN = "minilm"


@dataclass(frozen=True, kw_only=True)
class Finetune:
    """Train a whole transformer and a linear layer on soft labels, on CUDA where there is one.
    Source: Devlin et al. 2019; AdamW, Loshchilov, Hutter 2019.

    model: "minilm" (built in), a folder, or a name on the hub; revision: a commit there.
    epochs: passes over the data; batch: texts per step; tokens: longer texts are cut.
    learning_rate: of the transformer at its peak; head_rate: of the new linear layer.
    warmup: share of the steps in which the rates rise; then they fall to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts"]] = "texts"

    model: str = BUILT_IN
    revision: str | None = None
    epochs: int = 10
    batch: int = 16
    tokens: int = 128
    learning_rate: float = 5e-5
    head_rate: float = 5e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    checkpoint_steps: int = 100

    def __post_init__(self) -> None:
        check_model(self.model, self.tokens)
        if min(self.epochs, self.batch, self.checkpoint_steps) < 1:
            raise ParameterError("Fine-tuning needs epochs, batch and checkpoint_steps above 0.")
        if min(self.learning_rate, self.head_rate) <= 0 or not 0 <= self.warmup < 1:
            raise ParameterError("Fine-tuning needs rates above 0 and a warmup of 0 to 1.")

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
        from learning.students.transformer import FittedTransformer, fresh_classifier

        former = start.network if isinstance(start, FittedTransformer) else None
        made, margins = learn(
            self, data, lambda: fresh_classifier(self, data.labels, former), rng, report, checkpoint
        )
        return FittedTransformer(
            network=made.network,
            tokenizer=made.tokenizer,
            tokens=self.tokens,
            active=active_columns(data),
            multi_label=data.multi_label,
            margins=margins,
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
