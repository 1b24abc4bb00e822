"""What a head gains that begins with another project's answers about some of its labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, code_hash, gains, kept
from bench.learning.vectors import datasets_folder, read_rows
from bench.students.heads import CODE
from bench.students.sets import Texts, encode, load
from learning.students.head import Head
from learning.students.warm import Beginning, learnt, only
from learning.types import TrainingData, no_report

# (set, what the two projects share)
HALVES, FINE, WRONG = "half of the labels", "finer labels", "half, each matched to a wrong one"
CELLS = (("banking77", HALVES), ("trec6", HALVES), ("trec6", FINE), ("banking77", WRONG))
SHOTS = (1, 2, 4, 8)
SEEDS = range(20, 30)  # nothing was chosen on them
RICH = {"banking77": 20, "trec6": 64}  # answers that the other project has for each of its labels
WAYS = ("alone", "warm", "kept", "whole student")


@dataclass(frozen=True, kw_only=True)
class Task:
    """The other project's lesson, which of t labels each of its labels is, their columns here, the lesson
    here, and (n, d) vectors to test on with their columns.
    """

    theirs: TrainingData
    place: NDArray[np.int64]
    columns: NDArray[np.int64]
    lesson: TrainingData
    tested: NDArray[np.float32]
    truth: NDArray[np.int64]


def figures(_grid: str) -> list[Figure]:
    """Measure every cell, print the table, and tell what a warm start buys in the mean and at worst."""
    print("\n| set, in common | labels per class | " + " | ".join(WAYS) + " |")
    print("| --- " * (len(WAYS) + 2) + "|")
    bought = []
    for name, shared in CELLS:
        for shots in SHOTS:
            scores = [_filed(name, shared, shots, seed) for seed in SEEDS]
            mean = {way: np.mean([one[way] for one in scores], axis=0) for way in WAYS}
            told = " | ".join("{:.3f} ({:.3f}, {:.3f})".format(*mean[way]) for way in WAYS)
            print(f"| {name}, {shared} | {shots} | {told} |", flush=True)
            if shared != WRONG:
                bought.append(100 * (mean["kept"][0] - mean["alone"][0]))
    return gains("students.warm", bought, least=-1.0)


def _filed(name: str, shared: str, shots: int, seed: int) -> dict[str, list[float]]:
    code = code_hash(*CODE, "learning/students/warm.py", "bench/students/warm.py")
    place = f"students/warm/{name}-{shared.replace(' ', '-').replace(',', '')}-{shots}-{seed}"
    return kept(place, code, partial(_measure, name, shared, shots, seed))


def _measure(name: str, shared: str, shots: int, seed: int) -> dict[str, list[float]]:
    """Way -> accuracy on all tests, on those of labels taken over, and on the others (0 without any)."""
    task = (
        _fine(shots, seed) if shared == FINE else _halves(name, shots, seed, int(shared == WRONG))
    )
    rng = lambda: np.random.default_rng(seed)  # noqa: E731 - each way has the same chance
    part, names = only(task.theirs, task.place, len(task.columns)), task.lesson.label_vectors
    assert names is not None
    taken = learnt(part, names[task.columns], task.lesson.labels, rng())
    begun = Beginning(taken=taken, columns=task.columns).fit(Head(), task.lesson, rng())
    alone = Head().fit_one(task.lesson, rng(), no_report)
    heads = {"alone": alone, "warm": begun.head, "kept": alone if begun.is_refuted else begun.head}
    heads["whole student"] = heads["alone"]
    if shared != FINE:  # columns of a student that knew the labels left behind too
        whole = Head().fit_one(task.theirs, rng(), no_report)
        own = np.array([int(np.flatnonzero(task.place == t)[0]) for t in range(len(task.columns))])
        whole = replace(whole, weights=whole.weights[:, own], bias=whole.bias[own])
        plan = Beginning(taken=whole, columns=task.columns)
        heads["whole student"] = plan.fit(Head(), task.lesson, rng()).head
    met = np.isin(task.truth, task.columns)
    told = {}
    for way, head in heads.items():
        right = head.predict(task.tested).argmax(axis=1) == task.truth
        told[way] = [float(right.mean()), _mean(right[met]), _mean(right[~met])]
    return told


def _mean(right: NDArray[np.bool_]) -> float:
    return float(right.mean()) if len(right) else 0.0


def _halves(name: str, shots: int, seed: int, shift: int) -> Task:
    """Two projects with two thirds of the labels each, a third in common, and no text in common; each of
    those matched to the one so many places on."""
    data, rng = load(name, "quick"), np.random.default_rng([seed, 19])
    drawn, third = rng.permutation(len(data.names)), len(data.names) // 3
    theirs, ours = np.sort(drawn[: 2 * third]), np.sort(drawn[third:])
    both = np.intersect1d(theirs, ours)
    halves = np.array_split(rng.permutation(len(data.texts)), 2)
    place = np.where(np.isin(theirs, both), np.searchsorted(both, theirs), -1)
    columns = np.searchsorted(ours, both)
    truth = data.test_targets.argmax(axis=1)
    tested = np.isin(truth, ours)
    return Task(
        theirs=_lesson(data, halves[0], theirs, RICH[name]),
        place=place,
        columns=np.roll(columns, shift),
        lesson=_lesson(data, halves[1], ours, shots),
        tested=encode(data.test_texts)[tested],
        truth=np.searchsorted(ours, truth[tested]),
    )


def _lesson(
    data: Texts, among: NDArray[np.int64], labels: NDArray[np.int64], each: int
) -> TrainingData:
    """The first so many rows of each of these labels."""
    given = data.targets.argmax(axis=1)[among]
    rows = np.concatenate([among[given == label][:each] for label in labels])
    return TrainingData(
        targets=data.targets[np.ix_(rows, labels)],
        encodings=encode(data.texts)[rows],
        label_vectors=data.label_vectors[labels],
    )


def _fine(shots: int, seed: int) -> Task:
    """The other project sorts the same kind of questions into fifty labels, each a part of one here."""
    data, rng = load("trec6", "quick"), np.random.default_rng([seed, 19])
    folder = datasets_folder()
    assert folder is not None
    fine = [str(row["meta"]["fine"]) for row in read_rows(folder, "trec6", "train")]  # type: ignore[index]
    names = sorted(set(fine))
    coarse = sorted({one.partition(":")[0] for one in names})
    column = np.array([names.index(one) for one in fine])
    halves = np.array_split(rng.permutation(len(fine)), 2)
    rows = np.concatenate(
        [halves[0][column[halves[0]] == label][:8] for label in range(len(names))]
    )
    everything = np.arange(len(coarse))
    return Task(
        theirs=TrainingData(
            targets=np.eye(len(names), dtype=np.float32)[column[rows]],
            encodings=encode(data.texts)[rows],
        ),
        place=np.array([coarse.index(one.partition(":")[0]) for one in names]),
        columns=everything,
        lesson=_lesson(data, halves[1], everything, shots),
        tested=encode(data.test_texts),
        truth=data.test_targets.argmax(axis=1),
    )
