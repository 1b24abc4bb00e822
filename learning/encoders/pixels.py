"""The image encoder without weights: pixels of a small picture, principal components."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.encoders.fingerprint import fingerprint
from learning.encoders.images import pixels
from learning.encoders.tfidf import digests, unit
from learning.errors import NotEnoughDataError, ParameterError
from learning.registry import parameters_of
from learning.storage import load_folder, save_folder

if TYPE_CHECKING:
    from learning.encoders import Items


@dataclass(frozen=True, kw_only=True)
class PixelsPca:
    """Encode images by the principal components of their pixels at a small fixed size; needs no
    weights. Source: Turk, Pentland 1991.

    side: pictures become side × side; colour: grey or rgb; components: dimensions at most;
    sample: images that are looked at when fitting, at most.
    """

    modality: ClassVar[Literal["text", "image"]] = "image"

    side: int = 16
    colour: Literal["grey", "rgb"] = "grey"
    components: int = 64
    sample: int = 5_000

    def __post_init__(self) -> None:
        if not 1 <= self.side <= 64 or min(self.components, self.sample) < 1:
            raise ParameterError("Pixels need a side of 1 to 64, components and a sample above 0.")

    def fit(self, sample: "Items") -> "FittedPixels":
        """Learn mean and components from evenly spaced images of `sample`.

        Raises NotEnoughDataError for fewer than two images, UnreadableItemError for a broken one.
        """
        chosen = sample[:: max(1, -(-len(sample) // self.sample))]
        if len(chosen) < 2:
            raise NotEnoughDataError("Pixels + PCA needs at least two images to learn from.")
        mode = "L" if self.colour == "grey" else "RGB"
        table = np.stack([pixels(item, self.side, mode) for item in chosen])  # (n, p)
        mean = table.mean(axis=0)
        centred = (table - mean).astype(np.float64)
        _, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
        size = min(self.components, table.shape[1], len(table) - 1)
        rows = vectors[:, ::-1][:, :size].T
        signs = np.sign(rows[np.arange(size), np.abs(rows).argmax(axis=1)])
        return FittedPixels(
            parameters=parameters_of(self),
            mean=mean.astype(np.float32),
            components=np.ascontiguousarray(rows * signs[:, None], dtype=np.float32),
        )

    @classmethod
    def load(cls, folder: Path) -> "FittedPixels":
        """What `FittedPixels.save` wrote into `folder`."""
        arrays, manifest = load_folder(folder)
        return FittedPixels(
            parameters=dict(manifest["parameters"]),
            mean=arrays["mean"],
            components=arrays["components"],
        )


@dataclass(frozen=True, kw_only=True)
class FittedPixels:
    """mean: (p,) of the pixels; components: (d, p)."""

    parameters: dict[str, Any]
    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return len(self.components)

    @property
    def fingerprint(self) -> str:
        """Hex name of parameters and what was learnt."""
        return fingerprint(
            {"encoder": "pixels-pca", **self.parameters, **digests(self.mean, self.components)}
        )

    def encode(self, items: "Items") -> NDArray[np.float32]:
        """(n, d) unit rows. Raises UnreadableItemError for bytes that are no image."""
        mode = "L" if self.parameters["colour"] == "grey" else "RGB"
        result = np.empty((len(items), self.dimensions), dtype=np.float32)
        for row, item in enumerate(items):
            flat = pixels(item, self.parameters["side"], mode) - self.mean
            result[row] = self.components @ flat
        return unit(result)

    def save(self, folder: Path) -> None:
        """Write what was learnt as safetensors with a manifest."""
        arrays = {"mean": self.mean, "components": self.components}
        save_folder(folder, arrays, {"encoder": "pixels-pca", "parameters": self.parameters})
