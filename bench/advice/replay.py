"""A replayed project, keeping what each student version said of every test item."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from learning.scores import entropies
from learning.selection import STRATEGIES
from learning.simulation import Loop, Replay, Schedule, simulate
from learning.students import STUDENTS
from learning.tasks.single import Single
from learning.types import Bools, Floats


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """labels: (v,) given when each version was trained; said: (v, t) columns; truth: (t,) columns;
    doubt: (v,) mean normalised entropy on the test items, 0 … 1."""

    labels: NDArray[np.int64]
    said: NDArray[np.int16]
    truth: NDArray[np.int16]
    doubt: NDArray[np.float64]

    @property
    def right(self) -> Bools:
        """(v, t)"""
        return np.asarray(self.said == self.truth, dtype=np.bool_)

    @property
    def whole(self) -> None:
        """Items are right or not."""
        return

    @property
    def kinds(self) -> int:
        """How many labels there are."""
        return int(self.truth.max()) + 1


@dataclass
class Recorder:
    """A task that writes down what the student says whenever it is tested."""

    task: Single = field(default_factory=Single)
    said: list[NDArray[np.int16]] = field(default_factory=list)
    doubt: list[float] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def correct(self, truth: Floats, predicted: Floats) -> Bools:
        self.said.append(predicted.argmax(axis=1).astype(np.int16))
        mean = float(entropies(predicted, multi_label=False).mean())
        self.doubt.append(mean / float(np.log(predicted.shape[1])))
        return self.task.correct(truth, predicted)


def replayed(replay: Replay, strategy: str, schedule: Schedule, seed: int) -> Replayed:
    """One seed of the loop with the head, from the cold start that a project has."""
    task = Recorder()
    cold = "random" if strategy == "random" else "representatives"
    loop = Loop(
        task=task,  # type: ignore[arg-type]  # it passes on what it does not record
        student=STUDENTS.create("head"),
        cold_start=STRATEGIES.create(cold),
        strategy=STRATEGIES.create(strategy),
    )
    points = list(simulate(replay, loop, schedule, np.random.default_rng(seed)))
    return Replayed(
        labels=np.array([point.labels for point in points]),
        said=np.stack(task.said),
        truth=replay.test_targets.argmax(axis=1).astype(np.int16),
        doubt=np.array(task.doubt),
    )
