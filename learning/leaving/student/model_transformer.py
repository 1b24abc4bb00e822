"""A transformer: the mean of its last layer over the real tokens, then a linear layer. Where the file of
the head says what labels are called, each label reads a mean of its own, of tokens like that.

One of two texts is a cross-encoder where the manifest says `pairs`: both are read at once, as two segments.

`encoder` is a folder that `transformers.AutoModel.from_pretrained` loads by itself, too; two texts are read as its
`AutoTokenizer` gives them: `tokenizer(text, text_b)`.
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

    reads_vectors, marks, sees = False, False, False

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.multi_label, self.tokens = bool(manifest["multi_label"]), int(manifest["tokens"])
        self.unit = bool(manifest.get("unit"))  # whether means are scaled to unit length
        self.pairs = bool(manifest.get("pairs"))
        source = str(folder / "encoder")
        self.tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
        self.encoder = AutoModel.from_pretrained(source, local_files_only=True).eval()
        self.head = load_file(folder / "head.safetensors")
        # Of a model that has kinds of tokens two segments are told by them.
        self.kinds = self.pairs and getattr(self.encoder.config, "type_vocab_size", 0) > 1

    def predict(self, texts: Sequence[Any]) -> NDArray[np.float32]:
        """n texts, or two each -> (n, k) probabilities."""
        length = (lambda both: sum(map(len, both))) if self.pairs else len
        order = sorted(range(len(texts)), key=lambda row: length(texts[row]))
        result = np.empty((len(texts), len(self.head["bias"])), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                result[rows] = self._probabilities([texts[row] for row in rows]).numpy()
        return result

    def chosen(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n, k) which of several labels the probabilities amount to."""
        return np.asarray(rows >= 0.5, dtype=np.bool_)

    def _probabilities(self, texts: list[Any]) -> Any:
        options = {"truncation": True, "padding": True, "max_length": self.tokens}
        given = [list(each) for each in zip(*texts, strict=True)] if self.pairs else [texts]
        padded = self.tokenizer(*given, return_tensors="pt", **options)  # the longer of two is cut
        if not self.kinds:
            padded.pop("token_type_ids", None)
        told = padded["attention_mask"]
        told[told.sum(dim=1) == 0, :1] = 1  # a text without tokens is read as its first filler
        hidden = self.encoder(**padded).last_hidden_state
        mask = padded["attention_mask"][:, :, None].to(hidden.dtype)
        read = self._by_label if "called" in self.head else self._together
        logits = (read(hidden, mask) + self.head["bias"]).float()
        active = self.head["active"].bool()
        if self.multi_label:
            return torch.sigmoid(logits) * active
        return torch.softmax(logits.masked_fill(~active, float("-inf")), dim=1)

    def _together(self, hidden: Any, mask: Any) -> Any:
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        if self.unit:
            mean = torch.nn.functional.normalize(mean, dim=1)
        return mean @ self.head["weight"].T

    def _by_label(self, hidden: Any, mask: Any) -> Any:
        likeness = torch.nn.functional.normalize(hidden, dim=2) @ self.head["called"].T
        weights = likeness.masked_fill(mask == 0, float("-inf")).softmax(dim=1)  # (b, t, k)
        own = torch.einsum("btk,btd->bkd", weights, hidden)
        return (torch.nn.functional.normalize(own, dim=2) * self.head["weight"]).sum(dim=2)
