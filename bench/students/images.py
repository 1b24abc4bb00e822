"""Students of images: the built-in network beside a head on the pixels' principal components.

python -m bench.students.images --sets digits --shots 8 --seeds 1    # measure a part, and print what is filed
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash
from bench.learning.vectors import datasets_folder
from bench.students import filed
from learning.types import TrainingData, no_report

SETS = ("mnist_12k", "digits", "fashion_mnist_900", "cifar10n_6k")
LARGE = ("mnist_12k", "cifar10n_6k")  # with 200 images of each label
SEEDS = range(10, 12)  # on seeds 0 and 1 rates, epochs and widths were chosen
CELLS = {
    "quick": [("digits", 8, SEEDS[:1]), ("fashion_mnist_900", 8, SEEDS[:1])],
    "full": [(name, shots, SEEDS) for shots in (8, 16, 50) for name in SETS]
    + [(name, 200, SEEDS[:1]) for name in LARGE],
}
TESTED = 1_000  # images to test on at most
# Each way, and the code that says what it learns.
WAYS = {
    "head": ("learning/encoders/pixels.py", "learning/students/regression.py"),
    "image-finetune": (
        "learning/students/small_network.py",
        "learning/students/image_finetune.py",
        "learning/students/training.py",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Images:
    """A set as PNG files. labels, test_labels: (n,), (t,) columns; vectors, test_vectors: of the built-in encoder,
    fitted on all images to learn from, with a label or without.
    """

    files: list[bytes]
    labels: NDArray[np.int64]
    test_files: list[bytes]
    test_labels: NDArray[np.int64]
    vectors: NDArray[np.float32]
    test_vectors: NDArray[np.float32]

    def lesson(self, shots: int, seed: int) -> TrainingData:
        """So many images of each label by chance, or all there are of it."""
        rng = np.random.default_rng([seed, shots])
        each = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        drawn = [rng.choice(of, min(shots, len(of)), replace=False) for of in each]
        rows = np.sort(np.concatenate(drawn))
        return TrainingData(
            targets=np.eye(len(each), dtype=np.float32)[self.labels[rows]],
            encodings=self.vectors[rows],
            images=[self.files[row] for row in rows],
        )


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, compare the network with the head."""
    return _compared(CELLS[grid])


def _compared(cells: Sequence[tuple[str, int, Sequence[int]]]) -> list[Figure]:
    print("\n| set | labels per class | seeds | " + " | ".join(WAYS) + " |")
    print("| --- " * (len(WAYS) + 3) + "|")
    gains = []
    for name, shots, seeds in cells:
        found = {way: [_cell(name, shots, seed, way) for seed in seeds] for way in WAYS}
        mean = {way: float(np.mean([one["accuracy"] for one in found[way]])) for way in WAYS}
        told = [
            f"{mean[way]:.3f} ({np.mean([one['seconds'] for one in found[way]]):.1f} s)"
            for way in WAYS
        ]
        print(f"| {name} | {shots} | {len(seeds)} | " + " | ".join(told) + " |", flush=True)
        gains.append(mean["image-finetune"] - mean["head"])
    value = round(100 * float(np.mean(gains)), 2)
    name = "students.image_finetune.minus_head"
    return [Figure(name=name, value=value, unit="points", op=">=", target=0.0)]


def _cell(name: str, shots: int, seed: int, way: str) -> dict[str, float]:
    code = code_hash(*WAYS[way])
    measure = partial(_measure, name, shots, seed, way)
    return filed.kept(f"images-{name}", shots, seed, code, measure, way=way)[way]


def _measure(name: str, shots: int, seed: int, way: str) -> dict[str, dict[str, float]]:
    """The accuracy on the test images, and the CPU seconds of the fit."""
    from learning.students import STUDENTS

    data, student = load(name), STUDENTS.create(way)
    lesson = data.lesson(shots, seed)
    began = time.process_time()
    fitted = student.fit(lesson, np.random.default_rng(seed), no_report)
    seconds = time.process_time() - began
    said = fitted.predict(data.test_vectors if way == "head" else data.test_files)
    right = float((said.argmax(axis=1) == data.test_labels).mean())
    return {way: {"accuracy": right, "seconds": round(seconds, 1)}}


@cache
def load(name: str) -> Images:
    """A set of images. Raises FileNotFoundError where DATASETS names no folder."""
    from learning.encoders import ENCODERS

    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    with np.load(folder / name / f"{name}.npz", allow_pickle=False) as found:
        pictures, labels, split = found["image"], found["label"], found["split"]
    if pictures.max() <= 16:  # digits has 17 shades
        pictures = (pictures.astype(np.float32) * (255 / 16)).astype(np.uint8)
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")[:TESTED]
    files, test_files = ([_png(pictures[row]) for row in rows] for rows in (train, test))
    encoder = ENCODERS.create("pixels-pca").fit(files)
    return Images(
        files=files,
        labels=labels[train].astype(np.int64),
        test_files=test_files,
        test_labels=labels[test].astype(np.int64),
        vectors=encoder.encode(files),
        test_vectors=encoder.encode(test_files),
    )


def _png(picture: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def main() -> None:
    """Measure a part of the grid, and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=SETS)
    parser.add_argument("--shots", nargs="*", type=int, default=[8, 16, 50])
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    asked = parser.parse_args()
    cells = [(name, shots, SEEDS[: asked.seeds]) for shots in asked.shots for name in asked.sets]
    for figure in _compared(cells):
        print(figure.line())


if __name__ == "__main__":
    main()
