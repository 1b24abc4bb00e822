"""Pairs of places, each place once."""

from hypothesis import given
from hypothesis import strategies as st

from learning.matching import one_to_one

PLACES = st.integers(0, 4)
NEAR = st.lists(st.tuples(PLACES, PLACES, st.floats(0, 1)), max_size=20)


def test_the_most_alike_are_paired_first_and_nobody_twice():
    near = [(0, 0, 0.8), (1, 0, 0.9), (1, 1, 0.7), (0, 1, 0.6), (2, 1, 0.5)]
    assert one_to_one(near) == [(1, 0, 0.9), (0, 1, 0.6)]


@given(NEAR)
def test_each_place_is_in_one_pair_at_most_and_none_that_could_be_is_left(near):
    found = one_to_one(near)
    here, there = {at for at, _, _ in found}, {to for _, to, _ in found}
    assert len(here) == len(there) == len(found)
    assert all(at in here or to in there for at, to, _ in near)
