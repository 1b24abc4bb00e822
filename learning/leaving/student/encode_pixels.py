"""Images to the vectors that the student learned from: pixels of a small picture, principal components; numpy and Pillow."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .model import read_safetensors
from .pictures import Picture, opened


class Encoder:
    """mean (p,) of the pixels, components (d, p)."""

    sees = True

    def __init__(self, folder: Path, source: str = "") -> None:
        arrays = read_safetensors((Path(source) if source else folder) / "arrays.safetensors")
        self.mean, self.components = arrays["mean"], arrays["components"]
        about = json.loads((folder.parent / "encoder.json").read_text("utf-8"))["parameters"]
        self.side = int(about["side"])
        self.mode = "L" if about["colour"] == "grey" else "RGB"

    def encode(self, images: Sequence[Picture]) -> NDArray[np.float32]:
        """(n, d) rows of length 1."""
        result = np.empty((len(images), len(self.components)), dtype=np.float32)
        for row, image in enumerate(images):
            small = opened(image).convert(self.mode)
            small = small.resize((self.side, self.side), Image.Resampling.BILINEAR)
            pixels = np.asarray(small, dtype=np.float32).ravel() / np.float32(255)
            vector = self.components @ (pixels - self.mean)
            length = np.linalg.norm(vector)
            result[row] = vector / (length if length > 1e-12 else 1)
        return result
