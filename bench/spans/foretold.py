"""What more marked texts would bring, foretold from 120 drawn ones, against what came."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.advice.backtest import TARGETS, Outcome, outcomes
from bench.figures import Figure
from bench.spans.curves import known, replay_of
from bench.spans.sets import Texts
from learning.replayed import Beat
from learning.simulation import Schedule
from learning.spans import Value, spans_of
from learning.spans.scores import counts
from learning.taggers import FittedTagger
from learning.taggers.replay import KnownTexts

ROUND, LAST = 50, 1_050
DRAWS = 6  # audit samples per replay
FORESEEN_AT = 300


@dataclass(frozen=True, kw_only=True)
class Marking:
    """labels: (v,) texts that each version learned from; right, whole: (v, t) of the test texts, whose
    sums make the F1 of spans; kinds: how many labels there are."""

    labels: NDArray[np.int64]
    right: NDArray[np.float64]
    whole: NDArray[np.float64]
    kinds: int


@dataclass(frozen=True, kw_only=True)
class Tested(KnownTexts):
    """Texts that keep what every version found of each."""

    found: list[NDArray[np.int64]] = field(default_factory=list)

    def told(self, fitted: FittedTagger, beat: Beat) -> list[Value]:
        """What it marks; `found` gets (t, 3) of `counts`."""
        told = super().told(fitted, beat)
        self.found.append(counts(list(map(spans_of, self.values)), list(map(spans_of, told))))
        return told


def replayed(train: Texts, test: Texts, strategy: str, seed: int) -> Marking:
    """Versions every ROUND texts, from ROUND texts drawn at random on."""
    tested = Tested(**vars(known(test)))
    schedule = Schedule(start=ROUND, batch=ROUND, budget=LAST)
    points = list(replay_of(train, tested, strategy, schedule, seed))
    table = np.stack(tested.found).astype(np.float64)  # (v, t, 3)
    return Marking(
        labels=np.array([point.labels for point in points]),
        right=2 * table[..., 0],
        whole=table[..., 1] + table[..., 2],
        kinds=len(train.labels),
    )


def checks(run: Marking, seed: int) -> Iterator[Outcome]:
    """What was foretold at several numbers of texts, on several samples, and what came."""
    for draw in range(DRAWS):
        yield from outcomes(run, np.random.default_rng([seed, draw]))


def figures(name: str, train: Texts, test: Texts, seeds: int) -> list[Figure]:
    """How often what came lay in the interval: of F1 as foretold at FORESEEN_AT texts with its median width,
    and of the gain by the next hundred with its mean error."""
    found = [
        outcome
        for seed in range(seeds)
        for strategy in ("random", "mixed")
        for outcome in checks(replayed(train, test, strategy, seed), seed)
    ]
    told = []
    for target in TARGETS:
        there = [each for each in found if each.at == FORESEEN_AT and target in each.forecasts]
        held = float(np.mean([each.forecast_holds(target) for each in there]))
        width = float(np.median([each.forecasts[target].width for each in there]))
        told += [
            _figure(f"{name} F1 at {target} held", held, op=">=", target=88),
            _figure(f"{name} F1 at {target} width", width, op="<=", target=25),
        ]
    held = float(np.mean([each.advice.low <= each.gain <= each.advice.high for each in found]))
    bias = float(np.mean([each.advice.gain - each.gain for each in found]))
    return [
        *told,
        _figure(f"{name} gain held", held, op=">=", target=90),
        _figure(f"{name} gain bias", abs(bias), op="<=", target=1),
    ]


def _figure(name: str, share: float, op: Literal["<=", ">="], target: float) -> Figure:
    return Figure(name=f"spans {name}", value=round(100 * share, 1), unit="%", op=op, target=target)
