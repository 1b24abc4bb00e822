"""Which of two is better, going round in a circle: which answers are accused, and how often rightly."""

import numpy as np
import pytest

from learning.audit.circles import circles
from learning.errors import ShapeError
from learning.rankers.bradley_terry import SPREADS, chance_of, compare

A, B, C, D = range(4)


def looked(rows, sure=()):
    """rows: (first, second, outcome)."""
    first, second, outcome = (np.array(side) for side in zip(*rows, strict=True))
    return circles(first, second, outcome, np.isin(np.arange(len(rows)), sure))


def drawn(texts, pairs, seed, *, spread=3.0, flipped=0.1):
    """Different pairs compared once each by Bradley and Terry's model, some answers flipped afterwards.

    (first, second, outcome, which were flipped, which are for the worse text)
    """
    rng = np.random.default_rng(seed)
    every = np.stack(np.triu_indices(texts, 1))
    first, second = every[:, rng.choice(every.shape[1], pairs, replace=False)]
    turned = rng.random(pairs) < 0.5
    first, second = np.where(turned, second, first), np.where(turned, first, second)
    utility = rng.normal(size=texts) * spread
    chance = 1 / (1 + np.exp(utility[second] - utility[first]))
    outcome = np.where(rng.random(pairs) < chance, 1, -1)
    wrong = rng.random(pairs) < flipped
    outcome = np.where(wrong, -outcome, outcome)
    return first, second, outcome, wrong, outcome * (utility[first] - utility[second]) < 0


class TestOneCircle:
    def test_of_three_that_go_round_the_one_that_others_contradict_is_accused(self):
        rows = [(A, B, 1), (B, C, 1), (C, A, 1), (A, D, 1), (D, C, 1), (C, 4, -1), (4, A, -1)]
        found = looked(rows)
        assert [row for row, one in enumerate(found) if one] == [2]
        assert found[2].others in {(0, 1), (3, 4), (6, 5)}, "A over B, B over C, or by another text"
        assert found[2].score < 0.45 < found[2].others_score
        assert (found[2].circles, found[2].triples, found[2].is_even) == (3, 3, False)

    def test_three_alone_are_accused_alike_since_nothing_tells_which_is_wrong(self):
        found = looked([(A, B, 1), (C, B, -1), (A, C, -1)])
        assert [one.others for one in found] == [(1, 2), (2, 0), (0, 1)]
        assert all(one.is_even for one in found)
        assert max(one.score for one in found) - min(one.score for one in found) < 1e-3

    def test_what_a_reviewer_said_is_not_accused(self):
        found = looked([(A, B, 1), (B, C, 1), (C, A, 1)], sure=[0])
        assert found[0] is None
        assert found[1].others == (2, 0)
        assert not any(looked([(A, B, 1), (B, C, 1), (C, A, 1)], sure=[0, 1, 2]))

    def test_nor_where_somebody_else_said_the_same_of_the_same_texts(self):
        against = [(B, A, 1), (B, D, 1), (D, A, 1), (C, A, 1), (B, C, 1), (B, 4, 1), (4, A, 1)]
        found = looked([(A, B, 1), (A, B, 1), *against], sure=[0])
        assert found[0] is None
        assert found[1].score < 0.5

    def test_ties_close_no_circle(self):
        assert not any(looked([(A, B, 1), (B, C, 1), (C, A, 0)]))
        assert not any(looked([(A, B, 0), (B, C, 0), (C, A, 0)]))

    def test_an_order_is_no_circle(self):
        assert not any(looked([(A, B, 1), (B, C, 1), (A, C, 1), (C, D, 1), (D, A, -1)]))

    def test_the_same_two_texts_the_other_way_round_contradict_each_other(self):
        rows = [(A, B, 1), (B, A, 1), (A, C, 1), (C, B, 1)]
        found = looked(rows)
        assert [row for row, one in enumerate(found) if one] == [1]
        assert found[1].others == (0,)

    def test_a_text_beside_itself_and_no_answers_at_all_say_nothing(self):
        assert looked([(A, A, 1), (A, A, -1)]) == [None, None]
        none = np.zeros(0, dtype=np.int64)
        assert circles(none, none, none, none.astype(bool)) == []


class TestPlanted:
    """Precision has margins below what was measured (docs/quality-measured.md): seeds 0 to 7 gave 0.57 and 0.88."""

    def test_most_accused_answers_are_for_the_worse_text_and_half_were_flipped(self):
        flipped, worse, known = [], [], []
        for seed in range(3):
            *rows, wrong, against = drawn(200, 2_000, seed)
            found = circles(*rows, np.zeros(2_000, dtype=bool))
            hit = np.array([one is not None for one in found])
            flipped.append(wrong[hit].mean())
            worse.append(against[hit].mean())
            known.append(hit[wrong].mean())
        assert np.mean(flipped) > 0.45, "a tenth of all answers were flipped"
        assert np.mean(worse) > 0.75, "a fifth of all answers are for the worse text"
        assert np.mean(known) > 0.25

    def test_the_less_likely_an_accused_answer_the_likelier_it_was_flipped(self):
        *rows, wrong, _ = drawn(200, 2_000, 5)
        found = circles(*rows, np.zeros(2_000, dtype=bool))
        scores = np.array([1 if one is None else one.score for one in found])
        assert wrong[scores < 0.25].mean() > 0.6
        assert wrong[scores < 0.25].mean() > wrong[(scores >= 0.25) & (scores < 0.5)].mean() + 0.2

    def test_which_side_a_text_stands_on_changes_nothing(self):
        first, second, outcome, *_ = drawn(40, 300, 1)
        found = circles(first, second, outcome, np.zeros(300, dtype=bool))
        turned = circles(second, first, -outcome, np.zeros(300, dtype=bool))
        assert [one and one.others for one in found] == [one and one.others for one in turned]


class TestBradleyTerry:
    def test_leaving_an_answer_out_is_close_to_a_fit_without_it(self):
        first, second, outcome, *_ = drawn(40, 300, 2)
        said = compare(first, second, outcome, 40)
        for row in range(0, 300, 30):
            rest = np.arange(300) != row
            fits = compare(first[rest], second[rest], outcome[rest], 40)
            assert fits.spread == said.spread
            apart = fits.utility[first[row]] - fits.utility[second[row]]
            assert said.without[row] == pytest.approx(apart, abs=0.25)

    def test_utilities_order_texts_as_they_are_and_chances_are_calibrated(self):
        first, second, outcome, *_ = drawn(60, 1_500, 3, flipped=0.0, spread=2.0)
        said = compare(first, second, outcome, 60)
        chance = chance_of(np.ones(1_500), said.without, said.log_tie)
        for low, high in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.9)):
            own = (chance >= low) & (chance < high)
            assert (outcome[own] > 0).mean() == pytest.approx(chance[own].mean(), abs=0.1)

    def test_ties_say_that_texts_are_alike(self):
        rows = [(A, B, 1), (A, C, 0), (B, C, -1), (A, C, 0), (B, D, 0), (D, A, -1)]
        said = compare(*(np.array(side) for side in zip(*rows, strict=True)), 4)
        u = said.utility
        near, far = abs(u[A] - u[C]), min(u[A], u[C]) - max(u[B], u[D])
        assert near < 0.5 < far
        assert abs(u[B] - u[D]) < 0.5
        assert said.spread in SPREADS

    def test_a_text_beside_itself_is_refused(self):
        with pytest.raises(ShapeError, match="itself"):
            compare(np.array([0]), np.array([0]), np.array([1]), 1)
