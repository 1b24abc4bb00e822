"""A tuned transformer: the mean of its last layer over the real tokens, then a linear layer.

`encoder` is a folder that `transformers.AutoModel.from_pretrained` loads by itself, too.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

BATCH = 32


class Model:
    """Reads texts."""

    reads_vectors = False

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.multi_label, self.tokens = bool(manifest["multi_label"]), int(manifest["tokens"])
        self.unit = bool(manifest.get("unit"))  # whether means are scaled to unit length
        source = str(folder / "encoder")
        self.tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
        self.encoder = AutoModel.from_pretrained(source, local_files_only=True).eval()
        self.head = load_file(folder / "head.safetensors")

    def predict(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """n texts -> (n, k) probabilities."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        result = np.empty((len(texts), len(self.head["bias"])), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                result[rows] = self._probabilities([texts[row] for row in rows]).numpy()
        return result

    def chosen(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n, k) which of several labels the probabilities amount to."""
        return np.asarray(rows >= 0.5, dtype=np.bool_)

    def _probabilities(self, texts: list[str]) -> Any:
        options = {"truncation": True, "padding": True, "max_length": self.tokens}
        padded = self.tokenizer(texts, return_tensors="pt", **options)
        padded.pop("token_type_ids", None)
        hidden = self.encoder(**padded).last_hidden_state
        mask = padded["attention_mask"][:, :, None].to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        if self.unit:
            mean = torch.nn.functional.normalize(mean, dim=1)
        logits = (mean @ self.head["weight"].T + self.head["bias"]).float()
        active = self.head["active"].bool()
        if self.multi_label:
            return torch.sigmoid(logits) * active
        return torch.softmax(logits.masked_fill(~active, float("-inf")), dim=1)
