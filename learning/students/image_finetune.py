"""The student that looks at the images itself: a network with a linear layer, trained whole or beside itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from learning.bounds import Batch, Count, Epochs, Penalty, Rate, Share, Size, Weight, refuse_outside
from learning.encoders.named import check_model
from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.image_network import FittedImages

BUILT_IN = "small"
RATES = {"full": 5e-5, "lora": 1e-3}
HEAD_RATE = 5e-3
SMALL_RATE = 3e-3  # of all of the built-in network, which begins with weights by chance
EPOCHS = 10
# The built-in network takes so many steps, and as many epochs as that is.
SMALL_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 600, 20, 100


@dataclass(frozen=True, kw_only=True)
class ImageFinetune:
    """Train a network of images and a linear layer on soft labels, on CUDA where there is one.
    Source: Dosovitskiy et al. 2021; AdamW, Loshchilov, Hutter 2019; LoRA, Hu et al. 2022.

    model: "small" (built in: 70,000 weights that begin by chance, for pictures that can be told apart at
    32 × 32 pixels), a folder, or a name on the hub.
    revision: a commit on the hub, None for what is current.
    epochs: passes over the data, None for 10, and for the built-in network 20 to 100, about 600 steps.
    batch: images per step.
    method: "full" trains all weights; "lora" freezes them and trains a low-rank matrix beside each
    linear layer, which takes less memory; it is merged into them at the end.
    rank: size of those matrices.
    alpha: their strength, divided by the rank.
    dropout: of what they read, 0 to below 1.
    learning_rate: of the network at its peak, None for 5e-5 (full), 1e-3 (lora), 3e-3 (built in).
    head_rate: of the new linear layer, None for 5e-3, or 3e-3 beside the built-in network.
    class_weights: "balanced" lets rare labels count more.
    weight_decay: how fast weights shrink towards 0.
    warmup: share of the steps in which the rates rise; then they fall to 0.
    checkpoint_steps: steps between two checkpoints, when the fit has a folder for them.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "images"

    model: str = BUILT_IN
    revision: str | None = None
    epochs: Epochs | None = None
    batch: Batch = 16
    method: Literal["full", "lora"] = "full"
    rank: Size = 8
    alpha: Weight = 16.0
    dropout: Share = 0.1
    learning_rate: Rate | None = None
    head_rate: Rate | None = None
    class_weights: Literal["none", "balanced"] = "none"
    weight_decay: Penalty = 0.01
    warmup: Share = 0.1
    checkpoint_steps: Count = 100

    def __post_init__(self) -> None:
        refuse_outside(self)
        check_model(self.model, 1)
        if self.model == BUILT_IN and self.method == "lora":
            raise ParameterError(
                "The built-in network has no weights worth keeping: it is trained whole. Choose "
                "the method full, or a model that was trained before.",
                parameter="method",
            )

    @property
    def rate(self) -> float:
        """The peak learning rate of the network."""
        own = SMALL_RATE if self.model == BUILT_IN else RATES[self.method]
        return own if self.learning_rate is None else self.learning_rate

    @property
    def rate_of_head(self) -> float:
        """The peak learning rate of the linear layer."""
        own = SMALL_RATE if self.model == BUILT_IN else HEAD_RATE
        return own if self.head_rate is None else self.head_rate

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedImages":
        """Train for `epochs`; reports, checkpoints, cancel and refusals as for `Finetune`, and raises
        UnreadableItemError for an image that cannot be read.
        """
        refuse_without_images(data)
        from learning.students.classification import active_columns, learn_from
        from learning.students.image_network import FittedImages, fresh_images
        from learning.students.lora import merge
        from learning.students.pictures import Pictures

        plan, images = self._for(data.rows), data.images or ()
        former = start if isinstance(start, FittedImages) else None
        made, margins = learn_from(
            lambda made, _beat: Pictures(images=images, eye=made.tokenizer),
            plan,
            data,
            lambda: fresh_images(plan, data.labels, former),
            rng,
            report,
            checkpoint,
        )
        if self.method == "lora":
            merge(made.network.encoder)
        return FittedImages(
            network=made.network,
            eye=made.tokenizer,
            active=active_columns(data),
            multi_label=data.multi_label,
            margins=margins,
        )

    def _for(self, rows: int) -> Any:
        """Itself with as many epochs as so many items take."""
        if self.epochs is not None:
            return self
        if self.model != BUILT_IN:
            return replace(self, epochs=EPOCHS)
        wanted = round(SMALL_STEPS / -(-rows // self.batch))
        return replace(self, epochs=min(MOST_EPOCHS, max(FEWEST_EPOCHS, wanted)))

    def settle(self, fitted: "FittedImages") -> "ImageFinetune":
        """Itself: it chooses nothing from the data."""
        return self

    @classmethod
    def load(cls, folder: Path) -> "FittedImages":
        """The student that `FittedImages.save` wrote into `folder`."""
        from learning.students.image_network import FittedImages

        return FittedImages.load(folder)


def refuse_without_images(data: TrainingData) -> None:
    """Raise ShapeError for data without images, NotEnoughDataError for data without labels."""
    if data.images is None:
        raise ShapeError("This student learns from images; the data has none.")
    if data.rows == 0 or (data.known is not None and not data.known.any()):
        raise NotEnoughDataError("This student needs at least one labelled item.")


def images_of(items: object) -> Sequence[bytes]:
    """`items` as image files' bytes; raises ShapeError for encodings or texts."""
    texts = isinstance(items, Sequence) and len(items) > 0 and isinstance(items[0], str)
    if isinstance(items, np.ndarray | str | bytes) or not isinstance(items, Sequence) or texts:
        raise ShapeError("A student of images predicts from the bytes of image files.")
    return items
