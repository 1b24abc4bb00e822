"""Which encoder suits these labels: a head learns from few items of each, again and again.

Every encoder meets the same draws, so that two are compared by the differences within a draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.comparison import Mean, mean_of
from learning.errors import NotEnoughDataError
from learning.students.head import Head
from learning.tasks import Task
from learning.types import Floats, Ints, Report, TrainingData, no_report, require

# So many items are tested on in each draw, at most; more narrow no interval of ten draws.
MOST_TESTED = 5_000
FEWEST_TESTED = 20


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Row numbers to learn from and to be tested on; nothing of one content is in both."""

    learn: NDArray[np.int64]
    test: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Draw so many items of each label, learn a head, test it on the rest; repeat.
    Source: Enevoldsen et al. 2025 (MMTEB), its classification task.
    """

    per_label: int = 8
    draws: int = 10

    def draw(self, targets: Floats, groups: Ints, rng: np.random.Generator) -> list[Draw]:
        """The draws of (n, k) targets; rows of one of the (n,) groups are never parted.

        A label with fewer than twice `per_label` groups gives half of them. Raises
        NotEnoughDataError where fewer than two labels have two groups, or nothing is left to test.
        """
        require(len(groups) == len(targets), "Each row needs one group.")
        held = np.asarray(targets) >= 0.5
        found = [np.unique(groups[held[:, column]]) for column in range(held.shape[1])]
        found = [each for each in found if len(each) > 1]
        if len(found) < 2:
            raise NotEnoughDataError("A comparison needs two labels with two different items each.")
        return [self._one(found, groups, rng) for _ in range(self.draws)]

    def _one(self, by_label: Sequence[Ints], groups: Ints, rng: np.random.Generator) -> Draw:
        chosen: set[int] = set()
        for each in by_label:
            count = min(self.per_label, len(each) // 2)
            chosen.update(rng.choice(each, count, replace=False).tolist())
        inside = np.isin(groups, list(chosen))
        test = np.flatnonzero(~inside)
        if len(test) < FEWEST_TESTED:
            raise NotEnoughDataError(
                f"{len(test)} items are left to test on; {FEWEST_TESTED} are needed. Label more."
            )
        if len(test) > MOST_TESTED:
            test = np.sort(rng.choice(test, MOST_TESTED, replace=False))
        return Draw(learn=np.flatnonzero(inside), test=test)

    def score(
        self,
        data: TrainingData,
        task: Task,
        draws: Sequence[Draw],
        rng: np.random.Generator,
        report: Report = no_report,
    ) -> list[float]:
        """The task's headline figure, 0 … 1, of each draw, for the encodings in `data`."""
        head, scores = Head(), []
        for done, draw in enumerate(draws):
            report(done, len(draws))
            fitted = head.fit(data.subset(draw.learn), rng, lambda _done, _total: None)
            head = head.settle(fitted)  # the first draw chooses the strength
            asked = np.asarray(data.encodings)[draw.test]
            figures = task.metrics(data.targets[draw.test], fitted.predict(asked))
            scores.append(float(figures[task.headline]))
        report(len(draws), len(draws))
        return scores


@dataclass(frozen=True, kw_only=True)
class Place:
    """One encoder in the ranking: its mean score, and what the best has over it, draw by draw."""

    name: str
    score: Mean
    behind: Mean

    @property
    def clearly_behind(self) -> bool:
        """Whether the best is better by more than the luck of the draws."""
        return self.behind.clear and self.behind.value > 0


def ranked(scores: dict[str, list[float]]) -> list[Place]:
    """Encoders by their scores on the same draws, best first."""
    means = {name: mean_of(values) for name, values in scores.items()}
    order = sorted(means, key=lambda name: -means[name].value)
    best = np.asarray(scores[order[0]])
    return [
        Place(
            name=name, score=means[name], behind=mean_of((best - np.asarray(scores[name])).tolist())
        )
        for name in order
    ]
