"""Selection by length: short and long texts from the first picks on."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError
from learning.selection.length import Length, visits
from learning.types import Pool


def pool_of(lengths, **fields) -> Pool:
    every = np.ones(len(lengths), dtype=bool)
    known = {"eligible": every, "labelled": ~every, "lengths": np.asarray(lengths)}
    return Pool(**{**known, **fields})


def pick(lengths, n: int, seed: int = 0, **fields):
    return Length().select(pool_of(lengths, **fields), n, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(5))
def test_every_beginning_of_the_list_holds_short_and_long_texts(seed) -> None:
    lengths = np.random.default_rng(seed).lognormal(5, 1, 3_000).astype(int)
    tenth = np.argsort(np.argsort(lengths)) * 10 // 3_000
    rows = pick(lengths, 400, seed).rows
    for taken in range(20, 400):
        each = np.bincount(tenth[rows[:taken]], minlength=10)
        assert each.min() >= 1, "a tenth is left out"
        assert abs(each - taken / 10).max() <= 4, "chance alone is up to ten off"


def test_reasons_say_how_long_a_text_is_beside_the_waiting_ones() -> None:
    picked = pick([1240, *range(1, 20)], 20)
    told = dict(zip(picked.rows.tolist(), picked.reasons, strict=True))
    assert told[0] == "1,240 characters: among the longest tenth of the 20 waiting items"
    assert told[1] == "1 character: among the shortest tenth of the 20 waiting items"
    assert told[10] == "10 characters: longer than 45 % of the 20 waiting items"


def test_only_waiting_items_count() -> None:
    eligible = np.array([True, True, True, False])
    picked = pick([5, 6, 7, 9000], 4, eligible=eligible)
    assert sorted(picked.rows.tolist()) == [0, 1, 2]
    assert {reason.rpartition(" the ")[2] for reason in picked.reasons} == {"3 waiting items"}


def test_every_item_is_drawn_as_often_as_the_selection_says() -> None:
    lengths = [3, 3, 3, 50, 60, 70, 900]
    times = np.zeros(7)
    for seed in range(700):
        picked = pick(lengths, 3, seed)
        times[picked.rows] += 1
    assert picked.probabilities.tolist() == [3 / 7] * 3
    assert abs(times / 700 - 3 / 7).max() < 0.07


def test_texts_of_one_length_are_told_apart_by_chance() -> None:
    first = {pick([80] * 50, 1, seed).rows[0] for seed in range(20)}
    assert len(first) > 10
    assert pick([80] * 50, 1).reasons == ["80 characters: longer than 0 % of the 50 waiting items"]


@pytest.mark.parametrize("places", [1, 2, 3, 10, 1_000, 1_024, 1_025])
def test_every_place_is_visited_once(places) -> None:
    assert sorted(visits(places, places).tolist()) == list(range(places))


def test_a_pool_without_texts_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="there are none"):
        Length().select(replace(pool_of([1, 2]), lengths=None), 1, np.random.default_rng(0))
