"""A network of images: the mean of its last layer over all places, then a linear layer.

`network.safetensors` holds the weights of the network in `network.py`. Where they are not there, `encoder` is a
folder that `transformers.AutoModel.from_pretrained` and `AutoImageProcessor.from_pretrained` load by themselves, too.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from .pictures import Picture, opened

BATCH = 16


class Model:
    """Looks at images: paths of files, or their bytes."""

    reads_vectors, marks, pairs, sees = False, False, False, True

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.multi_label = bool(manifest["multi_label"])
        self.head = load_file(folder / "head.safetensors")
        if (folder / "network.safetensors").is_file():
            from .network import SmallNetwork, numbers_of  # type: ignore[import-not-found,unused-ignore]

            self.encoder: Any = SmallNetwork()
            self.encoder.load_state_dict(load_file(folder / "network.safetensors"))
            self.numbers: Any = numbers_of
        else:
            from transformers import AutoImageProcessor, AutoModel

            source = str(folder / "encoder")
            self.encoder = AutoModel.from_pretrained(source, local_files_only=True)
            self.processor = AutoImageProcessor.from_pretrained(source, local_files_only=True)
            self.numbers = self._processed
        self.encoder.eval()

    def predict(self, images: Sequence[Picture]) -> NDArray[np.float32]:
        """n images -> (n, k) probabilities."""
        result = np.empty((len(images), len(self.head["bias"])), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                block = images[start : start + BATCH]
                pixels = np.stack([self.numbers(opened(each)) for each in block])
                result[start : start + BATCH] = self._probabilities(pixels).numpy()
        return result

    def chosen(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n, k) which of several labels the probabilities amount to."""
        return np.asarray(rows >= 0.5, dtype=np.bool_)

    def _processed(self, picture: Any) -> Any:
        return self.processor(images=[picture], return_tensors="np")["pixel_values"][0]

    def _probabilities(self, pixels: Any) -> Any:
        vectors = self._vectors(torch.from_numpy(pixels).float())
        logits = (vectors @ self.head["weight"].T + self.head["bias"]).float()
        active = self.head["active"].bool()
        if self.multi_label:
            return torch.sigmoid(logits) * active
        return torch.softmax(logits.masked_fill(~active, float("-inf")), dim=1)

    def _vectors(self, pixels: Any) -> Any:
        if not hasattr(self, "processor"):
            return self.encoder(pixels)
        hidden = self.encoder(pixel_values=pixels).last_hidden_state
        if hidden.ndim == 4:  # (n, d, h, w)
            return hidden.mean(dim=(2, 3))
        # What stands before the patches, a token for the whole and registers, is left out.
        patch = getattr(self.encoder.config, "patch_size", None)
        high, wide = patch if isinstance(patch, list | tuple) else (patch, patch)
        across = (pixels.shape[2] // high) * (pixels.shape[3] // wide) if patch else hidden.shape[1]
        return hidden[:, max(0, hidden.shape[1] - across) :].mean(dim=1)
