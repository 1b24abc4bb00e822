"""Metrics against their textbook values and scipy / scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning import metrics
from learning.errors import ShapeError


@given(st.integers(0, 300), st.integers(0, 300), st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=60, deadline=None)
def test_intervals_agree_with_scipy(successes: int, failures: int, confidence: float) -> None:
    from scipy.stats import binomtest

    n = successes + failures
    if n == 0:
        assert metrics.wilson(0, 0) == metrics.clopper_pearson(0, 0) == (0, 1)
        return
    test = binomtest(successes, n)
    exact = test.proportion_ci(confidence, "exact")
    assert metrics.clopper_pearson(successes, n, confidence) == pytest.approx(
        tuple(exact), abs=1e-9
    )
    score = test.proportion_ci(confidence, "wilson")
    assert metrics.wilson(successes, n, confidence) == pytest.approx(tuple(score), abs=1e-9)


@pytest.mark.parametrize("wrong", [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 0.0), (1, 3, 1.0)])
def test_refuses_what_is_no_share(wrong: tuple) -> None:
    with pytest.raises(ShapeError):
        metrics.wilson(*wrong)


def test_f1_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    expected = f1_score(truth, predicted, average="macro")
    assert metrics.macro_f1(truth, predicted, 9) == pytest.approx(expected)
    t, p = rng.random((200, 6)) < 0.3, rng.random((200, 6)) < 0.3
    micro, macro = metrics.micro_macro_f1(t, p)
    assert micro == pytest.approx(f1_score(t, p, average="micro"))
    assert macro == pytest.approx(f1_score(t, p, average="macro"))


def test_labels_that_never_occur_do_not_count() -> None:
    nothing = np.zeros((3, 2), dtype=bool)
    assert metrics.micro_macro_f1(nothing, nothing) == (1, 1)
    one = nothing.copy()
    one[:, 0] = True
    assert metrics.micro_macro_f1(one, one) == (1, 1)


def test_calibration_error_of_a_known_case() -> None:
    confidence = np.array([0.95, 0.95, 0.55, 0.55])
    correct = np.array([True, True, True, False])
    assert metrics.calibration_error(confidence, correct) == pytest.approx(0.05)


def test_nothing_to_measure_is_refused() -> None:
    with pytest.raises(ShapeError, match="nothing to measure"):
        metrics.accuracy(np.empty(0, int), np.empty(0, int))
    with pytest.raises(ShapeError, match="differ"):
        metrics.accuracy(np.zeros(2, int), np.zeros(3, int))
