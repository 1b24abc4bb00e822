"""Texts to the vectors that the student learned from, by sentence-transformers."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sentence_transformers import SentenceTransformer


class Encoder:
    """The model that encoder.json names, from a folder of your own or a hub."""

    sees = False

    def __init__(self, folder: Path, source: str = "") -> None:
        about = json.loads((folder.parent / "encoder.json").read_text("utf-8"))
        if about["local"] and not source:
            raise RuntimeError(
                f"The encoder {about['name']} was a folder there: load(encoder=…) names it here."
            )
        revision = None if source else about["revision"]
        self.model = SentenceTransformer(source or about["name"], revision=revision)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """(n, d) rows of length 1."""
        rows = self.model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(rows, dtype=np.float32)
