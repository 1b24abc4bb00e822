"""Compare replayed curves: means over seeds, paired differences, and what to recommend.

A run is one strategy under one seed. Runs of equal seeds began from the same labels, so that
strategies are compared by the differences within a seed, in which the luck of the start cancels.
Every interval is Student's t at the stated confidence over seeds, of scores on the scale of angles so
that it stays where scores can be: it tells what the draw of starts and ties does to a figure,
not what another test part or another data set would.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from learning.errors import NotEnoughDataError
from learning.types import require

CONFIDENCE = 0.95
SHARES = (0.9, 0.95)
_ANGLES = 20_001


@dataclass(frozen=True, kw_only=True)
class Run:
    """One curve: `scores` (1 is best) at ascending counts of `labels`.

    pick_seconds: mean seconds of choosing one batch; None when nothing was chosen by the strategy.
    """

    strategy: str
    seed: int
    labels: Sequence[int]
    scores: Sequence[float]
    pick_seconds: float | None = None

    def __post_init__(self) -> None:
        require(0 < len(self.labels) == len(self.scores), "A curve needs one score for each count.")
        require(
            all(a < b for a, b in zip(self.labels, self.labels[1:], strict=False)),
            "Counts of labels must ascend.",
        )


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean over `count` seeds; its interval is None while there is one seed only."""

    value: float
    low: float | None
    high: float | None
    count: int

    @property
    def clear(self) -> bool:
        """Whether the interval is there and leaves 0 out."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one strategy did.

    labels: (p,) counts; curve: the mean score at each, with its band.
    area: mean height of the curve over the range that all runs share.
    labels_to: share of the full score -> labels at which the mean curve first reaches it, or None
        when it never does; empty while the full score is not known.
    difference: area minus the reference's, paired by seed; None for the reference itself and
        where the two have no seed in common.
    """

    strategy: str
    seeds: tuple[int, ...]
    labels: tuple[int, ...]
    curve: tuple[Mean, ...]
    area: Mean
    labels_to: dict[float, float | None]
    pick_seconds: float | None
    difference: Mean | None

    def from_the_start(self, share: float) -> bool:
        """Whether the curve begins at that share of the full score or above, so that fewer labels may do."""
        return self.labels_to.get(share) == self.labels[0]


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Which strategy to use.

    strategy: the one to use; best: the one with the highest mean area.
    against: what `best` was compared with: the current one, or the simplest when the current one
        was not replayed; the runner-up when the current one is best; None when there is nothing.
    difference: area of `best` minus that of `against`, paired by seed.
    clear: `best` is better than `against` by more than the luck of the seeds.
    """

    strategy: str
    best: str
    against: str | None
    difference: Mean | None
    clear: bool


def mean_of(values: Sequence[float], confidence: float = CONFIDENCE) -> Mean:
    """The mean of values and Student's interval. Source: Student 1908."""
    found = np.asarray(values, dtype=np.float64)
    if len(found) == 0:
        raise NotEnoughDataError("There is nothing to average.")
    centre = float(found.mean())
    if len(found) == 1:
        return Mean(value=centre, low=None, high=None, count=1)
    spread = float(found.std(ddof=1)) / np.sqrt(len(found))
    half = student_quantile(confidence, len(found) - 1) * spread
    return Mean(value=centre, low=float(centre - half), high=float(centre + half), count=len(found))


def mean_score(values: Sequence[float], confidence: float = CONFIDENCE) -> Mean:
    """The mean of scores with an interval that never leaves their range: 0 … 1, or -1 … 1 where one of
    them lies below 0 (Kendall's tau).

    Student's interval on the scale of the angle arcsin √p, where the standard error of the mean is
    its own over 2 √(p (1 - p)). Source: Bartlett 1947 (the angular transformation), the delta method.
    """
    plain = mean_of(values, confidence)
    least = 0.0 if min(values) >= 0 else -1.0
    if plain.low is None or plain.high is None or not least < plain.value < 1:
        return plain
    p = (plain.value - least) / (1 - least)
    half = (plain.high - plain.value) / (1 - least) / (2 * np.sqrt(p * (1 - p)))
    angles = np.clip(np.arcsin(np.sqrt(p)) + np.array([-half, half]), 0, np.pi / 2)
    low, high = least + (1 - least) * np.sin(angles) ** 2
    return Mean(value=plain.value, low=float(low), high=float(high), count=plain.count)


def student_quantile(confidence: float, freedom: int) -> float:
    """Half-width, in standard errors, of Student's two-sided interval; freedom >= 1.

    With t = √freedom · tan θ the density becomes cos(θ) ** (freedom - 1), which is summed up.
    """
    require(0 < confidence < 1 <= freedom, "A confidence lies in (0, 1), freedom is 1 or more.")
    angles = np.linspace(0, np.pi / 2, _ANGLES)
    density = np.cos(angles) ** (freedom - 1)
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    angle = np.interp(confidence, below / below[-1], angles)
    return float(np.sqrt(freedom) * np.tan(angle))


def area(run: Run, start: float, end: float) -> float:
    """Mean height of the curve between two counts of labels, by trapezoids."""
    counts = np.asarray(run.labels, dtype=np.float64)
    scores = np.asarray(run.scores, dtype=np.float64)
    inner = counts[(counts > start) & (counts < end)]
    places = np.concatenate([[start], inner, [end]])
    heights = np.interp(places, counts, scores)
    if end <= start:
        return float(heights[0])
    return float(np.sum((heights[1:] + heights[:-1]) / 2 * np.diff(places)) / (end - start))


def labels_to(labels: Sequence[int], scores: Sequence[float], wanted: float) -> float | None:
    """The count at which a curve, drawn straight from point to point, first reaches `wanted`.

    None when it never does; the first count when the curve begins above.
    """
    before: tuple[int, float] | None = None
    for count, score in zip(labels, scores, strict=True):
        if score >= wanted:
            if before is None or score == before[1]:
                return float(count)
            share = (wanted - before[1]) / (score - before[1])
            return before[0] + share * (count - before[0])
        before = (count, score)
    return None


def shared_range(runs: Iterable[Run]) -> tuple[float, float]:
    """The counts of labels that all runs cover: from the latest start to the earliest end."""
    found = list(runs)
    if not found:
        raise NotEnoughDataError("There is no finished run to compare.")
    start = max(run.labels[0] for run in found)
    return float(start), float(max(start, min(run.labels[-1] for run in found)))


def compare(
    runs: Sequence[Run], full_score: float | None = None, reference: str = "random"
) -> list[Standing]:
    """How each strategy did, best mean area first; equal ones by name."""
    start, end = shared_range(runs)
    areas = _areas(runs, start, end)
    base = areas.get(reference, {})
    found = []
    for strategy, by_seed in areas.items():
        mine = [run for run in runs if run.strategy == strategy]
        labels, curve = mean_curve(mine)
        values = [point.value for point in curve]
        seconds = [run.pick_seconds for run in mine if run.pick_seconds is not None]
        found.append(
            Standing(
                strategy=strategy,
                seeds=tuple(sorted(by_seed)),
                labels=labels,
                curve=curve,
                area=mean_score(list(by_seed.values())),
                labels_to={
                    share: labels_to(labels, values, share * full_score)
                    for share in SHARES
                    if full_score is not None
                },
                pick_seconds=float(np.mean(seconds)) if seconds else None,
                difference=None if strategy == reference else paired(by_seed, base),
            )
        )
    return sorted(found, key=lambda one: (-one.area.value, one.strategy))


def mean_curve(runs: Sequence[Run]) -> tuple[tuple[int, ...], tuple[Mean, ...]]:
    """The counts at which every one of these runs is known, and the mean score at each."""
    start, end = shared_range(runs)
    labels = sorted({count for run in runs for count in run.labels if start <= count <= end})
    table: NDArray[np.float64] = np.stack(
        [np.interp(labels, run.labels, run.scores) for run in runs]
    )  # (runs, p)
    return tuple(labels), tuple(mean_score(column.tolist()) for column in table.T)


def paired(
    one: dict[int, float], other: dict[int, float], confidence: float = CONFIDENCE
) -> Mean | None:
    """one - other over the seeds that both have; None when there are none."""
    common = sorted(set(one) & set(other))
    if not common:
        return None
    return mean_of([one[seed] - other[seed] for seed in common], confidence)


def advise(runs: Sequence[Run], current: str, simplest: str = "random") -> Advice:
    """Recommend the best mean area, unless that is not clearly better than what is used now.

    It is compared with the current strategy, or with the simplest one when the current one was not
    replayed: where the paired interval contains 0, and with one seed always, the current one stays.
    The best of several is partly the luckiest, so that of ten equal strategies another than the
    current one is recommended in about an eighth of all cases, at no loss; see the tests.
    """
    areas = _areas(runs, *shared_range(runs))
    mean = {name: float(np.mean(list(by_seed.values()))) for name, by_seed in areas.items()}
    ranked = sorted(mean, key=lambda name: (-mean[name], name != current, name))
    best = ranked[0]
    if best == current:
        against = ranked[1] if len(ranked) > 1 else None
    else:
        against = next((name for name in (current, simplest) if name in areas), None)
    if against is None or against == best:
        return Advice(strategy=current, best=best, against=None, difference=None, clear=False)
    difference = paired(areas[best], areas[against])
    clear = difference is not None and difference.clear
    return Advice(
        strategy=best if clear else current,
        best=best,
        against=against,
        difference=difference,
        clear=clear,
    )


def _areas(runs: Sequence[Run], start: float, end: float) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for run in runs:
        found.setdefault(run.strategy, {})[run.seed] = area(run, start, end)
    return found
