"""Robust active distillation: the game, the draw, and what it buys."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from learning.errors import NeedsStudentError, NotEnoughDataError
from learning.selection.margin import Margin
from learning.selection.rad import LEAST_GAIN, Rad, draw, play, wrong_items
from learning.types import Pool
from tests.contracts.plugins import a_pool

games = st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=14).flatmap(
    lambda gains: st.tuples(st.just(np.array(gains)), st.integers(0, len(gains) - 1))
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pool_of(gains: np.ndarray, error: float | None) -> Pool:
    every = np.ones(len(gains), dtype=bool)
    top = 1 - gains / 2
    return Pool(
        eligible=every,
        labelled=~every,
        probabilities=np.stack([top, 1 - top], axis=1),
        teacher_error=error,
    )


def worst_case(p: np.ndarray, gain: np.ndarray, wrong: int) -> float:
    """What p gains when the adversary takes away the `wrong` largest products."""
    return float(np.sort(p * gain)[: len(gain) - wrong].sum())


def value_by_linear_program(gain: np.ndarray, wrong: int) -> float:
    """max over p of min over C: the inner minimum by its dual (p_i g_i <= s + t_i)."""
    n = len(gain)
    cost = np.concatenate([-gain, [wrong], np.ones(n)])
    above = np.hstack([np.diag(gain), -np.ones((n, 1)), -np.eye(n)])
    done = linprog(
        cost,
        A_ub=above,
        b_ub=np.zeros(n),
        A_eq=np.concatenate([np.ones(n), np.zeros(n + 1)])[None],
        b_eq=[1],
        bounds=[(0, None)] * (2 * n + 1),
    )
    assert done.success
    return float(-done.fun)


class TestGame:
    @given(games)
    @settings(max_examples=150, deadline=None)
    def test_the_closed_form_is_the_optimum_of_the_linear_program(self, game) -> None:
        gain, wrong = game
        assert play(gain, wrong).value == pytest.approx(
            value_by_linear_program(gain, wrong), rel=1e-6, abs=1e-9
        )

    @given(games)
    @settings(max_examples=300, deadline=None)
    def test_the_adversary_leaves_exactly_the_value(self, game) -> None:
        gain, wrong = game
        found = play(gain, wrong)
        assert found.probabilities.sum() == pytest.approx(1)
        assert worst_case(found.probabilities, gain, wrong) == pytest.approx(found.value)

    @given(games)
    @settings(max_examples=300, deadline=None)
    def test_more_doubt_within_the_support_means_a_rarer_draw(self, game) -> None:
        found = play(game[0], game[1])
        gain, p = game[0][found.support], found.probabilities[found.support]
        assert (np.diff(p[np.argsort(gain, kind="stable")]) <= 1e-12).all()
        assert game[0][~found.support].max(initial=0) < gain.min()
        assert not found.probabilities[~found.support].any()

    def test_the_figures_of_the_card(self) -> None:
        """2,000 Beta(0.5, 1.5) gains: how much of the pool is in support, how likely at most."""
        gain = np.maximum(rng(0).beta(0.5, 1.5, size=2000), LEAST_GAIN)
        shares, tops = [], []
        for error in (0.05, 0.1, 0.2, 0.4):
            found = play(gain, wrong_items(2000, error))
            shares.append(found.support.mean())
            tops.append(found.probabilities.max() * 2000)
        assert shares == pytest.approx([0.19, 0.29, 0.42, 0.63], abs=0.03)
        assert tops == pytest.approx([7.1, 5.3, 4.6, 4.4], abs=0.4)

    def test_how_many_are_wrong(self) -> None:
        assert [wrong_items(2000, e) for e in (0, 0.05, 0.0501, 1)] == [0, 100, 101, 1999]
        assert wrong_items(0, 0.3) == 0


class TestDraw:
    p = play(np.linspace(0.05, 1, 40) ** 2, 6).probabilities

    @pytest.mark.parametrize("take", [1, 3, 12])
    def test_weighting_by_the_inverse_probability_is_unbiased(self, take: int) -> None:
        """In the mean over many draws, each item of the support weighs 1; plain p would not."""
        runs = 20_000
        weight, plain = np.zeros(40), np.zeros(40)
        generator = rng(1)
        for _ in range(runs):
            chosen, likely = draw(self.p, take, generator)
            weight[chosen] += 1 / likely
            plain[chosen] += 1 / np.minimum(1, take * self.p[chosen])
        supported = self.p > 0
        assert not weight[~supported].any()
        assert weight[supported].mean() / runs == pytest.approx(1, abs=0.02)
        assert weight[supported] / runs == pytest.approx(np.ones(supported.sum()), abs=0.15)
        if take == 12:
            assert np.abs(plain[supported] / runs - 1).max() > 0.1

    def test_the_first_draw_follows_p_and_the_next_p_without_the_first(self) -> None:
        p = np.array([0.6, 0.3, 0.1])
        generator = rng(2)
        pairs = [tuple(draw(p, 2, generator)[0].tolist()) for _ in range(6000)]
        for pair, expected in {(0, 1): 0.6 * 0.3 / 0.4, (2, 0): 0.1 * 0.6 / 0.9}.items():
            assert binomtest(pairs.count(pair), 6000, expected).pvalue > 1e-3

    def test_a_single_draw_has_probability_p(self) -> None:
        chosen, likely = draw(self.p, 1, rng(3))
        assert likely.tolist() == self.p[chosen].tolist()


class TestSelect:
    gains = np.round(rng(4).beta(0.5, 1.5, size=300), 2)

    def test_no_error_gives_smallest_margin(self) -> None:
        pool = pool_of(self.gains, 0.0)
        ours = Rad().select(pool, 60, rng(5))
        theirs = Margin().select(pool, 60, rng(5))
        assert sorted(self.gains[ours.rows]) == sorted(self.gains[theirs.rows])
        assert (np.diff(self.gains[ours.rows]) <= 0).all()
        at_edge = self.gains[ours.rows] == self.gains[ours.rows].min()
        assert (ours.probabilities[~at_edge] == 1).all()

    def test_equal_doubt_leaves_it_to_chance_and_says_how_likely(self) -> None:
        picked = Rad().select(pool_of(np.full(50, 0.7), 0.0), 10, rng(6))
        assert picked.probabilities.mean() == pytest.approx(0.2, abs=0.1)

    def test_a_support_smaller_than_the_batch_is_taken_whole_and_filled_by_gain(self) -> None:
        pool = pool_of(np.linspace(1, 0.01, 100) ** 3, 0.02)
        supported = int(play(np.linspace(1, 0.01, 100) ** 3, 2).support.sum())
        picked = Rad().select(pool, supported + 5, rng(7))
        assert picked.rows.tolist() == list(range(supported + 5))
        assert (picked.probabilities == 1).all()
        assert "taken without chance" in picked.reasons[0]

    def test_reason_names_doubt_rank_and_probability(self) -> None:
        picked = Rad().select(pool_of(np.linspace(0.9, 0.02, 300), 0.3), 5, rng(8))
        doubt = np.linspace(0.9, 0.02, 300)[picked.rows[0]]
        assert picked.reasons[0] == (
            f"worth a teacher's answer: doubt {doubt:.2f}, rank {picked.rows[0] + 1} of 300, "
            f"drawn with probability {100 * picked.probabilities[0]:.1f} % from the "
            f"{int(play(np.linspace(0.9, 0.02, 300), 90).support.sum())} worth asking"
        )

    def test_refuses_without_student_or_error_rate(self) -> None:
        with pytest.raises(NeedsStudentError, match="student"):
            Rad().select(replace(a_pool(), probabilities=None), 3, rng())
        with pytest.raises(NotEnoughDataError, match="how often the teacher errs"):
            Rad().select(replace(a_pool(), teacher_error=None), 3, rng())


def test_a_million_gains_in_a_second_and_a_half() -> None:
    every = np.ones(1_000_000, dtype=bool)
    pool = Pool(
        eligible=every,
        labelled=~every,
        probabilities=np.full((1_000_000, 2), 0.5, dtype=np.float32),
        margins=rng(0).random(1_000_000, dtype=np.float32),
        teacher_error=0.2,
    )
    began = time.process_time()
    Rad().select(pool, 100, rng(1))
    assert time.process_time() - began < 1.5


def bought_wrong_labels(strategy: str, seed: int) -> float:
    """Share of wrong labels among those bought in 4 rounds of 40, from a teacher who is wrong on
    the quarter of the items that lie nearest a boundary."""
    generator = rng(seed)
    points, truth = load_digits(return_X_y=True)
    kept = generator.permutation(len(points))[:800]
    points, truth = points[kept] / 16, truth[kept]
    judge = LogisticRegression(C=0.05, max_iter=40).fit(points, truth).predict_proba(points)
    own = judge[np.arange(800), truth]
    wrong = np.argsort(own + 0.1 * generator.random(800))[:200]
    answer = truth.copy()
    answer[wrong] = (truth[wrong] + 1 + generator.integers(9, size=200)) % 10
    labelled = np.zeros(800, dtype=bool)
    labelled[generator.choice(800, size=40, replace=False)] = True
    for _ in range(4):
        student = LogisticRegression(max_iter=25).fit(points[labelled], answer[labelled])
        probabilities = student.predict_proba(points).astype(np.float32)
        pool = Pool(
            eligible=~labelled, labelled=labelled, probabilities=probabilities, teacher_error=0.25
        )
        if strategy == "random":
            rows = generator.choice(pool.candidates(), size=40, replace=False)
        else:
            rows = {"margin": Margin, "rad": Rad}[strategy]().select(pool, 40, generator).rows
        labelled[rows] = True
    return float(np.isin(np.flatnonzero(labelled), wrong).mean())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_buys_fewer_wrong_labels_than_margin_and_more_than_chance() -> None:
    with threadpool_limits(1):
        share = {
            name: np.mean([bought_wrong_labels(name, seed) for seed in range(4)])
            for name in ("margin", "rad", "random")
        }
    assert share["margin"] > share["rad"] + 0.05
    assert share["rad"] > share["random"] + 0.01
