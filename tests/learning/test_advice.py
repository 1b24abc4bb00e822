"""Stopping advice and what it costs; other people's rules beside it."""

import numpy as np
import pytest

from learning.audit import advice, criteria, intervals
from learning.audit.advice import Verdict, advise, cost
from learning.audit.curves import Measured, fit
from learning.audit.intervals import Estimate
from learning.errors import ShapeError


def advised(accuracies: list[float], labels: list[int], items: int, kinds: int = 4):
    """Advice after versions of these accuracies, which differ in the items between them only."""
    hardness = (np.arange(items) + 0.5) / items
    right = hardness[None, :] < np.array(accuracies)[:, None]
    measured = Measured(labels=np.array(labels), right=right, asked=np.ones_like(right))
    return advise(fit(measured, kinds, np.random.default_rng(0)))


class TestAdvice:
    def test_a_flat_curve_of_many_labels_says_stop(self) -> None:
        flat = [0.7, 0.8, 0.85, 0.87, 0.875, 0.877, 0.878, 0.878]
        found = advised(flat, [20, 50, 100, 300, 600, 1_000, 1_500, 2_000], 400)
        assert found.verdict == Verdict.STOP
        assert found.chance <= advice.UNLIKELY
        assert found.low <= found.gain <= found.high < 0.02
        assert (found.more, found.n) == (100, 400)

    def test_a_steep_curve_says_go_on(self) -> None:
        steep = [0.3, 0.42, 0.5, 0.56, 0.61, 0.65]
        found = advised(steep, [100, 140, 180, 220, 260, 300], 400, kinds=77)
        assert found.verdict == Verdict.GO_ON
        assert found.low > 0
        assert found.gain > 0.02

    def test_an_interval_that_says_nothing_is_said_to_be_empty(self) -> None:
        few = [0.4, 0.5, 0.5, 0.6, 0.5, 0.6]
        found = advised(few, [20, 25, 30, 35, 40, 45], 20, kinds=10)
        assert found.verdict == Verdict.EMPTY
        assert found.low <= -0.01
        assert found.high >= 0.05


class TestCost:
    def test_a_hundred_answers_take_a_hundred_times_the_mean(self) -> None:
        found = cost(np.random.default_rng(0).gamma(4, 2, 300), 100)
        assert found is not None
        assert found.seconds == pytest.approx(800, rel=0.1)
        assert found.low < found.seconds < found.high
        assert (found.answers, found.n) == (100, 300)

    def test_the_interval_holds_what_a_hundred_new_answers_take(self) -> None:
        held = []
        for seed in range(500):
            rng = np.random.default_rng(seed)
            found = cost(rng.lognormal(2, 0.8, 60), 100)
            assert found is not None
            held.append(found.low <= rng.lognormal(2, 0.8, 100).sum() <= found.high)
        assert np.mean(held) >= 0.92

    def test_a_screen_left_alone_does_not_count_as_thinking(self) -> None:
        seconds = np.r_[np.full(50, 6.0), 3_600]
        found = cost(seconds, 100)
        assert found is not None
        assert found.seconds < 800

    def test_a_few_timed_answers_tell_no_cost(self) -> None:
        assert cost(np.full(advice.FEWEST_ANSWERS - 1, 5.0), 100) is None
        with pytest.raises(ShapeError, match="negative"):
            cost(np.full(9, -1.0), 100)


class TestCriteria:
    def said(self, changed: int, versions: int = 5, items: int = 200) -> np.ndarray:
        """(v, m): each version changes so many items of the one before."""
        rows = [np.random.default_rng(0).integers(0, 4, items)]
        for version in range(1, versions):
            row = rows[-1].copy()
            row[version * changed : (version + 1) * changed] += 1
            rows.append(row % 5)
        return np.stack(rows)

    def test_kappa_is_that_of_scikit_learn_averaged_over_three_pairs(self) -> None:
        from sklearn.metrics import cohen_kappa_score

        said = self.said(changed=10)
        expected = np.mean([cohen_kappa_score(said[i], said[i + 1]) for i in (1, 2, 3)])
        found = criteria.kappa_average(said)
        assert found.estimate.value == pytest.approx(expected)
        assert found.estimate.low < expected < found.estimate.high
        assert found.estimate.n == 200
        assert not found.stops
        assert criteria.kappa_average(self.said(changed=0)).stops

    def test_too_few_versions_stop_nothing(self) -> None:
        found = criteria.kappa_average(self.said(changed=0, versions=3))
        assert (found.estimate.value, found.stops) == (None, False)
        assert not criteria.classification_change(self.said(changed=0, versions=1)).stops
        assert not criteria.kappa_average(np.zeros((5, 0), int)).stops

    def test_classification_change_stops_when_nothing_changes(self) -> None:
        assert criteria.classification_change(self.said(changed=0)).stops
        found = criteria.classification_change(self.said(changed=1))
        assert not found.stops
        assert found.estimate.value == pytest.approx(199 / 200)
        assert criteria.classification_change(self.said(changed=1), threshold=0.99).stops

    def test_overall_uncertainty_stops_below_its_threshold(self) -> None:
        doubt = np.random.default_rng(0).beta(1, 30, 300)
        found = criteria.overall_uncertainty(doubt)
        assert found.stops
        assert found.estimate.low < doubt.mean() < found.estimate.high
        assert not criteria.overall_uncertainty(doubt + 0.1).stops
        assert not criteria.overall_uncertainty(np.zeros(0)).stops

    def test_label_sleuth_tells_the_worst_label_that_can_be_told(self) -> None:
        def one(value: float | None, n: int) -> Estimate:
            return Estimate(value=value, low=0, high=1, n=n)

        good, bad, rare = one(0.95, 30), one(0.7, 25), one(0.1, 5)
        found = criteria.label_sleuth([good, bad, rare])
        assert found.estimate == bad
        assert not found.stops
        assert criteria.label_sleuth([good, good]).stops
        assert not criteria.label_sleuth([good, rare]).stops, "one label cannot be told yet"
        assert criteria.label_sleuth([rare]).estimate == intervals.NOTHING

    def test_several_labels_are_compared_one_by_one(self) -> None:
        predicted = np.zeros((2, 3, 2), bool)
        predicted[1, 0] = True
        assert criteria.columns_of(predicted, multi_label=True).shape == (2, 6)
        assert criteria.columns_of(predicted, multi_label=False).tolist() == [[0] * 3] * 2
