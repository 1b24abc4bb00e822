"""Which rows are predicted out of fold where there are more than can be."""

import numpy as np

from learning.students.folds import some_to_fold

NUMBERS = np.arange(100, 200)


def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_first_are_folded_in_their_order_and_the_place_goes_to_rows_of_the_lesson_alone() -> (
    None
):
    rows = some_to_fold(NUMBERS, [180, 7, 110, 120], 2, rng())
    assert rows.tolist() == [10, 80]


def test_chance_fills_what_the_first_leave() -> None:
    drawn = [
        set(some_to_fold(NUMBERS, [180], 30, np.random.default_rng(seed)).tolist())
        for seed in (1, 2)
    ]
    assert all(len(rows) == 30 and 80 in rows for rows in drawn)
    assert drawn[0] != drawn[1]


def test_all_rows_are_folded_where_they_can_be() -> None:
    assert some_to_fold(NUMBERS, [150], 500, rng()).tolist() == list(range(100))
