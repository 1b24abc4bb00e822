"""Replay a labelled data set through select -> label -> train and draw the curve."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from learning.errors import NotEnoughDataError, ParameterError
from learning.selection import Strategy
from learning.students import Fitted, Student
from learning.tasks import Columns, Task
from learning.types import Bools, Floats, Pool, Report, TrainingData, no_report, require


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A data set whose labels are known, in two parts.

    encodings, test_encodings: (n, d) and (t, d); targets, test_targets: (n, k) and (t, k).
    texts, test_texts: for students that learn from texts.
    """

    encodings: Floats
    targets: Floats
    test_encodings: Floats
    test_targets: Floats
    label_names: tuple[str, ...]
    texts: list[str] | None = None
    test_texts: list[str] | None = None

    def __post_init__(self) -> None:
        require(len(self.encodings) == len(self.targets), "Encodings and targets differ.")
        require(len(self.test_encodings) == len(self.test_targets), "The test part differs.")
        require(
            self.targets.shape[1] == self.test_targets.shape[1] == len(self.label_names),
            "There must be one label name for each column.",
        )
        if not len(self.targets) or not len(self.test_targets):
            raise NotEnoughDataError("A replay needs items to label and items to test on.")


def replay_of(
    encodings: Floats,
    answers: Sequence[Sequence[str]],
    held_out: Bools,
    texts: Sequence[str] | None = None,
) -> Replay:
    """A labelled file as a Replay: label names become columns in alphabetical order.

    encodings: (n, d); answers: the label names of each item; held_out: (n,) bool, the test part.
    """
    require(
        len(encodings) == len(answers) == len(held_out),
        "Each item needs one encoding, one answer and one part.",
    )
    names = tuple(sorted({name for answer in answers for name in answer}))
    columns = Columns(label_ids=tuple(range(len(names))))
    place = {name: column for column, name in enumerate(names)}
    targets = columns.hot([[place[name] for name in answer] for answer in answers])
    pool, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return Replay(
        encodings=encodings[pool],
        targets=targets[pool],
        test_encodings=encodings[test],
        test_targets=targets[test],
        label_names=names,
        texts=None if texts is None else [texts[int(row)] for row in pool],
        test_texts=None if texts is None else [texts[int(row)] for row in test],
    )


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many labels when: `start` from the cold start, then `batch` a round, up to `budget`."""

    start: int
    batch: int
    budget: int

    def __post_init__(self) -> None:
        if not 1 <= self.start <= self.budget or self.batch < 1:
            raise ParameterError("A schedule needs 1 <= start <= budget and a batch above 0.")


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """One point of the curve.

    labels: how many were given; accuracy: share of the test part predicted exactly right, 0 … 1;
    metrics: the task's metrics on the test part; seconds: selecting and training of this round.
    """

    labels: int
    accuracy: float
    metrics: dict[str, float]
    seconds: float
    strategy: str


@dataclass(frozen=True, kw_only=True)
class Loop:
    """The parts of a replayed loop. `names` are what curve points call the two strategies."""

    task: Task
    student: Student
    cold_start: Strategy
    strategy: Strategy
    names: tuple[str, str] = ("cold start", "strategy")


def simulate(
    replay: Replay,
    loop: Loop,
    schedule: Schedule,
    rng: np.random.Generator,
    report: Report = no_report,
) -> Iterator[CurvePoint]:
    """Yield one point after each round of labels, until budget or pool is used up.

    The same generator state gives the same curve (but for seconds). A student that warm-starts
    begins each round from the last.
    """
    labelled = np.zeros(len(replay.targets), dtype=np.bool_)
    fitted: Fitted | None = None
    end = min(schedule.budget, len(labelled))
    while (have := int(labelled.sum())) < end:
        began = time.perf_counter()
        want = min(schedule.start if have == 0 else schedule.batch, end - have)
        pool = _pool(replay, loop, labelled, fitted)
        chooser = loop.cold_start if fitted is None else loop.strategy
        labelled[chooser.select(pool, want, rng).rows] = True
        data = _labelled(replay, labelled, multi_label=loop.task.multi_label)
        fitted = loop.student.fit(data, rng, no_report, fitted)
        seconds = time.perf_counter() - began
        predicted = fitted.predict(_items(loop, replay.test_encodings, replay.test_texts))
        yield CurvePoint(
            labels=int(labelled.sum()),
            accuracy=float(loop.task.correct(replay.test_targets, predicted).mean()),
            metrics=loop.task.metrics(replay.test_targets, predicted),
            seconds=seconds,
            strategy=loop.names[0 if have == 0 else 1],
        )
        report(int(labelled.sum()), end)


def _pool(replay: Replay, loop: Loop, labelled: Bools, fitted: Fitted | None) -> Pool:
    probabilities = None
    if fitted is not None:
        probabilities = fitted.predict(_items(loop, replay.encodings, replay.texts))
    return Pool(
        eligible=np.ones(len(labelled), dtype=np.bool_),
        labelled=labelled,
        probabilities=probabilities,
        encodings=replay.encodings,
        label_names=replay.label_names,
        multi_label=loop.task.multi_label,
    )


def _labelled(replay: Replay, labelled: Bools, *, multi_label: bool) -> TrainingData:
    rows = np.flatnonzero(labelled)
    return TrainingData(
        targets=replay.targets[rows],
        encodings=replay.encodings[rows],
        texts=None if replay.texts is None else [replay.texts[row] for row in rows],
        multi_label=multi_label,
    )


def _items(loop: Loop, encodings: Floats, texts: list[str] | None) -> Any:
    if loop.student.needs == "encodings":
        return encodings
    if texts is None:
        raise NotEnoughDataError("This student learns from texts; the replay has none.")
    return texts
