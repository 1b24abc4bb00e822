"""The fast way from float16 to float32 is exact."""

import numpy as np
import pytest

from learning.halves import single


def test_every_half_becomes_the_same_number() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(-1, 64)
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(single(every), every.astype(np.float32))


def test_rows_that_are_not_finite_do_not_spoil_their_neighbours() -> None:
    rows = np.linspace(-1, 1, 6000 * 100, dtype=np.float16).reshape(6000, 100)
    rows[4000, 3] = np.nan
    rows[10, 0] = -np.inf
    np.testing.assert_array_equal(single(rows), rows.astype(np.float32))


@pytest.mark.parametrize("shape", [(0, 8), (5, 0), (1, 1)])
def test_small_and_empty_tables_keep_their_shape(shape: tuple[int, int]) -> None:
    assert single(np.zeros(shape, dtype=np.float16)).shape == shape


def test_strided_rows_are_read_as_they_are() -> None:
    table = np.arange(600, dtype=np.float16).reshape(20, 30)
    np.testing.assert_array_equal(single(table[::2, 3:9]), table[::2, 3:9].astype(np.float32))


def test_what_is_float32_is_not_copied() -> None:
    table = np.ones((3, 4), dtype=np.float32)
    assert single(table) is table
