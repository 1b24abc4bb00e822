"""Labelled data sets as MiniLM vectors, encoded once and kept in a cache folder."""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix

CHUNK = 1024
DIMENSIONS = 384


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
    return Path(os.environ.get("BENCH_CACHE", "var/bench")) / "vectors"


def read_rows(folder: Path, name: str, split: str) -> list[dict[str, object]]:
    """The rows of one gzip JSON-lines file."""
    with gzip.open(folder / name / f"{split}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def part(folder: Path, name: str, split: str, cache: Path, every: int = 1) -> Part:
    """Every so-manyth row of a split, encoded by MiniLM or read from the cache."""
    rows = read_rows(folder, name, split)[::every]
    matrix = Matrix(cache / f"{name}-{split}-{every}-minilm.f16", DIMENSIONS)
    with FileLock(cache / f"{name}-{split}-{every}.lock"):  # another process may encode the same
        if matrix.rows < len(rows):
            encoder = ENCODERS.create("minilm").fit([])
            texts = [str(row["text"]) for row in rows]
            for start in range(matrix.rows, len(texts), CHUNK):
                matrix.write(start, encoder.encode(texts[start : start + CHUNK]))
    return Part(vectors=matrix.view()[: len(rows)], labels=[str(row["label"]) for row in rows])
