"""Strategies for items with several labels, and seeding by a search."""

import time
from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NeedsStudentError, NotEnoughDataError, ParameterError, ShapeError
from learning.selection import STRATEGIES
from learning.selection.cvirs import Cvirs, inconsistency, rank_scores
from learning.selection.keyword import Keyword
from learning.selection.label_cardinality import LabelCardinality
from learning.selection.label_margin import LabelMargin
from learning.selection.label_questions import LabelQuestions
from learning.types import Pool
from tests.contracts.plugins import a_pool, three_groups

LABELWISE = ("label-margin", "label-cardinality", "label-questions", "cvirs")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pool_of(probabilities, answers=(), names=()) -> Pool:
    """The first rows are labelled with `answers`, the others have `probabilities`."""
    p = np.asarray(probabilities, dtype=np.float32)
    said = np.asarray(answers, dtype=np.float32).reshape(-1, p.shape[1])
    labelled = np.arange(len(said) + len(p)) < len(said)
    return Pool(
        eligible=np.ones(len(labelled), dtype=bool),
        labelled=labelled,
        probabilities=np.concatenate([said, p]).astype(np.float32),
        answers=said,
        multi_label=True,
        label_names=names,
    )


def a_large_pool(rows: int, labels: int, seed: int = 0) -> Pool:
    """Few labels per item, most of them surely absent; the first 300 rows are labelled."""
    generator = rng(seed)
    p = np.empty((rows, labels), dtype=np.float32)
    for start in range(0, rows, 10_000):
        some = p[start : start + 10_000]
        some[:] = 1 / (1 + np.exp(6 - 2.5 * generator.standard_normal(some.shape, np.float32)))
    labelled = np.arange(rows) < 300
    return Pool(
        eligible=np.ones(rows, dtype=bool),
        labelled=labelled,
        probabilities=p,
        answers=(p[:300] >= 0.5).astype(np.float32),
        multi_label=True,
    )


class TestLabelMargin:
    p = ((0.9, 0.1, 0.48), (0.7, 0.3, 0.3), (0.99, 0.01, 0.02))

    def test_the_label_nearest_half_decides(self) -> None:
        pool = pool_of(self.p, names=("Late", "Broken", "Refund"))
        picked = LabelMargin().select(pool, 3, rng())
        assert picked.rows.tolist() == [0, 1, 2]
        assert picked.reasons[0] == "the student is unsure whether Refund applies (48 %)"

    def test_the_mean_over_all_labels_decides(self) -> None:
        pool = pool_of(self.p, names=("Late", "Broken", "Refund"))
        picked = LabelMargin(over="mean").select(pool, 3, rng())
        assert picked.rows.tolist() == [1, 0, 2]
        assert picked.reasons[1] == (
            "the student is 55 % sure of each label on average, least of Refund (48 %)"
        )

    def test_labels_that_were_not_kept_are_surely_absent(self) -> None:
        pool = Pool(
            eligible=np.ones(2, dtype=bool),
            labelled=np.zeros(2, dtype=bool),
            probabilities=np.array([[0.9, 0.3], [0.8, 0.2]], dtype=np.float32),
            columns=np.array([[3, 1], [0, 2]], dtype=np.int32),
            label_names=("A", "B", "C", "D"),
            multi_label=True,
        )
        picked = LabelMargin(over="mean").select(pool, 2, rng())
        assert picked.rows.tolist() == [0, 1]
        assert (
            picked.reasons[0]
            == "the student is 80 % sure of each label on average, least of B (30 %)"
        )

    def test_stored_margins_are_used(self) -> None:
        pool = replace(pool_of(self.p), margins=np.array([0.9, 0.8, 0.1], dtype=np.float32))
        assert LabelMargin().select(pool, 3, rng()).rows.tolist() == [2, 1, 0]


class TestLabelQuestions:
    names = ("Late", "Broken", "Refund")

    def test_one_label_in_doubt_is_asked_about_alone(self) -> None:
        picked = LabelQuestions().select(pool_of([(0.95, 0.04, 0.48)], names=self.names), 1, rng())
        assert picked.questions.tolist() == [2]
        assert picked.reasons == ["is Refund present? 48 %; all 2 other labels look sure"]

    def test_more_labels_in_doubt_are_asked_whole(self) -> None:
        picked = LabelQuestions().select(pool_of([(0.8, 0.04, 0.48)], names=self.names), 1, rng())
        assert picked.questions.tolist() == [-1]
        assert picked.reasons == [
            "the student is unsure whether Refund applies (48 %); 2 of 3 labels are in doubt"
        ]

    def test_a_sure_item_is_asked_whole(self) -> None:
        picked = LabelQuestions().select(pool_of([(0.95, 0.04, 0.02)]), 1, rng())
        assert picked.questions.tolist() == [-1]
        assert "0 of 3 labels are in doubt" in picked.reasons[0]

    def test_bounds_can_be_moved(self) -> None:
        pool = pool_of([(0.8, 0.04, 0.48)])
        assert LabelQuestions(sure=0.6).select(pool, 1, rng()).questions.tolist() == [2]
        assert LabelQuestions(doubt=0.01).select(pool, 1, rng()).questions.tolist() == [-1]
        with pytest.raises(ParameterError):
            LabelQuestions(doubt=0.9, sure=0.8)

    def test_kept_columns_name_the_label_asked_about(self) -> None:
        pool = Pool(
            eligible=np.ones(1, dtype=bool),
            labelled=np.zeros(1, dtype=bool),
            probabilities=np.array([[0.99, 0.5]], dtype=np.float32),
            columns=np.array([[0, 3]], dtype=np.int32),
            label_names=("A", "B", "C", "D"),
            multi_label=True,
        )
        picked = LabelQuestions().select(pool, 1, rng())
        assert picked.questions.tolist() == [3]
        assert picked.reasons[0].startswith("is D present? 50 %; all 3 other")

    def test_a_pool_with_one_label_per_item_is_asked_whole(self) -> None:
        picked = LabelQuestions(doubt=1.0, sure=1.0).select(a_pool(), 10, rng())
        assert set(picked.questions.tolist()) == {-1}


class TestLabelCardinality:
    answers = ((1, 1, 0, 0), (1, 0, 0, 0))  # 1.5 labels are usual

    def test_unusual_numbers_of_labels_come_first(self) -> None:
        rows = ((0.9, 0.9, 0.9, 0.9), (0.9, 0.1, 0.1, 0.1), (0.9, 0.9, 0.9, 0.1))
        picked = LabelCardinality(balance=0).select(pool_of(rows, self.answers), 3, rng())
        assert picked.rows.tolist() == [2, 4, 3]
        assert picked.reasons[0] == (
            "the student finds 4 labels where 1.5 is usual; "
            "a gap of 40 points parts those present from those absent"
        )

    def test_a_narrow_gap_between_present_and_absent_comes_first(self) -> None:
        rows = ((0.9, 0.1, 0.1, 0.1), (0.55, 0.47, 0.1, 0.1), (0.8, 0.4, 0.1, 0.1))
        picked = LabelCardinality(balance=1).select(pool_of(rows, self.answers), 3, rng())
        assert picked.rows.tolist() == [3, 4, 2]

    def test_both_count(self) -> None:
        generator = rng(3)
        p = generator.random((40, 5)).astype(np.float32)
        answers = (generator.random((30, 5)) > 0.6).astype(np.float32)
        usual = answers.sum(axis=1).mean()
        scores = []
        for row in p:
            held, others = row[row >= 0.5], row[row < 0.5]
            gap = (held.min() if len(held) else 0.5) - (others.max() if len(others) else 0.5)
            scores.append((1 / max(gap, 1e-3)) ** 0.3 * max(abs(len(held) - usual), 1e-3) ** 0.7)
        picked = LabelCardinality(balance=0.3).select(pool_of(p, answers), 10, rng())
        assert picked.rows.tolist() == (30 + np.argsort(scores)[::-1][:10]).tolist()


def entropy(*shares: float) -> float:
    return -sum(share * np.log2(share) for share in shares if share)


def label_set_distance(x: np.ndarray, y: np.ndarray) -> float:
    """As the paper has it: entropy distance, 1 for opposite sets."""
    q = len(x)
    a, b, c = int((x & y).sum()), int((x & ~y).sum()), int((~x & y).sum())
    if b + c == q:
        return 1.0
    joint = entropy(a / q, b / q, c / q, (q - a - b - c) / q)
    if joint == 0:
        return 0.0
    one, two = x.mean(), y.mean()
    return 2 - (entropy(one, 1 - one) + entropy(two, 1 - two)) / joint


class TestCvirs:
    def test_the_distance_is_that_of_the_paper(self) -> None:
        generator = rng(1)
        held, sets = generator.random((50, 6)) > 0.6, generator.random((20, 6)) > 0.6
        held[:3] = (sets[0], ~sets[0], np.zeros(6))
        weights = np.full(20, 1 / 20, dtype=np.float32)
        expected = [np.mean([label_set_distance(x, y) for y in sets]) for x in held]
        assert inconsistency(held, sets, weights) == pytest.approx(expected, abs=1e-5)

    def test_ranks_are_mean_places_over_the_labels(self) -> None:
        p = np.array([(0.5, 0.9), (0.3, 0.6), (0.9, 0.99), (0.9, 0.01)])
        scores = rank_scores(pool_of(p), p, np.arange(4))
        # label 1: places 1, 2 and twice 3.5 of 4; label 2: 2, 1 and twice 3.5
        assert scores == pytest.approx([(1 + 2 / 3) / 2, (1 + 2 / 3) / 2, 1 / 6, 1 / 6])

    def test_ranks_are_those_of_a_full_sort(self) -> None:
        pool = a_large_pool(4000, 12)
        candidates = pool.candidates()
        doubt = np.minimum(pool.probabilities, 1 - pool.probabilities)[candidates]
        places = np.argsort(np.argsort(doubt, axis=0), axis=0)
        expected = (places / (len(candidates) - 1)).mean(axis=1)
        found = rank_scores(pool, pool.probabilities, candidates)
        assert np.abs(found - expected).max() < 0.005

    def test_the_best_of_all_are_found_by_looking_at_few(self) -> None:
        """Comparing in falling order of rank score loses nothing against comparing everything."""
        pool = a_large_pool(6000, 20, seed=2)
        candidates = pool.candidates()
        sets, counts = np.unique(pool.answers >= 0.5, axis=0, return_counts=True)
        unlike = inconsistency(
            pool.probabilities[candidates] >= 0.5, sets, (counts / 300).astype(np.float32)
        )
        scores = rank_scores(pool, pool.probabilities, candidates) * unlike
        picked = Cvirs(references=300).select(pool, 50, rng())
        ours = scores[np.searchsorted(candidates, picked.rows)]
        assert ours == pytest.approx(np.sort(scores)[::-1][:50], rel=1e-5)

    def test_an_unusual_label_set_beats_a_usual_one_of_equal_doubt(self) -> None:
        answers = np.tile((1, 0, 0, 0), (20, 1))
        rows = ((0.6, 0.4, 0.4, 0.4), (0.4, 0.6, 0.6, 0.6), (0.6, 0.4, 0.4, 0.4))
        picked = Cvirs().select(pool_of(rows, answers), 1, rng())
        assert picked.rows.tolist() == [21]
        assert picked.reasons == [
            "its labels are in more doubt than 50 % of the waiting items' on average, "
            "and its label set is 100 % unlike those given"
        ]

    def test_a_bound_on_the_references_changes_little(self) -> None:
        pool = a_large_pool(3000, 30, seed=4)
        full = Cvirs(references=300).select(pool, 100, rng()).rows
        few = Cvirs(references=100).select(pool, 100, rng()).rows
        assert len(set(full) & set(few)) > 80

    def test_kept_columns_are_the_same_as_all(self) -> None:
        pool = a_large_pool(500, 8)
        order = np.argsort(-pool.probabilities, axis=1).astype(np.int32)
        kept = replace(
            pool,
            columns=order,
            probabilities=np.take_along_axis(pool.probabilities, order, axis=1),
            label_names=tuple("ABCDEFGH"),
        )
        picked = Cvirs().select(kept, 5, rng())
        held = np.zeros((5, 8), dtype=bool)
        np.put_along_axis(held, order[picked.rows], kept.probabilities[picked.rows] >= 0.5, axis=1)
        np.testing.assert_array_equal(held, pool.probabilities[picked.rows] >= 0.5)


class TestKeyword:
    def test_what_was_searched_for_comes_first_without_near_copies(self) -> None:
        points, group = three_groups(60, 10)
        points[33] = points[30]  # the third hit repeats the second
        pool = replace(self.pool(points), wanted=np.array([3, 30, 33, 3, 36]))
        picked = Keyword().select(pool, 6, rng())
        assert picked.rows[:3].tolist() == [3, 30, 36]
        assert picked.reasons[0] == "matches what the lead searched for (1 of 4 waiting hits)"
        assert picked.reasons[2] == "matches what the lead searched for (4 of 4 waiting hits)"
        assert sorted(group[picked.rows[3:]]) == [0, 1, 2]
        assert "group of" in picked.reasons[3]

    def test_copies_come_last_and_are_never_lost(self) -> None:
        points = np.ones((4, 3), dtype=np.float32) / np.sqrt(3)
        pool = replace(self.pool(points), wanted=np.array([2, 0]))
        picked = Keyword().select(pool, 4, rng())
        assert picked.rows[0] == 2
        assert picked.rows[3] == 0
        assert picked.reasons[3].endswith("much like an earlier one")

    def test_labelled_and_closed_items_are_left_out(self) -> None:
        pool = a_pool()
        pool = replace(pool, wanted=np.arange(90))
        picked = Keyword(alike=1).select(pool, 30, rng())
        assert set(picked.rows) <= set(pool.candidates())
        assert all("lead searched" in reason for reason in picked.reasons)

    def test_without_a_wish_it_is_the_cold_start(self) -> None:
        pool = replace(a_pool(), wanted=None)
        ours = Keyword().select(pool, 9, rng())
        theirs = STRATEGIES["representatives"]().select(pool, 9, rng())
        assert ours.rows.tolist() == theirs.rows.tolist()
        assert ours.reasons == theirs.reasons

    def test_needs_encodings(self) -> None:
        with pytest.raises(NotEnoughDataError):
            Keyword().select(replace(a_pool(), encodings=None), 1, rng())
        with pytest.raises(ParameterError):
            Keyword(alike=0)

    @staticmethod
    def pool(points: np.ndarray) -> Pool:
        every = np.ones(len(points), dtype=bool)
        return Pool(eligible=every, labelled=~every, encodings=points)


@pytest.mark.parametrize("name", LABELWISE)
def test_needs_a_student_and_numbers(name: str) -> None:
    with pytest.raises(NeedsStudentError):
        STRATEGIES.create(name).select(replace(a_pool(), probabilities=None), 1, rng())
    spoilt = np.full((90, 3), 0.2, dtype=np.float32)
    spoilt[2, 1] = np.nan
    with pytest.raises(ShapeError, match="finite numbers"):
        STRATEGIES.create(name).select(replace(a_pool(), probabilities=spoilt), 1, rng())


@pytest.mark.parametrize("name", ["label-cardinality", "cvirs"])
def test_needs_answers(name: str) -> None:
    with pytest.raises(NotEnoughDataError):
        STRATEGIES.create(name).select(replace(a_pool(), answers=None), 1, rng())


@pytest.mark.slow
def test_a_million_items_with_77_labels_in_a_second_and_a_half() -> None:
    pool = a_large_pool(1_000_000, 77)
    for name in LABELWISE:
        began = time.process_time()
        STRATEGIES.create(name).select(pool, 100, rng())
        assert time.process_time() - began < 1.5, name
