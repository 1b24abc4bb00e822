"""The text sets of this bench: what is learnt from, what is tested on, and how labels are called.

Only texts that are used are encoded; vectors are kept in the cache folder by what they were made of.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.learning.vectors import cache_folder, datasets_folder, read_rows
from learning.encoders import ENCODERS
from learning.tasks import TASKS
from learning.teachers.names import told
from learning.teachers.types import LabelText
from learning.teachers.zero_shot import label_vectors
from learning.types import TrainingData

SETS = ("banking77", "trec6", "ag_news", "goemotions", "sib200_a")
TESTS = {"quick": 1_000, "full": 10_000}  # texts to test on at most
TRAIN = 10_003  # texts to learn from at most: all of banking77
POOL = 2_000  # unlabelled texts beside which label vectors are made
# What is no word in the files.
CALLED = {
    "trec6": {
        "ABBR": "abbreviation",
        "DESC": "description",
        "ENTY": "entity",
        "HUM": "human being",
        "LOC": "location",
        "NUM": "number",
    }
}


@dataclass(frozen=True, kw_only=True)
class Texts:
    """A set. targets: (n, k), test_targets: (t, k); names: what labels are called."""

    name: str
    texts: list[str]
    targets: NDArray[np.float32]
    test_texts: list[str]
    test_targets: NDArray[np.float32]
    names: tuple[str, ...]
    multi_label: bool

    def draw(self, per_label: int, seed: int) -> NDArray[np.int64]:
        """Rows by chance, so many of each label; 0 means all."""
        rng = np.random.default_rng([seed, per_label])
        if not per_label:
            return np.arange(len(self.texts))
        drawn: set[int] = set()
        for column in self.targets.T:
            holds = np.flatnonzero(column)
            drawn |= set(rng.choice(holds, min(per_label, len(holds)), replace=False).tolist())
        return np.array(sorted(drawn), dtype=np.int64)

    def lesson(self, rows: NDArray[np.int64], *, vectors: bool = True) -> TrainingData:
        """What a student learns from."""
        texts = [self.texts[row] for row in rows]
        return TrainingData(
            targets=self.targets[rows],
            texts=texts,
            encodings=encode(texts) if vectors else None,
            label_vectors=self.label_vectors if vectors else None,
            label_texts=tuple(told(name) for name in self.names),
            multi_label=self.multi_label,
        )

    @property
    def label_vectors(self) -> NDArray[np.float32]:
        """(k, d) names moved towards the texts that look like them, as the product makes them."""
        return _label_vectors(self.names, tuple(self.texts[:POOL]))

    @property
    def told(self) -> tuple[str, ...]:
        """The figures that tell how good predictions are; the first one decides."""
        return ("mean_precision", "micro_f1", "macro_f1") if self.multi_label else ("accuracy",)

    def scores(self, predicted: NDArray[np.float32]) -> dict[str, float]:
        """Figure -> value. mean_precision: of each label that occurs the average precision of its ranking."""
        task = TASKS.create("multi" if self.multi_label else "single")
        found = task.metrics(self.test_targets, predicted)
        if self.multi_label:
            found["mean_precision"] = mean_precision(self.test_targets, predicted)
        return {name: float(found[name]) for name in self.told}


def mean_precision(truth: NDArray[np.float32], predicted: NDArray[np.float32]) -> float:
    """(t, k) ones and zeros, and what was predicted: the precision at the place of each item with the label,
    ranked by what was predicted, averaged over these and then over labels that occur."""
    found = []
    for holds, said in zip(truth.T >= 0.5, predicted.T, strict=True):
        if holds.any():
            right = holds[np.argsort(-said, kind="stable")]
            places = np.flatnonzero(right) + 1
            found.append(float((np.arange(1, len(places) + 1) / places).mean()))
    return float(np.mean(found))


@cache
def load(name: str, grid: str) -> Texts:
    """The set, cut to what a grid tests on, always to the same texts."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    train = _some(read_rows(folder, name, "train"), TRAIN)
    test = _some(read_rows(folder, name, "test"), TESTS[grid])
    answers = [_answer(row) for row in train]
    labels = sorted({label for answer in answers for label in answer})
    return Texts(
        name=name,
        texts=[str(row["text"]) for row in train],
        targets=_hot(answers, labels),
        test_texts=[str(row["text"]) for row in test],
        test_targets=_hot([_answer(row) for row in test], labels),
        names=tuple(CALLED.get(name, {}).get(label, label) for label in labels),
        multi_label=any(len(answer) != 1 for answer in answers),
    )


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, 384) MiniLM vectors, made once for each list of texts."""
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:24]
    kept = cache_folder() / f"students-{digest}.npy"
    if kept.exists():
        found: NDArray[np.float32] = np.load(kept, allow_pickle=False)
        return found
    made = _encoder().encode(list(texts))
    kept.parent.mkdir(parents=True, exist_ok=True)
    np.save(kept, made)
    return made


@cache
def _encoder() -> Any:
    return ENCODERS.create("minilm").fit([])


@cache
def _label_vectors(names: tuple[str, ...], pool: tuple[str, ...]) -> NDArray[np.float32]:
    labels = [LabelText(id=column, name=name) for column, name in enumerate(names)]
    return label_vectors(labels, _encoder(), encode(pool))


def _some(rows: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    if len(rows) <= most:
        return rows
    kept = np.random.default_rng(77).choice(len(rows), size=most, replace=False)
    return [rows[row] for row in np.sort(kept)]


def _answer(row: dict[str, Any]) -> list[str]:
    return list(row["labels"]) if "labels" in row else [str(row["label"])]


def _hot(answers: Sequence[Sequence[str]], labels: Sequence[str]) -> NDArray[np.float32]:
    place = {label: column for column, label in enumerate(labels)}
    table = np.zeros((len(answers), len(labels)), dtype=np.float32)
    for row, answer in enumerate(answers):
        table[row, [place[label] for label in answer if label in place]] = 1
    return table
