"""The student that is a large language model: read, not asked."""

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
from learning.errors import ParameterError
from learning.students.finetune import refuse_without_texts
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.classification import Made
    from learning.students.frozen import FittedPart


@dataclass(frozen=True, kw_only=True)
class DecoderLora:
    """Put a linear layer on a causal language model and train it with low-rank adapters on the labels.
    Source: Li et al. 2023 (label-supervised LLaMA); LoRA, Hu et al. 2022.

    model: a folder, or a name on the hub. It stays where it is: the student keeps what was trained.
    revision: a commit on the hub, None for what is current.
    direction: "causal" reads each token with those before it, as the model has learnt to; "both"
    lets each see the whole text.
    pooling: "last" takes the last token, which alone has seen all when reading is causal; "mean"
    averages over the text.
    epochs: passes over the data.
    batch: texts per step.
    tokens: longer texts are cut.
    rank: size of the adapters, one beside each linear layer.
    alpha: their strength, divided by the rank.
    dropout: of what they read, 0 to below 1.
    learning_rate: of the adapters at its peak.
    head_rate: of the linear layer.
    class_weights: "balanced" lets rare labels count more.
    weight_decay: how fast weights shrink towards 0.
    warmup: share of the steps in which the rates rise; then they fall to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "texts"

    model: str = ""
    revision: str | None = None
    direction: Literal["causal", "both"] = "causal"
    pooling: Literal["last", "mean"] = "last"
    epochs: Epochs = 10
    batch: Batch = 8
    tokens: Tokens = 128
    rank: Size = 12
    alpha: Weight = 32.0
    dropout: Share = 0.1
    learning_rate: Rate = 1e-4
    head_rate: Rate = 1e-3
    class_weights: Literal["none", "balanced"] = "none"
    weight_decay: Penalty = 0.01
    warmup: Share = 0.1
    checkpoint_steps: Count = 100

    def __post_init__(self) -> None:
        refuse_without_model("A language model with adapters", self.model)
        refuse_outside(self)

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedPart":
        """Train adapters and linear layer; checkpoints, cancel and refusals as for `Finetune`."""
        refuse_without_texts(data)
        from learning.students.frozen import fit_part

        return fit_part("decoder-lora", self, data, rng, report, start, checkpoint)

    def make(self, data: TrainingData) -> "Made":
        """The network before training."""
        from learning.students.decoder import fresh_decoder

        return fresh_decoder(self, data.labels)

    def settle(self, fitted: "FittedPart") -> "DecoderLora":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedPart":
        """The student that `FittedPart.save` wrote into `folder`, on the model that it names."""
        from learning.students.frozen import FittedPart

        return FittedPart.load(folder)


def refuse_without_model(who: str, name: str) -> None:
    """Raise ParameterError for an empty name: no language model is built in."""
    if not name.strip():
        raise ParameterError(
            f"{who} needs the name of a causal language model, or a folder that holds one: "
            "the parameter model.",
            parameter="model",
        )
