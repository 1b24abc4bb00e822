"""Bench of honest numbers: forecasts and stopping advice in replays, against what really came.

`make bench ONLY=advice GRID=quick|full` with DATASETS. In each replay we stand at several numbers of
labels, look at a drawn audit sample alone, and ask what comes; the test items then tell. Replays are
filed, so that a run which is stopped goes on where it was.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.advice.backtest import AUDIT_ITEMS, TARGETS, outcomes
from bench.advice.replay import Replayed, replayed
from bench.figures import Figure, code_hash, conclude, kept
from bench.learning.vectors import cache_folder, datasets_folder, part
from learning.audit import criteria
from learning.audit.advice import WORTH
from learning.simulation import Schedule, replay_of

FORESEEN_AT = 300
DRAWS = 6  # audit samples per replay
# Half of the rows are tested on, so that what really came is known to a fraction of a point.
SCHEDULE = {"batch": 50, "budget": 1_050}
COMPARED = 4  # versions that the rules of others compare

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """sets: name -> every so-manyth row of its training part."""

    sets: dict[str, int]
    strategies: tuple[str, ...]
    seeds: int


GRIDS = {
    "quick": Grid(
        sets={"banking77": 4, "trec6": 2, "ag_news": 5},
        strategies=("random", "margin", "mixed"),
        seeds=4,
    ),
    "full": Grid(
        sets={"banking77": 1, "trec6": 1, "ag_news": 1},
        strategies=("random", "margin", "mixed"),
        seeds=5,
    ),
}


def run(grid: str) -> list[Figure]:
    """Replay what is not filed yet, then print all figures."""
    folder = datasets_folder()
    if folder is None:
        print("SKIPPED advice: DATASETS names no folder with banking77, trec6 and ag_news.")
        return conclude("advice", grid, [])
    rows = [row for found in _replays(folder, GRIDS[grid]) for row in found]
    return conclude("advice", grid, [*_forecasts(rows), *_gains(rows), *_stops(rows)])


def _replays(folder: Path, grid: Grid) -> Iterator[Rows]:
    code = code_hash("learning", "bench/advice")
    for name, every in grid.sets.items():
        for seed in range(grid.seeds):
            for strategy in grid.strategies:
                found = kept(
                    f"advice/{name}-{every}-{strategy}-{seed}",
                    code,
                    partial(_measured, folder, name, every, strategy, seed),
                )
                print(f"{name} {strategy} seed {seed}: {len(found['rows'])} checks")
                sys.stdout.flush()
                yield found["rows"]


def _measured(folder: Path, name: str, every: int, strategy: str, seed: int) -> dict[str, Any]:
    data = part(folder, name, "train", cache_folder(), every)
    held_out = np.random.default_rng(seed).random(len(data.labels)) < 0.5
    replay = replay_of(np.asarray(data.vectors), [[label] for label in data.labels], held_out)
    schedule = Schedule(start=max(20, len(replay.label_names)), **SCHEDULE)
    found = replayed(replay, strategy, schedule, seed)
    return {"rows": [row for draw in range(DRAWS) for row in _checks(found, seed, draw)]}


def _checks(found: Replayed, seed: int, draw: int) -> Iterator[dict[str, Any]]:
    """One row per check: what was foretold, what others' rules said, and what came."""
    for each in outcomes(found, np.random.default_rng([seed, draw])):
        yield {
            "at": each.at,
            "verdict": str(each.advice.verdict),
            "foretold": [each.advice.gain, each.advice.low, each.advice.high],
            "came": each.gain,
            "rules": _rules(found, each.at, np.random.default_rng([seed, draw, each.at])),
            "forecasts": {
                str(target): [told.low, told.high, each.truths[target]]
                for target, told in each.forecasts.items()
            },
        }


def _rules(found: Replayed, at: int, rng: np.random.Generator) -> dict[str, bool]:
    """Whether the rules of others stop here, on an audit sample of the same size."""
    latest = np.flatnonzero(found.labels <= at)[-COMPARED:]
    items = rng.choice(found.said.shape[1], min(AUDIT_ITEMS, found.said.shape[1]), replace=False)
    said = found.said[latest][:, items].astype(np.int64)
    rules = (criteria.kappa_average(said), criteria.classification_change(said))
    doubtful = bool(found.doubt[latest[-1]] < criteria.UNCERTAINTY)
    return {each.name: each.stops for each in rules} | {"overall-uncertainty": doubtful}


def _forecasts(rows: Rows) -> Iterator[Figure]:
    """At 300 labels: how often the interval held the accuracy that came, and how wide it was."""
    for target in map(str, TARGETS):
        told = [
            row["forecasts"][target]
            for row in rows
            if row["at"] == FORESEEN_AT and target in row["forecasts"]
        ]
        if told:
            held = [low <= came <= high for low, high, came in told]
            widths = [high - low for low, high, _ in told]
            name = f"advice.forecast.{FORESEEN_AT}_to_{target}"
            yield _share(f"{name}.held", held, op=">=", target=88)
            yield _points(f"{name}.width", float(np.median(widths)), op="<=", target=25)


def _gains(rows: Rows) -> Iterator[Figure]:
    """What the next hundred labels were said to add, against what they added."""
    held = [row["foretold"][1] <= row["came"] <= row["foretold"][2] for row in rows]
    error = [row["foretold"][0] - row["came"] for row in rows]
    yield _share("advice.gain.held", held, op=">=", target=90)
    yield _points("advice.gain.bias", abs(float(np.mean(error))), op="<=", target=1)


def _stops(rows: Rows) -> Iterator[Figure]:
    """Of each rule: how often it stops, and how often two points or more came all the same."""
    ours = [row["verdict"] == "stop" for row in rows]
    yield _share("advice.stop.given", ours, op=">=", target=5)
    yield from _after("advice.stop", rows, ours, op="<=", target=5)
    for name in rows[0]["rules"]:
        theirs = [row["rules"][name] for row in rows]
        yield _share(f"advice.{name}.given", theirs)
        yield from _after(f"advice.{name}", rows, theirs)
    went_on = [row["came"] for row in rows if row["verdict"] == "go-on"]
    if went_on:
        mean = float(np.mean(went_on))
        yield _points("advice.go_on.mean_gain", mean, op=">=", target=100 * WORTH)


def _after(name: str, rows: Rows, stopped: Sequence[bool], **target: Any) -> Iterator[Figure]:
    came = [row["came"] for row, stops in zip(rows, stopped, strict=True) if stops]
    if came:
        yield _share(f"{name}.wrong", [gain >= 2 * WORTH for gain in came], **target)
        yield _points(f"{name}.mean_gain", float(np.mean(came)))


def _share(name: str, true: Iterable[bool], **target: Any) -> Figure:
    value = 100 * float(np.mean(list(true)))
    return Figure(name=name, value=round(value, 1), unit="%", **target)


def _points(name: str, share: float, **target: Any) -> Figure:
    return Figure(name=name, value=round(100 * share, 2), unit="points", **target)
