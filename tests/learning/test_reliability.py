"""Confidence beside outcomes."""

import numpy as np
import pytest

from learning.audit.reliability import reliability
from learning.errors import ShapeError


def test_bins_tell_what_was_stated_and_what_was_right() -> None:
    confidence = np.array([0.95, 0.95, 0.95, 0.95, 0.35, 0.35])
    right = np.array([True, True, True, False, True, False])
    found = reliability(confidence, right)
    low, high = found.bins
    assert (low.stated, low.right.value, low.right.n) == (pytest.approx(0.35), 0.5, 2)
    assert (high.stated, high.right.value, high.right.n) == (pytest.approx(0.95), 0.75, 4)
    assert found.error == pytest.approx((2 * 0.15 + 4 * 0.2) / 6)
    assert (found.stated, found.right.value) == (pytest.approx(0.75), pytest.approx(4 / 6))


def test_certainty_has_a_bin_and_nonsense_has_none() -> None:
    assert reliability(np.array([1.0, 0.0]), np.array([True, False])).error == 0
    with pytest.raises(ShapeError):
        reliability(np.array([1.2]), np.array([True]))
    with pytest.raises(ShapeError):
        reliability(np.array([]), np.array([], dtype=bool))
