"""The rule by which one student takes another's place: right in its numbers, seldom wrong by luck."""

import math

import numpy as np
import pytest

from learning.audit import promotion
from learning.audit.promotion import (
    ALPHA,
    FEWEST_FRESH,
    answers_to_win,
    challenge,
    compare,
    level,
    refit,
    scores,
)


def rng():
    return np.random.default_rng(5)


def pair(wins, losses, both, neither=0):
    """Scores of two students on so many items."""
    one = np.repeat([1.0, 0.0, 1.0, 0.0], [wins, losses, both, neither])
    other = np.repeat([0.0, 1.0, 1.0, 0.0], [wins, losses, both, neither])
    return compare(one, other, rng())


def test_the_tails_are_those_of_mcnemars_exact_test():
    found = pair(wins=9, losses=1, both=40)
    assert found.p_better == pytest.approx(11 / 2**10)
    assert found.p_worse == pytest.approx(1 - 1 / 2**10)
    assert found.p == pytest.approx(22 / 2**10)
    assert found.difference == pytest.approx(0.16)
    assert found.low < 0.16 < found.high


def test_graded_scores_give_what_counting_all_signs_gives():
    gap = np.array([0.5, 0.25, -0.5, 1.0, 0.75, 0.5])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1)
    exact = float(np.mean(gap @ signs >= gap.sum() - 1e-9))
    found = compare(np.maximum(gap, 0), np.maximum(-gap, 0), rng())
    assert found.p_better == pytest.approx(exact, abs=4 * math.sqrt(exact / promotion.FLIPS))


def test_scores_are_right_or_wrong_with_one_label_and_graded_with_several():
    truth = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=bool)
    said = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]], dtype=bool)
    assert scores(truth, said).tolist() == [0.0, 0.5, 1.0, 0.0]


def test_the_interval_of_the_difference_holds_the_truth():
    draw, held = np.random.default_rng(2), 0
    for _ in range(400):
        u = draw.random(80)
        found = compare((u < 0.12).astype(float), ((u > 0.3) & (u < 0.36)).astype(float), rng())
        held += found.low <= 0.06 <= found.high
    assert held / 400 > 0.92


def test_a_refit_stays_out_only_where_it_is_surely_worse_by_five_points():
    assert refit(compare(np.zeros(0), np.zeros(0), rng())).takes_over
    assert refit(pair(wins=5, losses=12, both=100)).takes_over, "this may be chance"
    assert refit(pair(wins=40, losses=80, both=3000)).takes_over, "surely worse, by little"
    assert not refit(pair(wins=0, losses=20, both=100)).takes_over


def test_another_recipe_waits_for_answers_and_then_has_to_win():
    early = challenge(pair(9, 1, 40), tests=0, fresh=FEWEST_FRESH - 12)
    assert (early.takes_over, early.missing, early.alpha) == (False, 12, None)
    few = challenge(pair(9, 1, 20), tests=0, fresh=200)
    assert (few.takes_over, few.missing) == (False, 20), "on items that both may be judged on"
    assert challenge(pair(12, 2, 60), tests=0, fresh=50).takes_over
    assert not challenge(pair(9, 5, 60), tests=0, fresh=50).takes_over
    assert not challenge(pair(12, 2, 60), tests=9, fresh=50).takes_over, "later tests are stricter"


def test_all_levels_together_are_no_more_than_alpha():
    parts = [level(test) for test in range(1, 60)]
    assert parts == sorted(parts, reverse=True)
    assert sum(parts) == pytest.approx(ALPHA)


@pytest.mark.parametrize(("gap", "at_least", "at_most"), [(0.0, 0.0, ALPHA), (0.12, 0.85, 1.0)])
def test_a_recipe_that_is_no_better_seldom_wins_however_often_it_is_tested(gap, at_least, at_most):
    """400 projects, tested after each 50 answers up to 300; the recipes differ on a fifth of them."""
    draw, projects, won = np.random.default_rng(0), 400, 0
    for _ in range(projects):
        u = draw.random(300)
        one, other = u < (0.2 + gap) / 2, (u >= (0.2 + gap) / 2) & (u < 0.2)
        for test in range(6):
            seen = slice(0, 50 * (test + 1))
            found = compare(one[seen].astype(float), other[seen].astype(float), draw)
            if challenge(found, tests=test, fresh=50).takes_over:
                won += 1
                break
    assert at_least <= won / projects <= at_most


def test_what_it_says_a_win_takes_is_about_what_it_takes():
    ahead = pair(wins=14, losses=8, both=78)
    needed = answers_to_win(ahead, 1)
    scale = needed / ahead.n
    grown = pair(round(14 * scale), round(8 * scale), round(78 * scale))
    assert needed > ahead.n
    assert grown.p_better == pytest.approx(level(1), rel=0.8)
    assert answers_to_win(pair(4, 9, 50), 1) is None
