"""Estimates from drawn items cover the truth as often as they say; chosen items would not."""

from collections.abc import Callable

import numpy as np
import pytest

from learning.audit import estimates, intervals
from learning.audit.estimates import Sample
from learning.audit.intervals import Estimate
from learning.errors import ShapeError

RUNS = 500
# Five standard errors of a share of 0.95 in 500 runs are 0.049; a rate that is right passes with
# room, and one of 0.90 fails more often than not.
LEAST = 0.925


class Pool:
    """Items with true labels, a student's word on them, and its doubt."""

    def __init__(self, labels: int = 6, items: int = 20_000, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        shares = 1 / np.arange(1, labels + 1)
        self.labels, self.shares = labels, shares / shares.sum()
        self.truth = rng.choice(labels, items, p=self.shares)
        # Wrong where it doubts: what makes actively chosen items a bad sample.
        self.doubt = rng.beta(1, 3, items)
        wrong = rng.random(items) < 0.75 * self.doubt
        self.predicted = np.where(wrong, (self.truth + 1) % labels, self.truth)
        self.accuracy = float((self.truth == self.predicted).mean())

    def hot(self, columns: np.ndarray) -> np.ndarray:
        return np.eye(self.labels, dtype=bool)[columns]

    def sample(self, rows: np.ndarray, p: np.ndarray | None = None) -> Sample:
        return Sample(
            truth=self.hot(self.truth[rows]),
            predicted=self.hot(self.predicted[rows]),
            draw_probabilities=p,
        )

    def macro_f1(self) -> float:
        t, p = self.hot(self.truth), self.hot(self.predicted)
        return float((2 * (t & p).sum(axis=0) / (t.sum(axis=0) + p.sum(axis=0))).mean())

    def uniform(self, rng: np.random.Generator, n: int = 120) -> Sample:
        return self.sample(rng.choice(len(self.truth), n, replace=False))

    def by_doubt(self, rng: np.random.Generator, n: int = 150) -> Sample:
        """Doubtful items drawn up to eleven times as often, each by a known chance."""
        p = self.doubt + 0.1
        p = p / p.sum() * n
        rows = np.flatnonzero(rng.random(len(p)) < p)
        return self.sample(rows, p[rows])


def covered(
    draw: Callable[[np.random.Generator], Sample],
    estimate: Callable[[Sample], Estimate],
    truth: float,
    runs: int = RUNS,
) -> tuple[float, float]:
    """(share of the runs whose interval holds the truth, mean error of the value)."""
    held, errors = [], []
    for seed in range(runs):
        found = estimate(draw(np.random.default_rng(seed)))
        held.append(found.low <= truth <= found.high)
        assert found.value is not None
        errors.append(found.value - truth)
    return float(np.mean(held)), float(np.mean(errors))


@pytest.fixture(scope="module")
def pool() -> Pool:
    return Pool()


class TestCoverage:
    def test_accuracy_of_a_uniform_sample(self, pool: Pool) -> None:
        rate, error = covered(pool.uniform, estimates.accuracy, pool.accuracy)
        assert rate >= LEAST
        assert abs(error) < 0.006

    def test_accuracy_of_a_sample_drawn_by_known_chances(self, pool: Pool) -> None:
        rate, error = covered(pool.by_doubt, estimates.accuracy, pool.accuracy)
        assert rate >= LEAST
        assert abs(error) < 0.01

    def test_chances_that_are_left_out_mislead(self, pool: Pool) -> None:
        """The same draws read as uniform: the interval seldom holds the truth."""

        def blind(sample: Sample) -> Estimate:
            return estimates.accuracy(Sample(truth=sample.truth, predicted=sample.predicted))

        rate, error = covered(pool.by_doubt, blind, pool.accuracy)
        assert rate < 0.5
        assert error < -0.08

    def test_actively_chosen_items_mislead(self, pool: Pool) -> None:
        """What an active learner has labels for: the doubtful items. Almost no interval holds."""

        def chosen(rng: np.random.Generator) -> Sample:
            seen = rng.choice(len(pool.truth), 3_000, replace=False)
            return pool.sample(seen[np.argsort(-pool.doubt[seen])[:120]])

        rate, error = covered(chosen, estimates.accuracy, pool.accuracy)
        assert rate < 0.05
        assert error < -0.2

    @pytest.mark.parametrize("weighted", [False, True])
    def test_shares_recalls_and_precisions_of_each_label(
        self, pool: Pool, *, weighted: bool
    ) -> None:
        """Exact for uniform draws; rare labels drawn by chance of their own may fall a little short."""
        t, p = pool.hot(pool.truth), pool.hot(pool.predicted)
        truths = np.stack(
            [t.mean(axis=0), (t & p).sum(axis=0) / t.sum(axis=0), (t & p).sum(axis=0) / p.sum(0)]
        )
        held = []
        for seed in range(RUNS):
            draw = pool.by_doubt if weighted else pool.uniform
            sample = draw(np.random.default_rng(seed))
            found = [
                estimates.class_shares(sample.truth, sample.draw_probabilities),
                estimates.recalls(sample),
                estimates.precisions(sample),
            ]
            held.append(
                [[e.low <= x <= e.high for e, x in zip(*pair, strict=True)]
                 for pair in zip(found, truths, strict=True)]
            )  # fmt: skip
        rates = np.mean(held, axis=0)
        assert rates.min() >= (0.9 if weighted else 0.94), rates
        assert rates.mean() >= (0.93 if weighted else 0.95), rates

    @pytest.mark.parametrize(("labels", "n"), [(2, 50), (6, 120), (20, 120), (77, 240)])
    def test_macro_f1_however_many_labels(self, labels: int, n: int) -> None:
        pool = Pool(labels)
        rate, error = covered(
            lambda rng: pool.uniform(rng, n),
            lambda sample: estimates.macro_f1(sample).estimate,
            pool.macro_f1(),
        )
        assert rate >= LEAST
        assert abs(error) < 0.025

    def test_macro_f1_of_a_sample_drawn_by_known_chances(self, pool: Pool) -> None:
        rate, error = covered(
            lambda rng: pool.by_doubt(rng, 200),
            lambda sample: estimates.macro_f1(sample).estimate,
            pool.macro_f1(),
        )
        assert rate >= 0.91
        assert abs(error) < 0.02


class TestSamples:
    def sample(self, **changes) -> Sample:
        hot = np.eye(3, dtype=bool)
        return Sample(**{"truth": hot[[0, 0, 1]], "predicted": hot[[0, 1, 1]], **changes})

    def test_figures_of_a_small_sample_are_the_counts(self) -> None:
        found = estimates.accuracy(self.sample())
        assert found.value == pytest.approx(2 / 3)
        assert [each.value for each in estimates.recalls(self.sample())] == [0.5, 1, None]
        assert [each.value for each in estimates.precisions(self.sample())] == [1, 0.5, None]
        assert [each.n for each in estimates.recalls(self.sample())] == [2, 1, 0]

    def test_a_label_that_was_not_drawn_is_unknown_not_zero(self) -> None:
        found = estimates.recalls(self.sample())[2]
        assert (found.value, found.low, found.high, found.n) == (None, 0, 1, 0)
        assert found.width == 1

    def test_unseen_labels_widen_macro_f1_to_what_they_could_be(self) -> None:
        few = estimates.macro_f1(self.sample())
        assert (few.labels, few.unseen) == (3, 1)
        without = estimates.macro_f1(self.sample(), active=np.array([True, True, False]))
        assert without.unseen == 0
        assert few.estimate.low == pytest.approx(without.estimate.low * 2 / 3)
        assert few.estimate.high == pytest.approx(without.estimate.high * 2 / 3 + 1 / 3)

    def test_several_labels_are_right_only_together(self) -> None:
        truth = np.array([[True, True], [False, False], [True, False]])
        predicted = np.array([[True, False], [False, False], [True, False]])
        sample = Sample(truth=truth, predicted=predicted)
        assert estimates.accuracy(sample).value == pytest.approx(2 / 3)
        assert [each.value for each in estimates.recalls(sample)] == [1, 0]

    def test_equal_chances_are_a_uniform_draw(self) -> None:
        weighted = self.sample(draw_probabilities=np.full(3, 0.01))
        assert estimates.accuracy(weighted) == estimates.accuracy(self.sample())

    def test_the_value_is_weighed_by_the_inverse_of_the_chances(self) -> None:
        found = estimates.accuracy(self.sample(draw_probabilities=np.array([0.5, 0.25, 0.5])))
        assert found.value == pytest.approx(4 / 8)

    def test_nothing_drawn_is_nothing_known(self) -> None:
        empty = Sample(truth=np.zeros((0, 2), bool), predicted=np.zeros((0, 2), bool))
        assert estimates.accuracy(empty) == intervals.NOTHING
        assert estimates.macro_f1(empty).unseen == 2
        assert [each.width for each in estimates.class_shares(empty.truth)] == [1, 1]

    def test_what_does_not_fit_is_refused(self) -> None:
        hot = np.eye(2, dtype=bool)
        with pytest.raises(ShapeError, match="boolean"):
            Sample(truth=np.eye(2), predicted=hot)
        with pytest.raises(ShapeError, match="differ"):
            Sample(truth=hot, predicted=hot[:1])
        with pytest.raises(ShapeError, match="one draw probability"):
            Sample(truth=hot, predicted=hot, draw_probabilities=np.ones(3))
        for wrong in (np.array([0.0, 1]), np.array([0.5, 2]), np.array([np.nan, 1])):
            with pytest.raises(ShapeError, match="above 0"):
                _ = Sample(truth=hot, predicted=hot, draw_probabilities=wrong).weights


def test_quantiles_agree_with_scipy() -> None:
    from scipy.stats import norm, t

    assert intervals.normal_quantile(0.95) == pytest.approx(norm.ppf(0.975))
    for degrees in (5, 10, 30, 200):
        expected = t.ppf(0.975, degrees)
        assert intervals.student_quantile(0.95, degrees) == pytest.approx(expected, rel=2e-3)


def test_a_wilson_interval_of_whole_numbers_is_the_usual_one() -> None:
    from learning.metrics import wilson

    assert intervals.wilson_share(0.3, 40) == pytest.approx(wilson(12, 40))
    assert intervals.wilson_share(0.3, 0) == (0, 1)


def test_the_f1_of_a_label_is_that_of_its_counts_and_its_interval_holds_it():
    truth = np.array([[1, 0]] * 6 + [[0, 1]] * 6, dtype=bool)
    said = np.array([[1, 0]] * 4 + [[0, 1]] * 7 + [[1, 0]], dtype=bool)
    first, second = estimates.f1s(estimates.Sample(truth=truth, predicted=said))
    assert first.value == pytest.approx(2 * 4 / (6 + 5))
    assert first.low < first.value < first.high
    assert (first.n, second.n) == (7, 8)
    none = estimates.f1s(estimates.Sample(truth=truth[:6], predicted=truth[:6]))[1]
    assert (none.value, none.low, none.high) == (None, 0.0, 1.0)
