"""Images to the vectors that the student learned from: a vision model's mean over its places, of length 1."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoImageProcessor, AutoModel

from .pictures import Picture, opened

BATCH = 16


class Encoder:
    """The model that encoder.json names, from a folder of your own or a hub."""

    sees = True

    def __init__(self, folder: Path, source: str = "") -> None:
        about = json.loads((folder.parent / "encoder.json").read_text("utf-8"))
        if about["local"] and not source:
            raise RuntimeError(
                f"The encoder {about['name']} was a folder there: load(encoder=…) names it here."
            )
        where, revision = (source, None) if source else (about["name"], about["revision"])
        self.processor = AutoImageProcessor.from_pretrained(where, revision=revision)
        model = AutoModel.from_pretrained(where, revision=revision)
        self.model = getattr(model, "vision_model", model).eval()

    def encode(self, images: Sequence[Picture]) -> NDArray[np.float32]:
        """(n, d) rows of length 1."""
        rows = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                pictures = [opened(each) for each in images[start : start + BATCH]]
                shown = self.processor(images=pictures, return_tensors="pt")["pixel_values"]
                hidden = self.model(pixel_values=shown).last_hidden_state.float()
                if hidden.ndim == 4:  # convolutional models: (b, d, h, w)
                    hidden = hidden.flatten(2).transpose(1, 2)
                rows.append(torch.nn.functional.normalize(hidden.mean(dim=1), dim=1))
        return np.asarray(torch.cat(rows).numpy(), dtype=np.float32)
