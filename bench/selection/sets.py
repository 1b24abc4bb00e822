"""The data sets as pools to label and clean parts to test on; vectors are made once and kept."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.learning.vectors import CHUNK, DIMENSIONS, cache_folder, datasets_folder, read_rows
from learning.encoders import ENCODERS
from learning.encoders.matrix import Matrix
from learning.simulation import Schedule

POOL = 10_000  # what a rival can choose from within its limit

Names = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class BenchSet:
    """A pool with the labels that people would give, and a test part with true ones.

    encodings, test_encodings: (n, d), (t, d) float32 unit rows; targets, test_targets: (n, k),
    (t, k); schedule: labels to begin with, per round, at the end.
    """

    name: str
    encodings: NDArray[np.float32]
    targets: NDArray[np.float32]
    test_encodings: NDArray[np.float32]
    test_targets: NDArray[np.float32]
    label_names: tuple[str, ...]
    schedule: Schedule
    multi_label: bool = False
    note: str = ""


def schedule_of(name: str, labels: int) -> Schedule:
    """Two labels per class to begin with; banking77 has more classes and a longer way."""
    if name == "banking77":
        return Schedule(start=2 * labels, batch=labels, budget=2_002)
    return Schedule(start=2 * labels, batch=50, budget=812)


def load(name: str) -> BenchSet:
    """The set, cut to a pool of POOL items where it is larger, always to the same ones."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    encodings, given, test, truth, note = READERS[name](folder)
    names = sorted({label for answer in given + truth for label in answer})
    return BenchSet(
        name=name,
        encodings=encodings,
        targets=_hot(given, names),
        test_encodings=test,
        test_targets=_hot(truth, names),
        label_names=tuple(names),
        schedule=schedule_of(name, len(names)),
        multi_label=any(len(answer) != 1 for answer in given),
        note=note,
    )


def _hot(answers: Names, names: Sequence[str]) -> NDArray[np.float32]:
    place = {name: column for column, name in enumerate(names)}
    table = np.zeros((len(answers), len(names)), dtype=np.float32)
    for row, answer in enumerate(answers):
        table[row, [place[name] for name in answer]] = 1
    return table


def cut(rows: int) -> tuple[NDArray[np.int64], str]:
    """Which rows make the pool, ascending, and a note when that is not all."""
    if rows <= POOL:
        return np.arange(rows), ""
    kept = np.random.default_rng(77).choice(rows, size=POOL, replace=False)
    return np.sort(kept), f"{POOL:,} of {rows:,} items"


Read = tuple[NDArray[np.float32], Names, NDArray[np.float32], Names, str]


def _texts(name: str, answer: Callable[[Any], list[str]]) -> Callable[[Path], Read]:
    """A reader of a text set; `answer` takes what people said from a training row."""

    def read(folder: Path) -> Read:
        train, test = (read_rows(folder, name, split) for split in ("train", "test"))
        kept, note = cut(len(train))
        pool = [train[int(row)] for row in kept]
        return (
            _minilm(f"{name}-pool", pool),
            [answer(row) for row in pool],
            _minilm(f"{name}-test", test),
            [_true(row) for row in test],
            note,
        )

    return read


def _true(row: Any) -> list[str]:
    return list(row["labels"]) if "labels" in row else [str(row["label"])]


def _noisy(row: Any) -> list[str]:
    return [str(row["noisy_label"])]


def _minilm(key: str, rows: Sequence[dict[str, object]]) -> NDArray[np.float32]:
    matrix = Matrix(cache_folder() / f"selection-{key}-minilm.f16", DIMENSIONS)
    if matrix.rows < len(rows):
        encoder = ENCODERS.create("minilm").fit([])
        for start in range(matrix.rows, len(rows), CHUNK):
            chunk = [str(row["text"]) for row in rows[start : start + CHUNK]]
            matrix.write(start, encoder.encode(chunk))
            print(f"encoded {min(start + CHUNK, len(rows)):,} of {len(rows):,} texts of {key}")
    return np.asarray(matrix.view()[: len(rows)], dtype=np.float32)


def _digits(folder: Path) -> Read:
    """Pictures by the principal components of their pixels, learnt from the pool."""
    kept = cache_folder() / "selection-mnist_12k-pca.npz"
    if not kept.exists():
        _encode_digits(folder / "mnist_12k" / "mnist_12k.npz", kept)
    with np.load(kept, allow_pickle=False) as found:
        pool, given, test, truth = (found[key] for key in ("pool", "given", "test", "truth"))
    return pool, [[str(x)] for x in given], test, [[str(x)] for x in truth], ""


def _encode_digits(source: Path, kept: Path) -> None:
    from PIL import Image

    def png(picture: NDArray[np.uint8]) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        return stream.getvalue()

    with np.load(source, allow_pickle=False) as data:
        image, label, split = data["image"], data["label"], data["split"]
    train, test = ([png(x) for x in image[split == part]] for part in ("train", "test"))
    encoder = ENCODERS.create("pixels-pca").fit(train)
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        kept,
        pool=encoder.encode(train),
        given=label[split == "train"],
        test=encoder.encode(test),
        truth=label[split == "test"],
    )


READERS: dict[str, Callable[[Path], Read]] = {
    "banking77": _texts("banking77", _true),
    "trec6": _texts("trec6", _true),
    "ag_news": _texts("ag_news", _true),
    "goemotions": _texts("goemotions", _true),
    "mnist_12k": _digits,
    "hausa_news_noisy": _texts("hausa_news_noisy", _noisy),
}
SETS = tuple(READERS)
