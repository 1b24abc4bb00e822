"""Image encoders by model name."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.encoders.fingerprint import fingerprint
from learning.encoders.images import open_image
from learning.encoders.named import check_model, refuse_other_weights
from learning.encoders.pooled import load_named
from learning.encoders.tfidf import unit
from learning.registry import parameters_of
from learning.storage import finish_folder, read_manifest
from learning.types import row_blocks

if TYPE_CHECKING:
    from learning.encoders import Items

BATCH_IMAGES = 16


@dataclass(frozen=True, kw_only=True)
class Vision:
    """Encode images by a transformers vision model, averaging over its patches.
    Source: Dosovitskiy et al. 2021.

    name: a folder or a name on the hub; revision: a commit there, None for what is current.
    Code from the model's repository never runs.
    """

    modality: ClassVar[Literal["text", "image"]] = "image"

    name: str
    revision: str | None = None

    def __post_init__(self) -> None:
        check_model(self.name, 1)

    def fit(self, sample: "Items" = ()) -> "VisionModel":
        """Load it. Raises ModelUnavailableError when it cannot be found, reached or is no vision
        model.
        """
        import torch

        processor, model, weights = load_vision(self.name, self.revision)
        return VisionModel(
            processor=processor,
            model=model.to("cuda" if torch.cuda.is_available() else "cpu"),
            parts={"encoder": "vision", **parameters_of(self), "weights": weights},
        )

    @classmethod
    def load(cls, folder: Path) -> "VisionModel":
        """The encoder that `folder` names, refused when its weights have changed."""
        manifest = read_manifest(folder)
        ready = cls(name=manifest["name"], revision=manifest["revision"]).fit()
        refuse_other_weights(ready, manifest)
        return ready


@dataclass(frozen=True, kw_only=True)
class VisionModel:
    """A loaded image processor and model; `parts` is what the fingerprint is made of."""

    processor: Any
    model: Any
    parts: dict[str, Any]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        config = self.model.config
        return int(getattr(config, "hidden_size", None) or config.hidden_sizes[-1])

    @property
    def fingerprint(self) -> str:
        """Hex name of parameters and weights."""
        return fingerprint(self.parts)

    def encode(self, items: "Items") -> NDArray[np.float32]:
        """(n, d) unit rows. Raises UnreadableItemError for bytes that are no image."""
        import torch

        result = np.empty((len(items), self.dimensions), dtype=np.float32)
        with torch.inference_mode():
            for block in row_blocks(len(items), BATCH_IMAGES):
                pictures = [open_image(item) for item in items[block]]
                inputs = self.processor(images=pictures, return_tensors="pt")
                shown = inputs["pixel_values"].to(self.model.device)  # (b, 3, h, w)
                hidden = self.model(pixel_values=shown).last_hidden_state.float()
                if hidden.ndim == 4:  # convolutional models: (b, d, h, w)
                    hidden = hidden.flatten(2).transpose(1, 2)
                result[block] = unit(hidden.mean(dim=1).cpu().numpy())
        return result

    def save(self, folder: Path) -> None:
        """Write which model this is; the weights stay where they came from."""
        folder.mkdir(parents=True, exist_ok=True)
        finish_folder(folder, {**self.parts, "fingerprint": self.fingerprint})


def load_vision(source: str, revision: str | None) -> tuple[Any, Any, str]:
    """(image processor, model, name of its weights), see `load_named`; of a model with a text half, as CLIP, the
    half that sees.
    """
    processor, model, weights = load_named("AutoImageProcessor", source, revision)
    return processor, getattr(model, "vision_model", model).eval(), weights
