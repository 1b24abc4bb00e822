"""Labels by the hundred, of which most have no example: the dual encoder's two losses, beside a head and
the names alone.

cranfield: a question about aerodynamics, and as labels the titles of 1,400 abstracts, about seven of
which were judged to answer it. A part of the questions is learnt from; the others ask mostly for titles
that none of these gave.

python -m bench.students.many --grid quick    # measure one draw, or print what is filed of it
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash
from bench.learning.vectors import datasets_folder, read_rows
from bench.students import filed
from bench.students.sets import encode
from learning.students import STUDENTS
from learning.types import TrainingData, no_report

NAME = "many-cranfield"
SEEDS = {"quick": range(10, 11), "full": range(10, 13)}  # nothing was chosen on any
LEARNT = 150  # questions; the other 75 are tested on
FOUND = (1, 5)  # of so many of the likeliest titles the share is told
CODE = (
    "learning/students/dual_encoder.py",
    "learning/students/side_by_side.py",
    "learning/students/top_k.py",
    "learning/students/comparisons.py",
    "learning/students/training.py",
)
WAYS = {
    "names alone": ("bench/students/many.py",),
    "head": ("learning/students/head.py", "learning/students/regression.py"),
    "dual-encoder, softmax": CODE,
    "dual-encoder, top-k": CODE,
}
TOLD = ("precision_1", "precision_5", "new_precision_5", "recall_20")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Questions, titles, and targets: (q, t) ones where a title was judged to answer a question."""

    questions: list[str]
    titles: list[str]
    targets: NDArray[np.float32]


def figures(grid: str) -> list[Figure]:
    """Measure every cell, print the table, compare the losses and the names alone."""
    print("\ncranfield, 1,400 titles\n\n| way | " + " | ".join(TOLD) + " | seconds |")
    print("| --- " * (len(TOLD) + 2) + "|")
    means = {}
    for way, code in WAYS.items():
        cells = [
            filed.kept(NAME, LEARNT, seed, code_hash(*code), partial(_measure, seed, way), way=way)
            for seed in SEEDS[grid]
        ]
        mean = {name: float(np.mean([cell[way][name] for cell in cells])) for name in TOLD}
        seconds = np.mean([cell[way]["seconds"] for cell in cells])
        print(f"| {way} | " + " | ".join(f"{mean[n]:.3f}" for n in TOLD) + f" | {seconds:.0f} |")
        means[way] = mean
    ours = means["dual-encoder, softmax"]["precision_5"]  # what it does where nobody chooses
    return [
        Figure(
            name=f"students.many.dual_minus_{beside.replace(' ', '_')}",
            value=round(100 * (ours - means[beside]["precision_5"]), 2),
            unit="points",
            op=">=",
            target=0.0,
        )
        for beside in ("names alone", "head")
    ]


def _measure(seed: int, way: str) -> dict[str, dict[str, float]]:
    data = judged()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(data.questions))
    learnt, tested = np.sort(order[:LEARNT]), np.sort(order[LEARNT:])
    began = time.process_time()
    scores = _said(data, learnt, tested, way, seed)
    seconds = time.process_time() - began
    known = data.targets[learnt].any(axis=0)
    return {way: {**precisions(data.targets[tested], scores, known), "seconds": round(seconds, 1)}}


def _said(
    data: Judged, learnt: NDArray[np.int64], tested: NDArray[np.int64], way: str, seed: int
) -> NDArray[np.float32]:
    """(m, t) how likely each title is for each question that is tested on."""
    questions = [data.questions[row] for row in tested]
    if way == "names alone":
        return encode(questions) @ encode(data.titles).T
    texts = [data.questions[row] for row in learnt]
    kind, _, loss = way.partition(", ")
    lesson = TrainingData(
        targets=data.targets[learnt],
        texts=texts,
        encodings=encode(texts) if kind == "head" else None,
        label_vectors=encode(data.titles) if kind == "head" else None,
        label_texts=tuple(data.titles),
        multi_label=True,
    )
    student = STUDENTS.create(kind, {"loss": loss} if loss else {})
    fitted = student.fit(lesson, np.random.default_rng(seed), no_report)
    said = fitted.predict(encode(questions) if student.needs == "encodings" else questions)
    return np.asarray(said, dtype=np.float32)


def precisions(
    truth: NDArray[np.float32], scores: NDArray[np.float32], known: NDArray[np.bool_]
) -> dict[str, float]:
    """Of the likeliest 1 and 5 labels the share that holds, the same of labels without an example alone
    (over items that have one), and how much of what holds is among the likeliest 20."""
    ranked = np.argsort(-scores, axis=1, kind="stable")
    right = np.take_along_axis(truth, ranked, axis=1)
    found = {f"precision_{k}": float(right[:, :k].mean()) for k in FOUND}
    new = truth[:, ~known]
    of_new = np.argsort(-scores[:, ~known], axis=1, kind="stable")[:, :5]
    asked = new.any(axis=1)
    found["new_precision_5"] = float(np.take_along_axis(new, of_new, axis=1)[asked].mean())
    held = truth.sum(axis=1)
    found["recall_20"] = float((right[:, :20].sum(axis=1)[held > 0] / held[held > 0]).mean())
    return found


@cache
def judged() -> Judged:
    """The set: every question, every title."""
    folder = datasets_folder()
    if folder is None:
        raise FileNotFoundError("DATASETS names no folder with data sets.")
    titles = {row["id"]: row["title"] for row in read_rows(folder, "cranfield", "docs")}
    questions = {row["id"]: row["text"] for row in read_rows(folder, "cranfield", "queries")}
    places = {name: place for place, name in enumerate(titles)}
    rows = {name: row for row, name in enumerate(questions)}
    targets = np.zeros((len(rows), len(places)), dtype=np.float32)
    for pair in read_rows(folder, "cranfield", "qrels"):
        if pair["label"] == 1:
            targets[rows[pair["query"]], places[pair["doc"]]] = 1
    return Judged(questions=list(questions.values()), titles=list(titles.values()), targets=targets)


def main() -> None:
    """Measure a grid, or print what is filed of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grid", choices=sorted(SEEDS), default="full")
    for figure in figures(parser.parse_args().grid):
        print(figure.line())


if __name__ == "__main__":
    main()
