"""Sets of marked texts: words and encodings by MiniLM, computed once and kept in the cache folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from bench.learning.vectors import cache_folder, datasets_folder, read_rows
from learning.encoders.matrix import Matrix
from learning.encoders.minilm import MiniLM
from learning.encoders.word_store import WordStore
from learning.spans import Span
from learning.taggers.types import Marked, Words

CHUNK = 256
# Texts of each split, drawn once; restaurant8k has more than the others.
MOST = {"train": 3_000, "test": 1_500}
NAMES = ("wnut17", "restaurant8k")


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Marked texts; encodings: (n, d) of those that strategies choose from, else (0, d)."""

    marked: Marked
    encodings: NDArray[np.float16]
    labels: tuple[str, ...]


def texts_of(name: str, split: str, labels: tuple[str, ...] = ()) -> Texts:
    """A split; `labels` fixes the columns, which the training split decides."""
    folder = datasets_folder()
    if folder is None:
        raise ValueError("DATASETS names no folder.")
    rows = [row_of(row) for row in read_rows(folder, name, split)]
    if len(rows) > MOST[split]:
        chosen = np.random.default_rng(0).permutation(len(rows))[: MOST[split]]
        rows = [rows[at] for at in sorted(chosen)]
    labels = labels or tuple(sorted({label for _, spans in rows for _, _, label in spans}))
    column = {label: at for at, label in enumerate(labels)}
    texts = [text for text, _ in rows]
    stem = f"{name}-{split}-{len(rows)}"
    words, encodings = _read(stem, texts, chosen_from=split == "train")
    spans = [[Span(a, b, column[label]) for a, b, label in spans] for _, spans in rows]
    marked = Marked(words=words, spans=spans, labels=len(labels), texts=texts)
    return Texts(marked=marked, encodings=encodings, labels=labels)


def row_of(row: dict[str, Any]) -> tuple[str, list[tuple[int, int, str]]]:
    """A text and its spans in characters; tokens are joined by blanks."""
    if "text" in row:
        return row["text"], [(one["start"], one["end"], one["label"]) for one in row["spans"]]
    ends = np.cumsum([len(token) + 1 for token in row["tokens"]])
    starts = ends - [len(token) + 1 for token in row["tokens"]]
    spans = [
        (int(starts[one["start"]]), int(ends[one["end"] - 1] - 1), one["label"])
        for one in row["spans"]
    ]
    return " ".join(row["tokens"]), spans


def read_texts(name: str, texts: list[str]) -> tuple[Words, NDArray[np.float16]]:
    """The words and the encodings of other texts, computed once under this name."""
    return _read(f"{name}-{len(texts)}", texts, chosen_from=True)


def _read(name: str, texts: list[str], *, chosen_from: bool) -> tuple[Words, NDArray[np.float16]]:
    """Words, and encodings of those that strategies choose from."""
    cache: Path = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    ready = MiniLM().fit()
    encoder = ready.by_word()
    store = WordStore(cache / f"{name}-words", encoder.dimensions)
    matrix = Matrix(cache / f"{name}-minilm.f16", ready.dimensions)
    with FileLock(cache / f"{name}.lock"):  # another process may read the same
        for start in range(store.items, len(texts), CHUNK):
            store.write(start, encoder.encode(texts[start : start + CHUNK]))
        for start in range(matrix.rows, len(texts) if chosen_from else 0, CHUNK):
            matrix.write(start, ready.encode(texts[start : start + CHUNK]))
    return store.view(), matrix.view()
