"""Labelled sets of which it is known which labels are wrong: by injection, or by correction."""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.learning.vectors import CHUNK, DIMENSIONS, cache_folder, datasets_folder, read_rows
from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix

INJECTED = ("banking77", "trec6", "ag_news")
REAL = (
    "hausa_news_noisy",
    "cifar10n_majority",
    "cifar10n_one",
    "cifar10n_worst",
    "varierr_nli",
    "product_pairs",
)
MOST_ITEMS = {"quick": 3_000, "full": 10_000}

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FlagSet:
    """Items with the labels in question, and which of them are wrong.

    encodings: (n, d); labels: (n, k) as given; wrong: (n,) bool, or (n, k) bool for several labels
    an item, of which only labels that were given are in question; judges: (j, n, k) or None.
    """

    encodings: Floats
    labels: Floats
    wrong: NDArray[np.bool_]
    names: tuple[str, ...]
    multi_label: bool = False
    judges: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How labels are spoilt: symmetric or confusable, and which share of them."""

    kind: str
    rate: float


def clean(name: str, grid: str) -> tuple[Floats, NDArray[np.int64], tuple[str, ...]]:
    """Encodings (n, d), label columns (n,) and label names of a set whose labels are trusted.

    Only the items that the grid looks at are encoded.
    """
    rows: list[dict[str, Any]] = read_rows(_folder(), name, "train")
    names = tuple(sorted({str(row["label"]) for row in rows}))
    kept = np.arange(len(rows))
    if len(rows) > MOST_ITEMS[grid]:
        kept = np.sort(np.random.default_rng(5).choice(kept, MOST_ITEMS[grid], replace=False))
    chosen = [rows[int(row)] for row in kept]
    place = {label: column for column, label in enumerate(names)}
    truth = np.array([place[str(row["label"])] for row in chosen], dtype=np.int64)
    return _minilm(f"{name}-{len(chosen)}", [str(row["text"]) for row in chosen]), truth, names


def spoilt(name: str, noise: Noise, seed: int, grid: str = "quick") -> FlagSet:
    """The set with a share of its labels replaced.

    symmetric: by any other label; confusable: by one of the two whose mean vectors are nearest.
    """
    encodings, truth, names = clean(name, grid)
    rng = np.random.default_rng([seed, round(1000 * noise.rate), noise.kind == "confusable"])
    rows = rng.choice(len(truth), round(noise.rate * len(truth)), replace=False)
    given = truth.copy()
    if noise.kind == "confusable":
        near = _nearest_labels(encodings, truth, len(names))
        given[rows] = near[truth[rows], rng.integers(0, near.shape[1], len(rows))]
    else:
        given[rows] = (truth[rows] + rng.integers(1, len(names), len(rows))) % len(names)
    return FlagSet(
        encodings=encodings,
        labels=np.eye(len(names), dtype=np.float32)[given],
        wrong=given != truth,
        names=names,
    )


def _nearest_labels(encodings: Floats, truth: NDArray[np.int64], labels: int) -> NDArray[np.int64]:
    """(k, 2) the labels whose mean vectors are nearest."""
    means = np.stack([encodings[truth == label].mean(axis=0) for label in range(labels)])
    apart = np.linalg.norm(means[:, None] - means[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return np.argsort(apart, axis=1)[:, :2]


def real(name: str) -> FlagSet:
    """A set whose wrong labels people or rules made, and others corrected."""
    return READERS[name]()


def _folder() -> Path:
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    return folder


def _minilm(key: str, texts: list[str]) -> Floats:
    matrix = Matrix(cache_folder() / f"quality-{key}-minilm.f16", DIMENSIONS)
    if matrix.rows < len(texts):
        encoder = ENCODERS.create("minilm").fit([])
        for start in range(matrix.rows, len(texts), CHUNK):
            matrix.write(start, encoder.encode(texts[start : start + CHUNK]))
            print(f"encoded {min(start + CHUNK, len(texts)):,} of {len(texts):,} texts of {key}")
    return np.asarray(matrix.view()[: len(texts)], dtype=np.float32)


def _pairs(key: str, rows: list[dict[str, Any]]) -> Floats:
    """What tells two texts apart and what they share: |u - v| and u · v by dimension."""
    u = _minilm(f"{key}-a", [str(row["text_a"]) for row in rows])
    v = _minilm(f"{key}-b", [str(row["text_b"]) for row in rows])
    both = np.hstack([np.abs(u - v), u * v])
    return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True), dtype=np.float32)


def _of_names(encodings: Floats, given: list[str], truth: list[str]) -> FlagSet:
    names = tuple(sorted({*given, *truth}))
    place = {label: column for column, label in enumerate(names)}
    return FlagSet(
        encodings=encodings,
        labels=np.eye(len(names), dtype=np.float32)[[place[x] for x in given]],
        wrong=np.array([a != b for a, b in zip(given, truth, strict=True)]),
        names=names,
    )


def _hausa() -> FlagSet:
    rows = read_rows(_folder(), "hausa_news_noisy", "train")
    return _of_names(
        _minilm("hausa_news_noisy", [str(row["text"]) for row in rows]),
        [str(row["noisy_label"]) for row in rows],
        [str(row["label"]) for row in rows],
    )


def _products() -> FlagSet:
    """One vote a pair, as a project without overlap would have it."""
    rows: list[dict[str, Any]] = read_rows(_folder(), "product_pairs", "train")
    rows = rows[:2_000]
    given = [str(row["annotations"][0]["label"]) for row in rows]
    return _of_names(_pairs("product_pairs", rows), given, [str(row["label"]) for row in rows])


def _cifar(column: str) -> FlagSet:
    from PIL import Image

    with np.load(_folder() / "cifar10n_6k" / "cifar10n_6k.npz", allow_pickle=False) as data:
        part = data["split"] == "train"
        image, truth, given = (data[name][part] for name in ("image", "label", column))
        names = tuple(str(x) for x in data["class_names"])
    kept = cache_folder() / "quality-cifar-pca.npy"
    if not kept.exists():
        pictures = []
        for picture in image:
            stream = io.BytesIO()
            Image.fromarray(picture).save(stream, "PNG")
            pictures.append(stream.getvalue())
        encoder = ENCODERS.create("pixels-pca", {"colour": "rgb", "components": 96}).fit(pictures)
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, encoder.encode(pictures))
    return FlagSet(
        encodings=np.asarray(np.load(kept, allow_pickle=False), dtype=np.float32),
        labels=np.eye(len(names), dtype=np.float32)[given.astype(np.int64)],
        wrong=given != truth,
        names=names,
    )


def _varierr() -> FlagSet:
    """Several labels an item; wrong are those that their own annotators took back.

    The judges are the language models' scores of validity, which were given without knowing who
    chose the label.
    """
    with gzip.open(_folder() / "varierr_nli" / "all.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows: list[dict[str, Any]] = [json.loads(line) for line in stream]
    names = ("contradiction", "entailment", "neutral")
    labels = np.array([[name in row["noisy_label"] for name in names] for row in rows])
    wrong = [[name in row["meta"]["error_labels"] for name in names] for row in rows]
    models = sorted({said["model"] for row in rows for said in row["llm"]})
    judges = np.full((len(models), len(rows), 3), np.nan, dtype=np.float32)
    for at, row in enumerate(rows):
        for said in row["llm"]:
            if said["confidence"] is not None:
                place = models.index(said["model"]), at, names.index(said["label"])
                judges[place] = said["confidence"]
    return FlagSet(
        encodings=_pairs("varierr_nli", rows),
        labels=labels.astype(np.float32),
        wrong=np.array(wrong) & labels,
        names=names,
        multi_label=True,
        judges=judges,
    )


READERS: dict[str, Callable[[], FlagSet]] = {
    "hausa_news_noisy": _hausa,
    "cifar10n_majority": lambda: _cifar("noisy_majority"),
    "cifar10n_one": lambda: _cifar("annotator_1"),
    "cifar10n_worst": lambda: _cifar("noisy_worst"),
    "product_pairs": _products,
    "varierr_nli": _varierr,
}
