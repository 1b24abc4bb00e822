"""What single strategies do beyond the contract."""

import re
from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NeedsStudentError, NotEnoughDataError, ParameterError
from learning.selection.kmeans import kmeans
from learning.selection.margin import Margin, smallest
from learning.selection.random import Random
from learning.selection.representatives import Representatives
from learning.types import Pool
from tests.contracts.plugins import a_pool, three_groups


def pool_of(**columns) -> Pool:
    n = len(next(iter(columns.values())))
    every = np.ones(n, dtype=bool)
    return Pool(eligible=every, labelled=~every, **columns)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class TestMargin:
    def test_smallest_first_with_both_labels_in_the_reason(self) -> None:
        p = np.array([[0.7, 0.2, 0.1], [0.38, 0.21, 0.41], [0.5, 0.4, 0.1]], dtype=np.float32)
        pool = pool_of(probabilities=p)
        pool = replace(pool, label_names=("Billing", "Login", "Refund"))
        picked = Margin().select(pool, 2, rng())
        assert picked.rows.tolist() == [1, 2]
        assert picked.reasons[0] == "the student hesitates between Refund 41 % and Billing 38 %"
        assert picked.probabilities.tolist() == [1, 1]

    def test_several_labels(self) -> None:
        p = np.array([[0.9, 0.1], [0.9, 0.48]], dtype=np.float32)
        pool = replace(pool_of(probabilities=p), multi_label=True, label_names=("Late", "Broken"))
        picked = Margin().select(pool, 1, rng())
        assert picked.rows.tolist() == [1]
        assert picked.reasons == ["the student is unsure whether Broken applies (48 %)"]

    def test_a_student_that_is_sure_is_not_said_to_hesitate(self) -> None:
        p = np.array([[0.996, 0.004, 0.0]], dtype=np.float32)
        pool = replace(pool_of(probabilities=p), label_names=("Billing", "Login", "Refund"))
        told = "the student says Billing 100 %, next Login 0 %"
        assert Margin().select(pool, 1, rng()).reasons == [told]
        several = replace(pool, probabilities=np.array([[0.97, 0.01, 0.0]]), multi_label=True)
        told = "the student is least sure whether Billing applies (97 %)"
        assert Margin().select(several, 1, rng()).reasons == [told]

    def test_long_names_leave_the_numbers_their_place(self) -> None:
        p = np.array([[0.41, 0.38, 0.21]], dtype=np.float32)
        names = tuple(f"{letter}{'very long ' * 30}" for letter in "ABC")
        (reason,) = (
            Margin().select(replace(pool_of(probabilities=p), label_names=names), 1, rng()).reasons
        )
        assert re.fullmatch(r"the student hesitates between A.+… 41 % and B.+… 38 %", reason)
        assert len(reason) < 150

    def test_stored_margins_are_used_as_they_are(self) -> None:
        p = np.full((3, 2), 0.5, dtype=np.float32)
        pool = pool_of(probabilities=p, margins=np.array([0.3, 0.1, 0.2], dtype=np.float32))
        assert Margin().select(pool, 3, rng()).rows.tolist() == [1, 2, 0]

    def test_kept_columns_name_the_right_labels(self) -> None:
        pool = pool_of(
            probabilities=np.array([[0.6, 0.4]], dtype=np.float32),
            columns=np.array([[2, 0]], dtype=np.int32),
        )
        pool = replace(pool, label_names=("A", "B", "C"))
        assert "C 60 % and A 40 %" in Margin().select(pool, 1, rng()).reasons[0]

    def test_ties_are_broken_by_chance_and_their_probability_says_so(self) -> None:
        values = np.array([0.0] + [0.5] * 10 + [0.9], dtype=np.float32)
        counts = np.zeros(12)
        for seed in range(400):
            rows, probabilities = smallest(values, 5, rng(seed))
            counts[rows] += 1
            assert rows[0] == 0
            assert probabilities.tolist() == [1, 0.4, 0.4, 0.4, 0.4]
        assert counts[0] == 400
        assert counts[11] == 0
        assert (np.abs(counts[1:11] / 400 - 0.4) < 0.1).all()

    def test_needs_a_student(self) -> None:
        with pytest.raises(NeedsStudentError):
            Margin().select(replace(a_pool(), probabilities=None), 1, rng())


def test_random_draws_evenly_and_says_how_likely() -> None:
    pool = pool_of(encodings=np.zeros((10, 2), dtype=np.float16))
    counts = np.zeros(10)
    for seed in range(500):
        picked = Random().select(pool, 3, rng(seed))
        counts[picked.rows] += 1
        assert picked.probabilities.tolist() == [0.3] * 3
    assert (np.abs(counts / 500 - 0.3) < 0.08).all()
    assert picked.reasons[0] == "drawn at random, 3 of 10 waiting items"


class TestRepresentatives:
    def test_one_of_each_group_and_the_smallest_last(self) -> None:
        points, group = three_groups(300, 10)
        kept = np.flatnonzero((group != 2) | (np.arange(300) < 60))
        picked = Representatives().select(pool_of(encodings=points[kept]), 3, rng())
        assert sorted(group[kept][picked.rows]) == [0, 1, 2]
        assert group[kept][picked.rows[2]] == 2
        assert (
            picked.reasons[2] == "typical of a group of 20 similar items (9.1 % of those waiting)"
        )

    def test_more_items_than_groups_take_turns(self) -> None:
        points, group = three_groups(90, 10)
        picked = Representatives(groups=3).select(pool_of(encodings=points), 12, rng())
        assert sorted(group[picked.rows[:3]]) == [0, 1, 2]
        assert np.bincount(group[picked.rows]).tolist() == [4, 4, 4]

    def test_reasons_hold_where_everything_is_wanted_and_every_item_is_a_group(self) -> None:
        points, _ = three_groups(30, 10)
        pool = pool_of(encodings=points)
        every = Representatives().select(pool, 30, rng())
        assert set(every.reasons) == {"one of the 30 waiting items, all of which are wanted"}
        alone = [r for r in Representatives().select(pool, 24, rng()).reasons if "own" in r]
        assert alone
        assert set(alone) == {"a group of its own, of 24 among the 30 waiting items"}

    def test_a_sample_stands_for_the_whole_pool(self) -> None:
        points, group = three_groups(3000, 10)
        pool = pool_of(encodings=points.astype(np.float16))
        picked = Representatives(sample=60).select(pool, 3, rng())
        assert sorted(group[picked.rows]) == [0, 1, 2]
        size = re.search(r"group of ([\d,]+) similar", picked.reasons[0])[1]
        assert 900 < int(size.replace(",", "")) < 1100

    def test_better_than_chance_at_covering_small_groups(self) -> None:
        generator = rng(1)
        centres = generator.normal(size=(20, 16))
        group = generator.choice(20, size=1000, p=np.arange(1, 21) / 210)
        points = centres[group] + 0.3 * generator.normal(size=(1000, 16))
        pool = pool_of(encodings=points.astype(np.float16))
        ours = [len(set(group[Representatives().select(pool, 20, rng(s)).rows])) for s in range(3)]
        chance = [len(set(group[Random().select(pool, 20, rng(s)).rows])) for s in range(3)]
        assert np.mean(ours) > np.mean(chance) + 2

    def test_needs_encodings_and_sane_parameters(self) -> None:
        with pytest.raises(NotEnoughDataError):
            Representatives().select(replace(a_pool(), encodings=None), 1, rng())
        with pytest.raises(ParameterError):
            Representatives(rounds=0)


def test_kmeans_lowers_the_distance_and_fills_every_group() -> None:
    from sklearn.cluster import KMeans

    points = rng(2).normal(size=(400, 5)).astype(np.float32)
    centres = kmeans(points, 12, 50, rng(0))
    distance = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    assert len(set(distance.argmin(axis=1))) == 12
    theirs = KMeans(12, n_init=1, random_state=0).fit(points).inertia_
    assert distance.min(axis=1).sum() < 1.05 * theirs
