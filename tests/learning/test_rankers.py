"""Orders as chances: Plackett and Luce's cost, Davidson's ties, and what is said of a list."""

from itertools import permutations

import numpy as np
import pytest

from learning.errors import ShapeError
from learning.rankers import davidson
from learning.rankers.head import FittedOrderHead, OrderHead, prior
from learning.rankers.plackett_luce import Orders
from learning.rankers.scores import metrics, pairs_interval, right_pairs, tau_b
from learning.rankers.types import Lists, Ordered, Ranked, places_of
from learning.students.strength import Choice
from learning.types import no_report


def one_list(places, dimensions=3, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(len(places) + 1, dimensions))
    lists = Lists(starts=np.array([0, len(vectors)]), vectors=vectors.astype(np.float32))
    return Ranked(lists=lists, places=[np.array(places)])


def test_the_chances_of_all_orders_of_a_list_sum_to_one():
    utility = np.array([0.3, -1.2, 0.8, 0.1], dtype=np.float32)
    costs = [Orders.of(one_list(places)).cost(utility)[0][0] for places in permutations(range(4))]
    assert np.exp(-np.array(costs)).sum() == pytest.approx(1)
    best = Orders.of(one_list([1, 3, 0, 2])).cost(utility)[0][0]
    assert best == min(costs)


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [0, 1, 1, 2], [1, 0, 0, 0], [0, 0, 1, 1]])
def test_the_slope_is_that_of_the_cost_with_ties_and_weights_too(places):
    two = Ranked(
        lists=Lists(starts=np.array([0, 5, 8]), vectors=np.zeros((8, 2), dtype=np.float32)),
        places=[np.array(places), np.array([1, 0])],
        weights=np.array([0.5, 2.0]),
    )
    orders, at = Orders.of(two), np.array([0.2, -0.4, 1.0, 0.3, 0.7, -0.1])
    _, slope = orders.cost(at)
    for place in range(6):
        step = np.zeros(6)
        step[place] = 1e-5
        there, here = (orders.cost(at + s)[0] @ orders.weight for s in (step, -step))
        assert slope[place] == pytest.approx((there - here) / 2e-5, abs=1e-5)


def test_ties_are_as_likely_as_they_were_and_join_neighbours():
    rng = np.random.default_rng(0)
    difference = rng.normal(size=4_000)
    first, second = davidson.chances(difference, 0.5)
    assert (first + second < 1).all()
    drawn = rng.random(4_000)
    outcome = np.where(drawn < first, 1, np.where(drawn < first + second, -1, 0))
    assert davidson.tie_of(difference, outcome) == pytest.approx(0.5, abs=0.26)
    assert davidson.width_of(0.5) == 1
    assert davidson.width_of(-3) == 0
    far, _ = davidson.chances(np.array([900.0]), 2.0)
    assert far == pytest.approx(1)
    utility = np.array([0.0, 2.0, 1.5, -4.0, 0.9], dtype=np.float32)
    said = Ordered(
        starts=np.array([0, 5]), utility=utility, width=1.0, margins=np.ones(1, dtype=np.float32)
    )
    assert said.order(0) == [[2, 3], [1, 5], [4]]


def test_a_list_is_in_doubt_by_its_neighbours():
    utility = np.array([5.0, 0.0, 0.1, 0.0, 0.0, 9.0], dtype=np.float32)
    margins = davidson.margins_of(utility, np.array([0, 2, 4, 5, 6]), -6)
    assert margins[0] > 0.9
    assert margins[1] < 0.1
    assert margins[2:].tolist() == [1, 1], "one candidate is in no doubt"


def test_without_answers_that_say_otherwise_the_cosine_decides():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lists = Lists(starts=np.arange(0, 61, 6), vectors=vectors.astype(np.float32))
    head = FittedOrderHead(weights=prior(16, 10), log_tie=-6, choice=Choice())
    said = head.order(lists)
    for at in range(10):
        own = vectors[6 * at : 6 * at + 6]
        np.testing.assert_allclose(said.utilities(at), 10 * own[1:] @ own[0], atol=1e-5)
    two = Ranked(
        lists=lists.subset(np.arange(2)),
        places=[np.argsort(np.argsort(-said.utilities(at))) for at in range(2)],
    )
    learnt = OrderHead().fit(two, np.random.default_rng(0), no_report).order(lists)
    same = [
        np.array_equal(np.argsort(learnt.utilities(at)), np.argsort(said.utilities(at)))
        for at in range(10)
    ]
    assert np.mean(same) > 0.7


def test_figures_of_orders_count_ties_half_and_are_no_surer_than_their_pairs():
    truth = [{"order": [[1], [2], [3]]}, {"order": [[1, 2], [3]]}]
    said = [{"order": [[1], [3], [2]]}, {"order": [[1], [2], [3]]}]
    assert right_pairs(truth, said).tolist() == [[2, 3], [2.5, 3]]
    found = metrics(truth, said)
    assert found["pairs_right"] == pytest.approx((2 / 3 + 2.5 / 3) / 2)
    assert found["tau_b"] == pytest.approx((1 / 3 + 2 / 6**0.5) / 2)
    assert found["exact_items"] == 0
    assert tau_b({"order": [[1, 2, 3]]}, said[0]) == 0
    low, high = pairs_interval(right_pairs(truth, truth), np.random.default_rng(0))
    assert low < 0.7
    assert high == 1
    assert pairs_interval(np.zeros((0, 2)), np.random.default_rng(0)) == (0, 1)
    assert places_of([[2], [1, 3]]).tolist() == [1, 0, 1]


def test_lists_and_orders_of_other_lengths_are_refused():
    with pytest.raises(ShapeError, match="begin at"):
        Lists(starts=np.array([0, 3]), vectors=np.zeros((2, 1)))
    with pytest.raises(ShapeError, match="each candidate"):
        Ranked(
            lists=Lists(starts=np.array([0, 3]), vectors=np.zeros((3, 1))), places=[np.array([0])]
        )
    with pytest.raises(ShapeError, match="4 dimensions, not 3"):
        FittedOrderHead(weights=prior(4, 1), log_tie=0, choice=Choice()).order(
            one_list([0, 1]).lists
        )
