"""A linear map of vectors to probabilities, in numpy alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = {"F32": "<f4", "F16": "<f2", "U8": "|u1", "I64": "<i8", "BOOL": "|b1"}


class Model:
    """weights (d, k), bias (k,), and `active` (k,): 0 where no probability goes."""

    reads_vectors = True

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.multi_label = bool(manifest["multi_label"])
        self.temperature = np.float32(manifest["choice"]["temperature"])
        arrays = read_safetensors(folder / "arrays.safetensors")
        self.weights, self.bias = arrays["weights"], arrays["bias"]
        self.active = arrays["active"].astype(bool)

    def predict(self, vectors: Any) -> NDArray[np.float32]:
        """(n, d) vectors -> (n, k) probabilities."""
        rows = np.asarray(vectors, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != len(self.weights):
            raise ValueError(f"Vectors have shape (n, {len(self.weights)}), not {rows.shape}.")
        logits = (rows @ self.weights + self.bias) * self.temperature
        if self.multi_label:
            return np.asarray(self.active * (0.5 + 0.5 * np.tanh(logits / 2)), dtype=np.float32)
        logits[:, ~self.active] = -np.inf
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


def read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file: 8 bytes of length, a JSON header, then the numbers."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    arrays = {}
    for name, about in header.items():
        if name != "__metadata__":
            first, end = about["data_offsets"]
            flat = np.frombuffer(content[start + first : start + end], DTYPES[about["dtype"]])
            arrays[name] = flat.reshape(about["shape"])
    return arrays
