"""What every conformal method promises."""

import json

import numpy as np
import pytest

from learning.audit.conformal import CONFORMAL
from learning.audit.conformal.calibrated import Calibrated, Sample
from learning.errors import NotEnoughDataError, ShapeError
from tests.contracts.uniform import drawn

each = pytest.mark.parametrize("name", CONFORMAL)
COVERAGE = 0.9


@each
def test_covers_as_promised_over_many_draws(name: str) -> None:
    method = CONFORMAL.create(name)
    shares = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        calibrated = method.calibrate(drawn(name, 300, seed), COVERAGE, rng)
        shares.append(method.holds(calibrated, drawn(name, 500, 1000 + seed), rng).mean())
    # The standard error of the mean is 0.003.
    most = 0.93 if name == "class-conditional" else 0.91  # a quantile per label rounds up six times
    assert 0.89 < np.mean(shares) < most


@each
def test_same_generator_same_sets_of_the_right_shape(name: str) -> None:
    method, sample = CONFORMAL.create(name), drawn(name, 200, 1)
    one, two = (
        method.sets(
            method.calibrate(sample, COVERAGE, rng), sample.probabilities, np.random.default_rng(3)
        )
        for rng in (np.random.default_rng(2), np.random.default_rng(2))
    )
    np.testing.assert_array_equal(one.possible, two.possible)
    assert one.possible.shape == one.certain.shape == (200, 6)
    assert one.fits.shape == one.sizes.shape == (200,)
    assert one.possible.dtype == one.certain.dtype == one.fits.dtype == np.bool_
    assert not (one.certain & ~one.possible).any()
    assert not one.possible[~one.fits].any()


@each
def test_what_is_in_a_set_stays_in_it_at_a_higher_coverage(name: str) -> None:
    method, sample = CONFORMAL.create(name), drawn(name, 200, 1)
    lower, higher = (
        method.sets(
            method.calibrate(sample, coverage, np.random.default_rng(0)),
            sample.probabilities,
            np.random.default_rng(0),
        )
        for coverage in (0.8, 0.95)
    )
    assert not (lower.possible & ~higher.possible).any()
    assert higher.possible.sum() > lower.possible.sum()


@each
def test_renaming_and_permuting_change_nothing(name: str) -> None:
    """Items in another order, labels in other columns: the same sets."""
    method, sample = CONFORMAL.create(name), drawn(name, 200, 5)
    rows, columns = np.random.default_rng(1).permutation(200), np.array([3, 0, 5, 1, 4, 2])
    moved = Sample(
        probabilities=sample.probabilities[rows][:, columns], truth=sample.truth[rows][:, columns]
    )
    one, two = (
        method.sets(
            method.calibrate(each_sample, COVERAGE, _Same()), each_sample.probabilities, _Same()
        )
        for each_sample in (sample, moved)
    )
    np.testing.assert_array_equal(one.possible[rows][:, columns], two.possible)


class _Same:
    """A generator whose luck is the same for all, so that the order of the items plays no part."""

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, 0.5)


@each
def test_too_few_items_for_the_quantile_let_everything_in(name: str) -> None:
    method, rng = CONFORMAL.create(name), np.random.default_rng(0)
    sample = drawn(name, 8, 1)  # nine are needed at 90 %
    found = method.sets(method.calibrate(sample, COVERAGE, rng), sample.probabilities, rng)
    assert found.possible.all()


@each
def test_survives_json(name: str) -> None:
    method, rng = CONFORMAL.create(name), np.random.default_rng(0)
    for n in (8, 200):
        calibrated = method.calibrate(drawn(name, n, 1), COVERAGE, rng)
        again = Calibrated.from_json(json.loads(json.dumps(calibrated.to_json())))
        np.testing.assert_array_equal(again.thresholds, calibrated.thresholds)
        assert (again.n, again.coverage) == (n, COVERAGE)


@each
def test_refuses_no_items_and_no_coverage(name: str) -> None:
    method, rng = CONFORMAL.create(name), np.random.default_rng(0)
    nothing = Sample(probabilities=np.empty((0, 3)), truth=np.empty((0, 3), dtype=bool))
    with pytest.raises(NotEnoughDataError):
        method.calibrate(nothing, COVERAGE, rng)
    with pytest.raises(ShapeError, match="between 0 and 1"):
        method.calibrate(drawn(name, 20, 1), 1.0, rng)
