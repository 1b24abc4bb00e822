"""A linear map of vectors to probabilities, in numpy alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPES = {"F32": "<f4", "F16": "<f2", "U8": "|u1", "I64": "<i8", "BOOL": "|b1"}


class Head:
    """weights (d, k), bias (k,), and `active` (k,): 0 where no probability goes."""

    def __init__(
        self,
        arrays: dict[str, NDArray[Any]],
        end: str,
        choice: dict[str, Any],
        *,
        several: bool,
        own: float | None,
    ) -> None:
        self.multi_label, self.own = several, own
        self.temperature = np.float32(choice["temperature"])
        cut = float(choice.get("cut", 0.5))  # of several labels, where a half is to lie
        self.tilt = np.float32(np.log1p(-cut) - np.log(cut))
        self.weights, self.bias = arrays[f"weights{end}"], arrays[f"bias{end}"]
        self.active = arrays[f"active{end}"].astype(bool)

    def predict(self, vectors: Any) -> NDArray[np.float32]:
        """(n, d) vectors -> (n, k) probabilities; of two texts the vectors of both side by side."""
        rows = np.asarray(vectors, dtype=np.float32)
        if self.own is not None:
            rows = meeting(rows, self.own)
        if rows.ndim != 2 or rows.shape[1] != len(self.weights):
            raise ValueError(f"Vectors have shape (n, {len(self.weights)}), not {rows.shape}.")
        logits = (rows @ self.weights + self.bias) * self.temperature
        if self.multi_label:
            logits += self.tilt
            return np.asarray(self.active * (0.5 + 0.5 * np.tanh(logits / 2)), dtype=np.float32)
        logits[:, ~self.active] = -np.inf
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


class Model:
    """One head for all labels, or one for each question of a form."""

    reads_vectors, marks, sees = True, False, False

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        arrays = read_safetensors(folder / "arrays.safetensors")
        self.multi_label = bool(manifest["multi_label"])
        self.parts: list[dict[str, Any]] = manifest.get("parts", [])
        self.labels = int(manifest.get("labels", 0))
        if not self.parts:
            self.heads: list[Head | None] = [
                Head(
                    arrays,
                    "",
                    manifest["choice"],
                    several=self.multi_label,
                    own=manifest.get("own"),
                )
            ]
            return
        self.heads = [
            choice
            and Head(
                arrays,
                f"-{place}",
                choice,
                several=self.parts[place]["several"],
                own=manifest.get("owns", [None] * len(self.parts))[place],
            )
            for place, choice in enumerate(manifest["choices"])
        ]

    def predict(self, vectors: Any) -> NDArray[np.float32]:
        """(n, d) vectors -> (n, k) probabilities; of a form how likely each label is given."""
        if not self.parts:
            assert self.heads[0] is not None  # noqa: S101 - a student of one question has a head
            return self.heads[0].predict(vectors)
        found = np.zeros((len(vectors), self.labels), dtype=np.float32)
        for part, head in zip(self.parts, self.heads, strict=True):
            if head is not None:
                asked = self._chance(found, part["after"])
                found[:, part["columns"]] = asked[:, None] * head.predict(vectors)
        return found

    def chosen(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n, k) which of several labels the probabilities amount to; of a form a whole answer."""
        found = np.asarray(rows >= 0.5, dtype=np.bool_)
        for part in self.parts:
            columns = part["columns"]
            asked = np.maximum(self._chance(rows, part["after"]), 1e-6)
            shares = np.minimum(rows[:, columns] / asked[:, None], 1)
            found[:, columns] = shares >= 0.5
            if not part["several"]:
                best = shares.argmax(axis=1)[:, None] == np.arange(len(columns))
                found[:, columns] = best & (shares > 0)
            if part["after"]:
                led = np.asarray(found[:, part["after"]].any(axis=1))
                found[:, columns] &= led[:, None]
        return found

    def _chance(self, found: NDArray[np.float32], after: list[int]) -> NDArray[np.float32]:
        """(n,) how likely a question is asked: one of the labels that it waits for is given."""
        if not after:
            return np.ones(len(found), dtype=np.float32)
        owner = next(part for part in self.parts if set(after) <= set(part["columns"]))
        said = found[:, after]
        if owner["several"]:
            return np.asarray(1 - np.prod(1 - said, axis=1), dtype=np.float32)
        return np.asarray(np.minimum(said.sum(axis=1), 1), dtype=np.float32)


def meeting(rows: NDArray[np.float32], own: float) -> NDArray[np.float32]:
    """(n, 2 d) -> (n, 4 d): both texts' vectors, how they differ, and what they share."""
    both = rows * np.float32(np.sqrt(2))
    half = both.shape[1] // 2
    one, other = both[:, :half], both[:, half:]
    root = np.float32(np.sqrt(half))
    parts = [np.float32(own) * both, np.abs(one - other), root * one * other]
    return np.concatenate(parts, axis=1)


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
