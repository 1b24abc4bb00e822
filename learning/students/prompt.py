"""The student of a few numbers: a prompt that no one could have written, on a frozen model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from learning.bounds import Batch, Count, Epochs, Penalty, Rate, Share, Size, Tokens, refuse_outside
from learning.students.decoder_lora import refuse_without_model
from learning.students.finetune import refuse_without_texts
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.classification import Made
    from learning.students.frozen import FittedPart


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """Train vectors that are read before each text by a frozen causal language model, and a linear
    layer on its last token.
    Source: Lester et al. 2021; Buchner et al. 2024 (prompt-tuned embedding classification).

    model: a folder, or a name on the hub. It stays where it is: the student keeps a few megabytes,
    and many may share one loaded model.
    revision: a commit on the hub, None for what is current.
    length: vectors in the prompt; they begin as the tokens of the labels' names.
    learning_rate: of the prompt at its peak.
    head_rate: of the linear layer.
    epochs: passes over the data.
    batch: texts per step.
    tokens: longer texts are cut.
    class_weights: "balanced" lets rare labels count more.
    weight_decay: how fast the numbers shrink towards 0.
    warmup: share of the steps in which the rates rise; then they fall to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "texts"

    model: str = ""
    revision: str | None = None
    length: Size = 50
    learning_rate: Rate = 3e-3
    head_rate: Rate = 1e-3
    epochs: Epochs = 10
    batch: Batch = 8
    tokens: Tokens = 128
    class_weights: Literal["none", "balanced"] = "none"
    weight_decay: Penalty = 0.0
    warmup: Share = 0.1
    checkpoint_steps: Count = 100

    def __post_init__(self) -> None:
        refuse_without_model("A trained prompt", self.model)
        refuse_outside(self)

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedPart":
        """Train prompt and linear layer; checkpoints, cancel and refusals as for `Finetune`."""
        refuse_without_texts(data)
        from learning.students.frozen import fit_part

        return fit_part("prompt", self, data, rng, report, start, checkpoint)

    def make(self, data: TrainingData) -> "Made":
        """The network before training, its prompt made of `data.label_texts`."""
        from learning.students.soft_prompt import fresh_prompt

        return fresh_prompt(self, data.labels, data.label_texts or ())

    def settle(self, fitted: "FittedPart") -> "Prompt":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedPart":
        """The student that `FittedPart.save` wrote into `folder`, on the model that it names."""
        from learning.students.frozen import FittedPart

        return FittedPart.load(folder)
