"""The student for a handful of texts per label: encoder tuned on pairs and on label texts, then a head."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from learning.bounds import Count, Epochs, Penalty, Rate, Share, Tokens, Within, refuse_outside
from learning.encoders.named import check_model
from learning.students.finetune import BUILT_IN, refuse_without_texts
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.transformer import FittedTransformer


# Where it was found to pay: answers a label, and labels.
FEWEST, MOST, MOST_LABELS = 4, 50, 20


@dataclass(frozen=True, kw_only=True)
class Contrastive:
    """Tune an encoder so that texts of a label come together and near to what it is called, then fit a
    head on the vectors. Source: Tunstall et al. 2022 (SetFit); Khosla et al. 2020 (the comparison of
    all texts of a batch); Schopf et al. 2024 (label texts).

    model: "minilm" (built in), a folder, or a name on the hub; revision: a commit there.
    epochs: passes over the texts, fewer so that it sees `most` texts at most in all, but one at least.
    batch: texts per step, each compared with all others; tokens: longer texts are cut.
    learning_rate: at its peak; warmup: share of the steps in which it rises; then it falls to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "texts"

    model: str = BUILT_IN
    revision: str | None = None
    epochs: Epochs = 20
    most: Count = 4_000
    batch: Annotated[int, Within(2, 1_024)] = 16
    tokens: Tokens = 128
    learning_rate: Rate = 1e-4
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
        """Tune, then fit the head. An earlier student is not begun from: pairs want a fresh encoder.

        Checkpoints, cancel and refusals as with `Finetune.fit`.
        """
        refuse_without_texts(data)
        from learning.students.tuning import tuned

        plan = replace(self, epochs=max(1, min(self.epochs, self.most // data.rows)))
        return tuned(plan, data, rng, report, checkpoint)

    def unpaid(self, rows: int, labels: int) -> str:
        """It is for a few texts of each of a few labels: of more the head is as good, in a second."""
        if labels > MOST_LABELS:
            return f"It pays with up to {MOST_LABELS} labels, and these are {labels:,}."
        if not FEWEST * labels <= rows <= MOST * labels:
            return (
                f"It pays with {FEWEST} to {MOST} answers a label, here {FEWEST * labels:,} to "
                f"{MOST * labels:,} in all, and these are {rows:,}."
            )
        return ""

    def settle(self, fitted: "FittedTransformer") -> "Contrastive":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedTransformer":
        """The student that `FittedTransformer.save` wrote into `folder`."""
        from learning.students.transformer import FittedTransformer

        return FittedTransformer.load(folder)
