"""Texts to the vectors that the student learned from: hashed n-grams, TF-IDF, SVD; numpy alone."""

import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .model import read_safetensors

WORDS = re.compile(r"\w+")
MOST = 0xFFFFFFFF


class Encoder:
    """idf (features,), used (u,) columns, components (d, u)."""

    sees = False

    def __init__(self, folder: Path, source: str = "") -> None:
        arrays = read_safetensors((Path(source) if source else folder) / "arrays.safetensors")
        self.idf, self.components = arrays["idf"], arrays["components"]
        self.place = np.full(len(self.idf), -1)
        self.place[arrays["used"]] = np.arange(len(arrays["used"]))

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """(n, d) rows of length 1; zeros for a text without any known n-gram."""
        result = np.zeros((len(texts), len(self.components)), dtype=np.float32)
        for row, text in enumerate(texts):
            found = Counter(column(gram, len(self.idf)) for gram in grams(text.lower()))
            if found:
                columns = np.fromiter(found, dtype=np.int64)
                counts = np.fromiter(found.values(), dtype=np.float32)
                values = (1 + np.log(counts)) * self.idf[columns]
                values /= np.linalg.norm(values)
                known = self.place[columns] >= 0
                vector = self.components[:, self.place[columns[known]]] @ values[known]
                length = np.linalg.norm(vector)
                result[row] = vector / (length if length > 1e-12 else 1)
        return result


def grams(text: str) -> list[str]:
    """Words, pairs of words, and groups of 3 to 5 letters within a word and its two blanks."""
    words = WORDS.findall(text)
    found = [*words, *(" ".join(two) for two in pairwise(words))]
    for word in text.split():
        padded = f" {word} "
        for size in range(3, 6):
            found += [padded[i : i + size] for i in range(max(1, len(padded) - size + 1))]
            if len(padded) <= size:
                break  # a short word counts once
    return found


@lru_cache(maxsize=200_000)
def column(gram: str, features: int) -> int:
    """A gram's column: its MurmurHash3 (32 bits, signed, seed 0), without the sign."""
    value = murmur3(gram.encode())
    return min(value, MOST + 1 - value) % features


def murmur3(data: bytes) -> int:
    """Appleby's MurmurHash3_x86_32 with seed 0."""
    value, whole = 0, len(data) & ~3
    for start in range(0, len(data), 4):
        block = int.from_bytes(data[start : start + 4], "little") * 0xCC9E2D51 & MOST
        block = ((block << 15 | block >> 17) & MOST) * 0x1B873593 & MOST
        value ^= block
        if start < whole:
            value = ((value << 13 | value >> 19) & MOST) * 5 + 0xE6546B64 & MOST
    value ^= len(data)
    value = (value ^ value >> 16) * 0x85EBCA6B & MOST
    value = (value ^ value >> 13) * 0xC2B2AE35 & MOST
    return value ^ value >> 16
