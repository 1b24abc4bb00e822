"""Curves compared: areas, crossings, paired intervals, and what is recommended."""

import numpy as np
import pytest
from scipy import stats

from learning.comparison import (
    Run,
    advise,
    area,
    compare,
    labels_to,
    mean_of,
    mean_score,
    paired,
    student_quantile,
)
from learning.errors import NotEnoughDataError, ShapeError


def run(strategy: str, seed: int, *scores: float, labels: tuple[int, ...] = ()) -> Run:
    counts = labels or tuple(range(10, 10 * len(scores) + 1, 10))
    return Run(strategy=strategy, seed=seed, labels=counts, scores=scores, pick_seconds=0.5)


def runs_of(strategy: str, lift: float, *, noise: float = 0.0, seeds: int = 5) -> list[Run]:
    """Curves that share the luck of their seed; `noise` is luck of their own."""
    found = []
    for seed in range(seeds):
        start = 0.3 + 0.1 * np.random.default_rng(seed).random()
        own = noise * np.random.default_rng([seed, len(strategy)]).standard_normal()
        found.append(run(strategy, seed, start, start + 0.2 + lift + own, start + 0.3 + lift + own))
    return found


class TestIntervals:
    @pytest.mark.parametrize("confidence", [0.5, 0.95, 0.995])
    @pytest.mark.parametrize("freedom", [1, 2, 4, 9, 200])
    def test_the_quantile_is_students(self, confidence: float, freedom: int) -> None:
        expected = stats.t.ppf(0.5 + confidence / 2, freedom)
        assert student_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-3)

    def test_the_interval_covers_at_the_stated_rate(self) -> None:
        rng = np.random.default_rng(0)
        found = [mean_of(list(rng.normal(0.7, 0.05, 5))) for _ in range(1000)]
        covered = np.mean([one.low <= 0.7 <= one.high for one in found])
        assert 0.935 <= covered <= 0.965

    @pytest.mark.parametrize(("a", "b"), [(18, 2), (5, 5), (300, 3)])
    def test_that_of_scores_covers_and_stays_where_scores_are(self, a: float, b: float) -> None:
        rng = np.random.default_rng(0)
        found = [mean_score(list(rng.beta(a, b, 5))) for _ in range(1000)]
        assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found)
        covered = np.mean([one.low <= a / (a + b) <= one.high for one in found])
        assert 0.93 <= covered <= 0.97

    def test_two_seeds_near_the_top_have_no_interval_above_it(self) -> None:
        one = mean_score([0.91, 0.965])
        assert mean_of([0.91, 0.965]).high > 1.2
        assert 0.3 < one.low < 0.91
        assert 0.965 < one.high <= 1
        assert mean_score([1.0, 1.0]).high == 1

    def test_scores_below_zero_reach_down_to_minus_one(self) -> None:
        one = mean_score([-0.7, 0.1, -0.9])
        assert -1 <= one.low < one.value < one.high < 1

    def test_one_seed_has_no_interval_and_is_never_clear(self) -> None:
        found = mean_of([0.4])
        assert (found.value, found.low, found.high, found.count) == (0.4, None, None, 1)
        assert not found.clear

    def test_nothing_has_no_mean(self) -> None:
        with pytest.raises(NotEnoughDataError):
            mean_of([])

    def test_pairs_take_the_luck_of_the_start_out(self) -> None:
        one = {run.seed: run.scores[-1] for run in runs_of("better", 0.02)}
        other = {run.seed: run.scores[-1] for run in runs_of("plain", 0.0)}
        apart = mean_of(list(one.values()))
        assert apart.low < 0.02 + mean_of(list(other.values())).high, "unpaired they overlap"
        difference = paired(one, other)
        assert difference.clear
        assert difference.value == pytest.approx(0.02)

    def test_only_seeds_that_both_have_are_paired(self) -> None:
        found = paired({0: 0.5, 1: 0.9}, {0: 0.4, 2: 0.1})
        assert (found.count, found.value) == (1, pytest.approx(0.1))
        assert paired({0: 1.0}, {1: 1.0}) is None


class TestCurves:
    def test_the_area_is_the_mean_height_of_the_range(self) -> None:
        curve = run("a", 0, 0.0, 0.5, 1.0)
        assert area(curve, 10, 30) == pytest.approx(0.5)
        assert area(curve, 15, 25) == pytest.approx(0.5)
        assert area(curve, 20, 30) == pytest.approx(0.75)
        assert area(curve, 10, 10) == 0.0

    def test_steps_of_different_width_weigh_what_they_span(self) -> None:
        assert area(run("a", 0, 0.0, 0.0, 1.0, labels=(10, 100, 110)), 10, 110) == 0.05

    @pytest.mark.parametrize(
        ("wanted", "expected"),
        [(0.1, 10), (0.3, 15), (0.4, 20), (0.7, 25), (1.0, 30), (1.01, None)],
    )
    def test_a_share_is_reached_where_the_line_crosses_it(self, wanted, expected) -> None:
        found = labels_to((10, 20, 30), (0.2, 0.4, 1.0), wanted)
        assert found == (None if expected is None else pytest.approx(expected))

    def test_the_first_crossing_counts_although_the_curve_falls_again(self) -> None:
        assert labels_to((10, 20, 30), (0.0, 0.8, 0.2), 0.4) == 15

    def test_what_the_first_point_has_already_may_take_fewer_labels(self) -> None:
        (one,) = compare([run("mixed", 0, 0.85, 0.99), run("mixed", 1, 0.87, 1.0)], 0.95)
        assert one.labels_to[0.9] == 10
        assert one.from_the_start(0.9)
        assert 10 < one.labels_to[0.95] < 20
        assert not one.from_the_start(0.95)
        assert not compare([run("mixed", 0, 0.1, 0.2)], 0.95)[0].from_the_start(0.9), "never there"

    def test_a_curve_that_is_none_is_refused(self) -> None:
        with pytest.raises(ShapeError):
            run("a", 0)
        with pytest.raises(ShapeError, match="ascend"):
            run("a", 0, 0.1, 0.2, labels=(20, 10))


class TestCompare:
    def test_standings_have_area_crossings_seconds_and_difference(self) -> None:
        found = compare([*runs_of("random", 0.0), *runs_of("margin", 0.1)], full_score=0.8)
        assert [one.strategy for one in found] == ["margin", "random"]
        best, base = found
        assert best.difference.value == pytest.approx(0.075)  # 0.1 over 3/4 of the range
        assert best.difference.clear
        assert base.difference is None
        assert best.labels == (10, 20, 30)
        assert best.labels_to[0.9] < 30
        assert base.labels_to[0.95] is None
        assert best.pick_seconds == 0.5
        assert best.curve[0] == base.curve[0], "the same start"

    def test_without_the_full_figure_there_are_no_crossings(self) -> None:
        assert compare(runs_of("margin", 0.1))[0].labels_to == {}

    def test_areas_are_taken_over_the_range_that_all_share(self) -> None:
        short = run("short", 0, 0.2, 0.4, labels=(10, 20))
        long = run("long", 0, 0.2, 0.4, 1.0, labels=(10, 20, 30))
        assert [one.area.value for one in compare([short, long])] == [pytest.approx(0.3)] * 2

    def test_there_is_nothing_to_compare_without_a_run(self) -> None:
        with pytest.raises(NotEnoughDataError):
            compare([])


class TestAdvice:
    def test_the_best_is_recommended_when_it_is_clearly_better(self) -> None:
        runs = [*runs_of("random", 0.0), *runs_of("margin", 0.05), *runs_of("mixed", 0.1)]
        found = advise(runs, current="margin")
        assert (found.strategy, found.best, found.against) == ("mixed", "mixed", "margin")
        assert found.clear

    def test_the_current_one_stays_when_the_interval_contains_zero(self) -> None:
        runs = [*runs_of("margin", 0.05), *runs_of("mixed", 0.06, noise=0.05)]
        found = advise(runs, current="margin")
        assert (found.strategy, found.best) == ("margin", "mixed")
        assert found.difference.low < 0 < found.difference.high
        assert not found.clear

    def test_the_current_one_is_told_to_be_the_best(self) -> None:
        runs = [*runs_of("random", 0.0), *runs_of("margin", 0.05)]
        found = advise(runs, current="margin")
        assert (found.strategy, found.best, found.against) == ("margin", "margin", "random")
        assert found.clear

    def test_equal_curves_keep_the_current_one(self) -> None:
        found = advise([*runs_of("a", 0.05), *runs_of("b", 0.05)], current="b")
        assert (found.strategy, found.best, found.clear) == ("b", "b", False)

    def test_with_one_seed_nothing_is_clear(self) -> None:
        runs = [*runs_of("random", 0.0, seeds=1), *runs_of("mixed", 0.3, seeds=1)]
        found = advise(runs, current="random")
        assert (found.strategy, found.best, found.clear) == ("random", "mixed", False)

    def test_one_that_was_not_replayed_gives_way_to_what_beats_the_simplest(self) -> None:
        runs = [*runs_of("random", 0.0), *runs_of("mixed", 0.1)]
        assert advise(runs, current="badge").strategy == "mixed"
        flat = [*runs_of("random", 0.1), *runs_of("mixed", 0.0)]
        found = advise(flat, current="badge")
        assert (found.strategy, found.best, found.against) == ("badge", "random", None)

    def test_without_anything_to_compare_with_the_current_one_stays(self) -> None:
        found = advise(runs_of("mixed", 0.1), current="margin")
        assert (found.strategy, found.best, found.against) == ("margin", "mixed", None)

    @pytest.mark.parametrize(("strategies", "most"), [(2, 0.04), (10, 0.2)])
    def test_how_often_luck_is_recommended_among_equals(self, strategies: int, most: float) -> None:
        """Of two, in half of the 5 % that the interval leaves; of ten the luckiest is looked at."""
        rng, recommended = np.random.default_rng(0), 0
        for _ in range(400):
            runs = [
                run(f"s{number}", seed, *(0.5 + 0.05 * rng.standard_normal(2)))
                for number in range(strategies)
                for seed in range(5)
            ]
            recommended += advise(runs, current="s0").strategy != "s0"
        assert recommended / 400 <= most
