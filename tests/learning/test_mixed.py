"""The default strategy: covers what the student doubts and what no label is near to."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NeedsStudentError, NotEnoughDataError, ParameterError
from learning.selection.margin_diverse import MarginDiverse
from learning.selection.mixed import Mixed
from learning.types import Pool

GROUPS = 5


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def groups(rows: int = 200, **fields) -> tuple[Pool, np.ndarray]:
    """Items in five tight groups with a student that doubts all of them, and the group of each."""
    centres = np.eye(GROUPS, 12, dtype=np.float32)
    group = np.arange(rows) % GROUPS
    points = centres[group] + 0.05 * rng(1).normal(size=(rows, 12)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    none = np.zeros(rows, dtype=bool)
    doubtful = np.tile(np.array([0.45, 0.4, 0.15], dtype=np.float32), (rows, 1))
    pool = Pool(eligible=~none, labelled=none, encodings=points, probabilities=doubtful)
    return replace(pool, **fields), group


class TestMixed:
    def test_every_beginning_visits_another_group(self) -> None:
        pool, group = groups()
        picked = Mixed().select(pool, 40, rng()).rows
        assert sorted(group[picked[:GROUPS]]) == list(range(GROUPS))

    def test_what_a_label_covers_waits(self) -> None:
        pool, group = groups()
        labelled = np.zeros(200, dtype=bool)
        labelled[[0, 1, 2]] = True  # one of each of the groups 0, 1, 2
        picked = Mixed().select(replace(pool, labelled=labelled), 2, rng()).rows
        assert sorted(group[picked]) == [3, 4]

    @pytest.mark.parametrize(("right", "kept"), [(1.0, True), (0.0, False)])
    def test_labels_cover_as_far_as_they_follow_from_encodings(
        self,
        right: float,
        kept: bool,
    ) -> None:
        pool, group = groups(rows=400)
        labelled = (group < GROUPS - 1) & (np.arange(400) < 150)
        told = np.where(rng().random(400) < right, group, rng(1).integers(0, GROUPS - 1, 400))
        answers = np.eye(GROUPS, dtype=np.float32)[told[labelled]]
        picked = Mixed().select(replace(pool, labelled=labelled, answers=answers), 2, rng()).rows
        assert bool((group[picked] == GROUPS - 1).all()) is kept

    @pytest.mark.parametrize("others", [0, 5])
    def test_labels_of_nearly_one_class_cover_all_the_same(self, others: int) -> None:
        pool, group = groups(rows=400)
        labelled = (group < GROUPS - 1) & (np.arange(400) < 150)
        told = (np.arange(int(labelled.sum())) < others).astype(int)
        answers = np.eye(2, dtype=np.float32)[told]
        picked = Mixed().select(replace(pool, labelled=labelled, answers=answers), 2, rng()).rows
        assert (group[picked] == GROUPS - 1).all()

    def test_what_the_student_is_sure_of_waits(self) -> None:
        pool, group = groups()
        probabilities = np.where(
            (group == 2)[:, None], pool.probabilities, np.array([0.98, 0.01, 0.01])
        ).astype(np.float32)
        picked = Mixed().select(replace(pool, probabilities=probabilities), 1, rng()).rows
        assert group[picked[0]] == 2

    def test_without_a_student_the_largest_groups_come_first(self) -> None:
        pool, group = groups()
        eligible = np.ones(200, dtype=bool)
        eligible[np.flatnonzero(group == 4)[3:]] = False
        pool = replace(pool, probabilities=None, eligible=eligible)
        picked = Mixed().select(pool, GROUPS, rng())
        assert group[picked.rows[-1]] == 4
        assert "no label is nearer to" in picked.reasons[0]

    def test_an_order_for_many_begins_like_a_batch_of_few(self) -> None:
        pool, _ = groups(rows=300)
        few, many = (Mixed().select(pool, n, rng()).rows for n in (10, 200))
        assert few.tolist() == many[:10].tolist()

    def test_several_labels_are_in_doubt_when_none_leads(self) -> None:
        pool, group = groups(multi_label=True, label_names=("Late", "Broken", "Lost"))
        sure = np.array([0.97, 0.48, 0.02])  # one label leads, though another is near 50 %
        none = np.array([0.12, 0.1, 0.03])  # nothing leads: the student knows no label for it
        probabilities = np.where((group == 1)[:, None], none, sure).astype(np.float32)
        picked = Mixed().select(replace(pool, probabilities=probabilities), 1, rng())
        assert group[picked.rows[0]] == 1
        assert "sure of no label, likeliest is Late 12 %" in picked.reasons[0]

    def test_a_likeliest_label_that_is_sure_is_told_as_such(self) -> None:
        pool, _ = groups(multi_label=True, label_names=("Late", "Broken", "Lost"))
        sure = np.tile(np.array([0.97, 0.03, 0.02], dtype=np.float32), (len(pool.eligible), 1))
        (reason,) = Mixed().select(replace(pool, probabilities=sure), 1, rng()).reasons
        assert reason.startswith("the student says Late 97 %; ")

    @pytest.mark.parametrize(("empty", "first"), [(0.0, 1), (0.02, 1), (0.4, 3)])
    def test_where_many_items_have_no_label_one_is_in_doubt_that_may_have_one(
        self, empty: float, first: int
    ) -> None:
        pool, group = groups(rows=400, multi_label=True)
        labelled = (group == 0) & (np.arange(400) < 250)
        answers = np.zeros((int(labelled.sum()), 3), dtype=np.float32)
        answers[round(empty * len(answers)) :, 0] = 1
        table = np.array([[0.97, 0.4, 0.0], [0.05, 0.03, 0.0], [0.9, 0.2, 0.1], [0.46, 0.4, 0.1]])
        probabilities = table[np.minimum(group, 3)].astype(np.float32)
        told = replace(pool, labelled=labelled, answers=answers, probabilities=probabilities)
        picked = Mixed().select(told, 1, rng())
        assert min(group[picked.rows[0]], 3) == first

    def test_one_yes_or_no_label_is_in_doubt_near_one_half(self) -> None:
        pool, group = groups(multi_label=True)
        p = np.where(group == 3, 0.5, 0.95).astype(np.float32)[:, None]
        picked = Mixed().select(replace(pool, probabilities=p), 1, rng())
        assert group[picked.rows[0]] == 3
        assert "unsure whether label 0 applies (50 %)" in picked.reasons[0]

    def test_more_than_it_looks_at_follow_by_doubt(self) -> None:
        pool, _ = groups()
        strategy = Mixed(fewest=10, most=20, covered=50, remembered=5)
        rows = strategy.select(pool, 60, rng()).rows
        assert len(set(rows.tolist())) == 60

    def test_reasons_tell_labels_and_what_the_pick_stands_for(self) -> None:
        pool, _ = groups(label_names=("A", "B", "C"))
        reason = Mixed().select(pool, 3, rng()).reasons[0]
        assert reason.startswith("the student hesitates between A 45 % and B 40 %; no label is")
        assert "of the 200 waiting items" in reason

    @pytest.mark.parametrize("wrong", [{"sharpness": 0.0}, {"factor": 0.5}, {"covered": 0}])
    def test_refuses_parameters_that_mean_nothing(self, wrong: dict) -> None:
        with pytest.raises(ParameterError):
            Mixed(**wrong)

    def test_needs_encodings(self) -> None:
        pool, _ = groups()
        with pytest.raises(NotEnoughDataError):
            Mixed().select(replace(pool, encodings=None), 1, rng())


class TestMarginDiverse:
    def test_takes_one_of_each_group_in_doubt(self) -> None:
        pool, group = groups()
        picked = MarginDiverse(factor=40).select(pool, GROUPS, rng()).rows
        assert sorted(group[picked]) == list(range(GROUPS))

    def test_leaves_out_what_the_student_is_sure_of(self) -> None:
        pool, group = groups()
        sure = np.where(
            (group == 0)[:, None], np.array([0.98, 0.01, 0.01]), pool.probabilities
        ).astype(np.float32)
        picked = MarginDiverse().select(replace(pool, probabilities=sure), 20, rng()).rows
        assert 0 not in group[picked]

    def test_needs_a_student(self) -> None:
        pool, _ = groups()
        with pytest.raises(NeedsStudentError):
            MarginDiverse().select(replace(pool, probabilities=None), 1, rng())
