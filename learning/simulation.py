"""Replay a labelled data set through select -> label -> train and draw the curve."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError, ParameterError
from learning.replayed import Beat
from learning.selection import Strategy
from learning.students import Fitted
from learning.tasks import Columns, Task
from learning.types import (
    BLOCK_ROWS,
    Bools,
    Floats,
    Pool,
    Report,
    Selection,
    TrainingData,
    no_report,
    require,
    row_blocks,
)

TEXTS_AT_ONCE = 256  # predicted between two reports by a student that reads texts


class Desk(Protocol):
    """What of a replayed data set is labelled so far, and what a student makes of it.

    `beat` is called now and then; what it raises passes through.
    """

    @property
    def labelled(self) -> Bools:
        """(n,) of the pool."""
        ...

    @property
    def labels(self) -> int:
        """How many answers were given."""
        ...

    def answer(self, chosen: Selection) -> None:
        """Look the chosen items' answers up."""
        ...

    def pool(self, fitted: Any, beat: Beat) -> Pool:
        """What a strategy may see, with the word of a student, or None before there is one."""
        ...

    def lesson(self) -> Any:
        """What the student learns from."""
        ...

    def figures(self, fitted: Any, beat: Beat) -> dict[str, Any]:
        """accuracy, score and metrics on the test part, as `CurvePoint` has them."""
        ...


class Replayed(Protocol):
    """A data set whose answers are known, in two parts: `Replay`, or `learning.replayed.ValueReplay`."""

    @property
    def sizes(self) -> tuple[int, int]:
        """How many items there are to label, and to test on."""
        ...

    def desk(self, task: Task, student: Any) -> Desk:
        """None of the pool is labelled."""
        ...


class Learner(Protocol):
    """A student of any kind: of labels, a tagger, a ranker."""

    def fit(
        self,
        data: Any,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A data set whose labels are known, in two parts.

    encodings, test_encodings: (n, d) and (t, d); targets, test_targets: (n, k) and (t, k).
    texts, test_texts: for students that learn from texts.
    label_vectors: (k, d) what the labels are called, for students that learn from that too.
    paired, sided: whether encodings are those of two texts side by side, and whether columns 0 and 1 say which is
        better, see `TrainingData`.
    """

    encodings: Floats
    targets: Floats
    test_encodings: Floats
    test_targets: Floats
    label_names: tuple[str, ...]
    texts: list[str] | None = None
    test_texts: list[str] | None = None
    label_vectors: Floats | None = None
    paired: bool = False
    sided: bool = False

    def __post_init__(self) -> None:
        require(len(self.encodings) == len(self.targets), "Encodings and targets differ.")
        require(len(self.test_encodings) == len(self.test_targets), "The test part differs.")
        require(
            self.targets.shape[1] == self.test_targets.shape[1] == len(self.label_names),
            "There must be one label name for each column.",
        )
        if not len(self.targets) or not len(self.test_targets):
            raise NotEnoughDataError("A replay needs items to label and items to test on.")
        require(
            self.label_vectors is None or len(self.label_vectors) == len(self.label_names),
            "There must be one label vector for each column.",
        )

    @property
    def sizes(self) -> tuple[int, int]:
        """How many items there are to label, and to test on."""
        return len(self.targets), len(self.test_targets)

    def desk(self, task: Task, student: Any) -> "_Desk":
        """None of the pool is labelled."""
        return _Desk(self, task, student)


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

    labels: how many answers were given; accuracy: share of the test part predicted exactly right,
    0 … 1; score: the task's headline metric on the test part, 1 is best (single label: the accuracy);
    metrics: all of the task's metrics; strategy: the name of who chose this round's items;
    pick_seconds, train_seconds: wall-clock time of choosing this round's items, with a student's
        predictions at hand, and of training on all that is labelled; seconds: everything that came
        before this point but the test.
    """

    labels: int
    accuracy: float
    score: float
    metrics: dict[str, float]
    seconds: float
    pick_seconds: float
    train_seconds: float
    strategy: str


@dataclass(frozen=True, kw_only=True)
class Loop:
    """The parts of a replayed loop. `names` are what curve points call the two strategies."""

    task: Task
    student: Learner
    cold_start: Strategy
    strategy: Strategy
    names: tuple[str, str] = ("cold start", "strategy")


def simulate(
    replay: Replayed,
    loop: Loop,
    schedule: Schedule,
    rng: np.random.Generator,
    report: Report = no_report,
) -> Iterator[CurvePoint]:
    """Yield one point after each round of labels, until budget or pool is used up.

    The same generator state gives the same curve (but for seconds); since the cold start draws
    first, two strategies that are given equal generators begin from the same labels and the same
    student, so that their curves are a pair. A student that warm-starts begins each round from the
    last. Where a pick asks about one label only, only that label of the item becomes known, and it
    counts as one answer.

    report: called with (labels, end) several times in each round; what it raises ends the replay.
    Raises NotEnoughDataError when a strategy chooses nothing although items are left.
    """
    desk = replay.desk(loop.task, loop.student)
    fitted: Any = None
    end = min(schedule.budget, len(desk.labelled))
    while (have := desk.labels) < end:

        def beat(_done: int = 0, _total: int = 0, have: int = have) -> None:
            report(have, end)

        want = min(schedule.start if have == 0 else schedule.batch, end - have)
        began = time.perf_counter()
        pool = desk.pool(fitted, beat)
        shown = time.perf_counter()
        desk.answer(_chosen(loop, pool, want, rng))
        picked = time.perf_counter()
        beat()
        trains = time.perf_counter()
        fitted = loop.student.fit(desk.lesson(), rng, beat, fitted)
        trained = time.perf_counter()
        yield CurvePoint(
            labels=desk.labels,
            seconds=trained - began,
            pick_seconds=picked - shown,
            train_seconds=trained - trains,
            strategy=loop.names[0 if have == 0 else 1],
            **desk.figures(fitted, beat),
        )
        report(desk.labels, end)


def full_figures(
    replay: Replayed, loop: Loop, rng: np.random.Generator, report: Report = no_report
) -> dict[str, Any]:
    """accuracy, score and metrics (as a CurvePoint has them) of a student that learnt everything.

    What a curve can reach at best with this student; `report` as in `simulate`, with (0, 1).
    """

    def beat(_done: int = 0, _total: int = 0) -> None:
        report(0, 1)

    desk = replay.desk(loop.task, loop.student)
    desk.labelled[:] = True
    fitted = loop.student.fit(desk.lesson(), rng, beat, None)
    figures = desk.figures(fitted, beat)
    report(1, 1)
    return figures


class _Desk:
    """What is labelled so far, and what of it is known."""

    def __init__(self, replay: Replay, task: Task, student: Any) -> None:
        self.replay, self.task, self.needs = replay, task, student.needs
        self.multi_label, self.ordered, self.parts = task.multi_label, task.ordered, task.parts
        self.labelled = np.zeros(len(replay.targets), dtype=np.bool_)
        # (n, k) where answers are forms, or once a pick has asked about one label only
        self.known: Bools | None = None
        if self.parts:
            columns = Columns(label_ids=tuple(range(len(replay.label_names))))
            self.known = task.known(replay.targets, columns)

    @property
    def labels(self) -> int:
        """How many answers were given."""
        return int(self.labelled.sum())

    def answer(self, chosen: Selection) -> None:
        """Look the chosen items' answers up."""
        self.labelled[chosen.rows] = True
        if chosen.questions is None or not bool((chosen.questions >= 0).any()):
            return
        if self.known is None:
            self.known = np.ones(self.replay.targets.shape, dtype=np.bool_)
        asked = chosen.questions >= 0
        self.known[chosen.rows[asked]] = False
        self.known[chosen.rows[asked], chosen.questions[asked]] = True

    def pool(self, fitted: Fitted | None, beat: Beat) -> Pool:
        """What the strategy may see: of the answers only those that were given."""
        probabilities = None
        if fitted is not None:
            items = self._items(self.replay.encodings, self.replay.texts)
            probabilities = _in_blocks(fitted, items, beat)
        return Pool(
            eligible=np.ones(len(self.labelled), dtype=np.bool_),
            labelled=self.labelled,
            probabilities=probabilities,
            encodings=self.replay.encodings,
            label_names=self.replay.label_names,
            multi_label=self.multi_label,
            answers=self._answers(np.flatnonzero(self.labelled)).astype(np.float32, copy=False),
            parts=self.parts,
        )

    def lesson(self) -> TrainingData:
        """The answers that were given, with what is known of each."""
        rows, replay = np.flatnonzero(self.labelled), self.replay
        return TrainingData(
            targets=self._answers(rows),
            encodings=replay.encodings[rows],
            texts=None if replay.texts is None else [replay.texts[row] for row in rows],
            known=None if self.known is None else self.known[rows],
            multi_label=self.multi_label,
            label_vectors=replay.label_vectors,
            ordered=self.ordered,
            parts=self.parts,
            paired=replay.paired,
            sided=replay.sided,
        )

    def figures(self, fitted: Fitted, beat: Beat) -> dict[str, Any]:
        """accuracy, score and metrics on the test part."""
        items = self._items(self.replay.test_encodings, self.replay.test_texts)
        predicted = _in_blocks(fitted, items, beat)
        metrics = self.task.metrics(self.replay.test_targets, predicted)
        return {
            "accuracy": float(self.task.correct(self.replay.test_targets, predicted).mean()),
            "score": float(metrics[self.task.headline]),
            "metrics": metrics,
        }

    def _items(self, encodings: Floats, texts: list[str] | None) -> Any:
        if self.needs == "encodings":
            return encodings
        if texts is None:
            raise NotEnoughDataError("This student learns from texts; the replay has none.")
        return texts

    def _answers(self, rows: NDArray[np.int64]) -> Floats:
        targets: Floats = self.replay.targets[rows]
        return targets if self.known is None else np.where(self.known[rows], targets, 0)


def _chosen(loop: Loop, pool: Pool, want: int, rng: np.random.Generator) -> Selection:
    first = not pool.labelled.any()
    chosen = (loop.cold_start if first else loop.strategy).select(pool, want, rng)
    if len(chosen.rows) == 0:
        raise NotEnoughDataError(
            f"“{loop.names[0 if first else 1]}” chose nothing, although "
            f"{len(pool.candidates()):,} items are left."
        )
    return chosen


def _in_blocks(fitted: Fitted, items: Any, beat: Beat) -> Floats:
    """(n, k) probabilities, with a report between two blocks."""
    size = BLOCK_ROWS if isinstance(items, np.ndarray) else TEXTS_AT_ONCE
    parts = []
    for block in row_blocks(len(items), size):
        beat()
        parts.append(fitted.predict(items[block]))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
