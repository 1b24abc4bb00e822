"""Selection by how far teachers' texts lie apart."""

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.selection.disagreement import Disagreement
from learning.types import Pool


def pick(apart, n: int, **fields):
    every = np.ones(len(apart), dtype=bool)
    known = {"eligible": every, "labelled": ~every, "apart": np.asarray(apart, dtype=np.float32)}
    pool = Pool(**{**known, **fields})
    return Disagreement().select(pool, n, np.random.default_rng(0))


def test_the_farthest_come_first_and_what_cannot_be_compared_last() -> None:
    picked = pick([0.1, np.nan, 0.62, 0.0, np.nan, 0.62], 6)
    assert picked.rows.tolist()[:4] == [2, 5, 0, 3]
    assert set(picked.rows.tolist()[4:]) == {1, 4}
    assert picked.reasons[0] == "two teachers' texts differ in 62 % of their characters"
    assert picked.reasons[4] == (
        "drawn at random, 2 of 2 waiting items; fewer than two teachers wrote about it"
    )
    assert picked.probabilities.tolist() == [1.0] * 6


def test_the_rest_are_representatives_where_items_are_encoded() -> None:
    points = np.eye(6, dtype=np.float32)
    picked = pick([np.nan] * 5 + [0.3], 3, encodings=points)
    assert picked.rows[0] == 5
    assert all("waiting" in reason and "fewer than" in reason for reason in picked.reasons[1:])


def test_without_any_two_texts_it_says_what_it_does_instead() -> None:
    picked = pick([np.nan] * 3, 2)
    assert all(reason.endswith("; no item has two texts") for reason in picked.reasons)
    assert picked.probabilities.tolist() == [2 / 3] * 2


def test_only_waiting_items_count() -> None:
    eligible = np.array([False, True, True])
    assert pick([0.9, 0.2, 0.4], 5, eligible=eligible).rows.tolist() == [2, 1]


def test_a_pool_that_does_not_tell_or_tells_no_shares_is_refused() -> None:
    every = np.ones(2, dtype=bool)
    pool = Pool(eligible=every, labelled=~every)
    with pytest.raises(NotEnoughDataError, match="write texts"):
        Disagreement().select(pool, 1, np.random.default_rng(0))
    with pytest.raises(ShapeError, match="share"):
        pick([1.5, 0.2], 1)
