"""Forecasts and stopping advice against what really happened in replays of real data."""

from pathlib import Path

import numpy as np
import pytest

from bench.advice.backtest import Outcome, outcomes
from bench.advice.replay import Replayed, replayed
from bench.figures import code_hash
from bench.learning.vectors import part
from learning.audit.advice import WORTH, Verdict
from learning.simulation import Schedule, replay_of

pytestmark = [pytest.mark.dataset, pytest.mark.slow, pytest.mark.timeout(900)]

# Every so-manyth row of the sets' training parts, half of them to test on, keeps this quick; the
# bench "advice" replays the whole sets.
SETS = {"trec6": 2, "ag_news": 5}
STRATEGIES = ("random", "margin")
SEEDS = 1
DRAWS = 6  # audit samples per replay


def replays(name: str, datasets: Path, cache: Path) -> list[Replayed]:
    """Replays of one set, kept as long as the code that makes them stays."""
    code = code_hash(
        "learning/selection", "learning/students", "learning/tasks", "bench/advice", __file__
    )
    kept = cache / f"{name}-{SETS[name]}-{code}.npz"
    if not kept.exists():
        data = part(datasets, name, "train", cache, SETS[name])
        arrays = {}
        for seed in range(SEEDS):
            held_out = np.random.default_rng(seed).random(len(data.labels)) < 0.5
            replay = replay_of(np.asarray(data.vectors), [[x] for x in data.labels], held_out)
            start = max(20, len(replay.label_names))
            for strategy in STRATEGIES:
                schedule = Schedule(start=start, batch=50, budget=1_050)
                found = replayed(replay, strategy, schedule, seed)
                for field, values in vars(found).items():
                    arrays[f"{strategy}-{seed}-{field}"] = values
        np.savez(kept, **arrays)
    with np.load(kept, allow_pickle=False) as filed:
        return [
            Replayed(
                **{name: filed[f"{run}-{name}"] for name in ("labels", "said", "truth", "doubt")}
            )
            for run in (f"{strategy}-{seed}" for strategy in STRATEGIES for seed in range(SEEDS))
        ]


@pytest.fixture(scope="module")
def outcomes_of(datasets: Path, pytestconfig: pytest.Config) -> dict[str, list[Outcome]]:
    cache = pytestconfig.cache.mkdir("vectors")
    return {
        name: [
            outcome
            for number, run in enumerate(replays(name, datasets, cache))
            for draw in range(DRAWS)
            for outcome in outcomes(run, np.random.default_rng([number, draw]))
        ]
        for name in SETS
    }


def test_at_300_labels_the_curve_at_600_and_1000_is_foretold(
    outcomes_of: dict[str, list[Outcome]],
) -> None:
    """Interval and truth both rest on drawn items; 95 % is promised, 88 % asked of so few runs."""
    held = {
        (name, target): np.mean([each.forecast_holds(target) for each in found if each.at == 300])
        for name, found in outcomes_of.items()
        for target in (600, 1_000)
    }
    assert np.mean(list(held.values())) >= 0.88, held
    assert min(held.values()) >= 0.7, held
    widths = [
        each.forecasts[1_000].width
        for found in outcomes_of.values()
        for each in found
        if each.at == 300
    ]
    assert np.median(widths) < 0.25, "an interval that holds because it says nothing"


def test_what_the_next_labels_add_is_foretold(outcomes_of: dict[str, list[Outcome]]) -> None:
    """95 % is promised; all draws of a replay share one truth, and there are four replays."""
    every = [each for found in outcomes_of.values() for each in found]
    assert np.mean([each.advice.low <= each.gain <= each.advice.high for each in every]) >= 0.8
    assert abs(np.mean([each.advice.gain - each.gain for each in every])) < 0.01


def test_advice_to_stop_was_right(outcomes_of: dict[str, list[Outcome]]) -> None:
    """Where it was given, the next labels seldom added a point; where going on was, they paid."""
    every = [each for found in outcomes_of.values() for each in found]
    stopped = [each.gain for each in every if each.advice.verdict == Verdict.STOP]
    went_on = [each.gain for each in every if each.advice.verdict == Verdict.GO_ON]
    assert len(stopped) >= 0.05 * len(every), "advice that is never given is no advice"
    assert len(went_on) >= 0.05 * len(every)
    assert np.mean(np.array(stopped) >= 2 * WORTH) < 0.05
    assert np.mean(stopped) < WORTH
    assert np.mean(went_on) > WORTH
    # Sixteen replays gave 0.9 and, after "stop", 0.45; a test of some 1,000 items knows a step to about
    # half a point, and four replays have few steps, so that single ones may turn round by chance.
    assert np.mean(np.array(went_on) > 0) >= 0.65
    assert np.mean(went_on) > np.mean(stopped) + WORTH
