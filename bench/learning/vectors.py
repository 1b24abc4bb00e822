"""Labelled data sets as MiniLM vectors, encoded once and kept in a cache folder."""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix

CHUNK = 2048


@dataclass(frozen=True, kw_only=True)
class Part:
    """vectors: (n, d) float16; labels: n names."""

    vectors: NDArray[np.float16]
    labels: list[str]


def datasets_folder() -> Path | None:
    """The folder named by DATASETS, or None when it is unset or not there."""
    named = os.environ.get("DATASETS")
    return Path(named) if named and Path(named).is_dir() else None


def cache_folder() -> Path:
    """Where vectors are kept: BENCH_CACHE, or var/bench in the working folder."""
    return Path(os.environ.get("BENCH_CACHE", "var/bench"))


def read_rows(folder: Path, name: str, split: str) -> list[dict[str, object]]:
    """The rows of one gzip JSON-lines file."""
    with gzip.open(folder / name / f"{split}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def part(folder: Path, name: str, split: str, limit: int | None = None) -> Part:
    """The first `limit` rows of a split (all without one), encoded by MiniLM or read from cache."""
    rows = read_rows(folder, name, split)[:limit]
    texts = [str(row["text"]) for row in rows]
    return Part(
        vectors=_vectors(f"{name}-{split}", texts), labels=[str(row["label"]) for row in rows]
    )


def _vectors(key: str, texts: list[str]) -> NDArray[np.float16]:
    matrix = Matrix(cache_folder() / "vectors" / f"{key}-minilm.f16", 384)
    if matrix.rows < len(texts):
        encoder = ENCODERS.create("minilm").fit(texts)
        for start in range(matrix.rows, len(texts), CHUNK):
            matrix.write(start, encoder.encode(texts[start : start + CHUNK]))
    return matrix.view()[: len(texts)]
