"""Folds, consensus by weight, tasks' own rules, and the replayed loop."""

from dataclasses import replace

import numpy as np
import pytest

from learning.consensus.majority import Majority, WeightedMajority
from learning.errors import NotEnoughDataError, ParameterError, ShapeError
from learning.selection.margin import Margin
from learning.selection.random import Random
from learning.selection.representatives import Representatives
from learning.simulation import Loop, Replay, Schedule, replay_of, simulate
from learning.students.folds import assign_folds, near_duplicates, out_of_fold
from learning.students.head import Head
from learning.tasks import Columns
from learning.tasks.multi import Multi
from learning.tasks.single import Single
from learning.types import TrainingData, Votes
from tests.contracts.plugins import lesson, three_groups


class TestFolds:
    def test_groups_stay_together_and_folds_are_even(self) -> None:
        groups = np.random.default_rng(0).integers(0, 30, 200)
        fold = assign_folds(groups, 5, np.random.default_rng(1))
        for group in range(30):
            assert len(set(fold[groups == group])) <= 1
        assert np.ptp(np.bincount(fold)) < 20
        assert set(fold) == set(range(5))

    def test_no_row_is_predicted_by_a_student_that_has_seen_it(self) -> None:
        """Labels are pure chance: only a student that has seen a row can know its label."""
        rng = np.random.default_rng(0)
        points = rng.normal(size=(100, 200)).astype(np.float32)
        group = rng.integers(0, 2, 100)
        data = TrainingData(encodings=points, targets=np.eye(2, dtype=np.float32)[group])
        found = out_of_fold(Head(), data, rng)
        assert 0.3 < (found.probabilities.argmax(axis=1) == group).mean() < 0.7

    @pytest.mark.parametrize("alike", ["by encoding", "by content"])
    def test_duplicates_do_not_leak(self, alike: str) -> None:
        rng = np.random.default_rng(0)
        points = np.repeat(rng.normal(size=(100, 200)), 2, axis=0)
        noise = 0.01 if alike == "by encoding" else 0.4
        points += noise * rng.normal(size=points.shape)
        group = np.repeat(rng.integers(0, 2, 100), 2)
        data = TrainingData(
            encodings=points.astype(np.float32), targets=np.eye(2, dtype=np.float32)[group]
        )
        pairs = np.repeat(np.arange(100), 2)
        apart = assign_folds(np.arange(200), 5, np.random.default_rng(0))
        assert (apart[::2] != apart[1::2]).mean() > 0.5, "without care most pairs are parted"
        found = out_of_fold(Head(), data, rng, groups=pairs if alike == "by content" else None)
        assert (found.fold[::2] == found.fold[1::2]).all()
        assert 0.3 < (found.probabilities.argmax(axis=1) == group).mean() < 0.7

    def test_near_duplicates_join_in_chains_and_with_their_groups(self) -> None:
        angle = np.radians([0, 10, 20, 90, 91, 180])
        points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        found = near_duplicates(points, np.array([0, 1, 2, 3, 4, 3]))
        assert found[0] == found[1] == found[2]
        assert found[3] == found[4] == found[5]
        assert found[0] != found[3]
        zeros = near_duplicates(np.zeros((3, 2)), np.arange(3))
        assert len(set(zeros.tolist())) == 3

    def test_few_items_and_cancel(self) -> None:
        rng = np.random.default_rng(0)
        assert set(out_of_fold(Head(), lesson(3), rng).fold) == {0, 1, 2}
        with pytest.raises(NotEnoughDataError):
            out_of_fold(Head(), lesson(4), rng, groups=np.zeros(4, dtype=int))

        def cancel(done: int, total: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            out_of_fold(Head(), lesson(), rng, report=cancel)


class TestConsensus:
    def votes(self, **changes) -> Votes:
        given = Votes(
            items=1,
            item=np.zeros(3, dtype=int),
            annotator=np.array([1, 2, 3]),
            answers=np.array([[1, 0], [0, 1], [0, 1]]),
            weights=np.array([3.0, 1.0, 1.0]),
        )
        return replace(given, **changes)

    def test_weight_outvotes_numbers(self) -> None:
        assert WeightedMajority().aggregate(self.votes()).answers.tolist() == [[True, False]]
        assert Majority().aggregate(self.votes()).answers.tolist() == [[False, True]]

    def test_a_tie_survives_rounding(self) -> None:
        weights = np.array([0.3, 0.1, 0.2])  # 0.1 + 0.2 is not 0.3 in binary
        found = WeightedMajority().aggregate(self.votes(weights=weights))
        assert found.tied.tolist() == [True]
        assert found.answers.sum() == 1, "a tie still has one leader, the first column"
        assert found.skill == {}, "a tie tells nothing about anybody"

    def test_several_labels_are_decided_one_by_one(self) -> None:
        answers = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]])
        given = self.votes(answers=answers, weights=None, multi_label=True)
        found = WeightedMajority().aggregate(given)
        assert found.answers.tolist() == [[True, True, False]]
        assert found.skill == {1: 1.0, 2: 0.0, 3: 1.0}
        np.testing.assert_allclose(found.shares, [[1, 2 / 3, 0]], atol=1e-6)

    def test_shares_count_the_votes_about_a_label(self) -> None:
        answers = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0]])
        known = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 0]], dtype=bool)
        given = self.votes(answers=answers, weights=None, known=known, multi_label=True)
        np.testing.assert_allclose(Majority().aggregate(given).shares, [[1, 2 / 3, 0]])

    def test_agreeing_on_nothing_is_a_verdict(self) -> None:
        given = self.votes(answers=np.zeros((3, 2)), weights=None, multi_label=True)
        found = WeightedMajority().aggregate(given)
        assert not found.answers.any()
        assert not found.tied.any()


class TestTasks:
    def test_single_takes_exactly_one_label(self) -> None:
        columns = Columns(label_ids=(1, 2), archived=frozenset({2}))
        for answer in ([], [1, 2]):
            with pytest.raises(ShapeError):
                Single().encode([answer], columns)
        table = Single().encode([[1], [2]], columns)
        assert Single().usable(table).tolist() == [True, False]

    def test_multi_takes_any_number_once(self) -> None:
        columns = Columns(label_ids=(1, 2, 3))
        table = Multi().encode([[], [3, 1]], columns)
        assert table.tolist() == [[0, 0, 0], [1, 0, 1]]
        assert Multi().usable(table).tolist() == [True, True]
        assert Multi().decode(table, columns) == [[], [1, 3]]
        assert Multi().distance([1, 2], [2, 3], columns) == pytest.approx(2 / 3)
        assert Multi().distance([], [], columns) == 0
        with pytest.raises(ShapeError):
            Multi().encode([[1, 1]], columns)

    def test_columns_are_stable(self) -> None:
        with pytest.raises(ShapeError):
            Columns(label_ids=(1, 1))
        with pytest.raises(ShapeError):
            Columns(label_ids=(1,), archived=frozenset({2}))
        with pytest.raises(ShapeError, match="archived"):
            Single().decode(np.ones((1, 1)), Columns(label_ids=(1,), archived=frozenset({1})))


class TestSimulation:
    def replay(self) -> Replay:
        points, group = three_groups(400, 10)
        targets = np.eye(3, dtype=np.float32)[group]
        return Replay(
            encodings=points[:300].astype(np.float16),
            targets=targets[:300],
            test_encodings=points[300:],
            test_targets=targets[300:],
            label_names=("a", "b", "c"),
        )

    def loop(self, cold_start: object = Representatives(), strategy: object = Margin()) -> Loop:
        return Loop(
            task=Single(),
            student=Head(),
            cold_start=cold_start,
            strategy=strategy,
            names=("representatives", "margin"),
        )

    def curve(self, schedule: Schedule, seed: int = 0, **parts) -> list:
        rng = np.random.default_rng(seed)
        return list(simulate(self.replay(), self.loop(**parts), schedule, rng))

    def test_draws_a_curve_that_rises(self) -> None:
        points = self.curve(Schedule(start=3, batch=10, budget=30))
        assert [point.labels for point in points] == [3, 13, 23, 30]
        assert points[0].strategy == "representatives"
        assert {point.strategy for point in points[1:]} == {"margin"}
        assert points[-1].accuracy == points[-1].metrics["accuracy"] > 0.95
        assert all(point.seconds > 0 for point in points)

    def test_same_generator_same_curve(self) -> None:
        schedule = Schedule(start=5, batch=5, budget=20)
        one, two = (
            [(p.labels, p.accuracy) for p in self.curve(schedule, cold_start=Random())]
            for _ in range(2)
        )
        assert one == two

    def test_ends_with_the_pool(self) -> None:
        assert self.curve(Schedule(start=200, batch=200, budget=10_000))[-1].labels == 300

    def test_refuses_impossible_schedules_and_empty_sets(self) -> None:
        for wrong in ({"start": 0}, {"batch": 0}, {"start": 50}):
            with pytest.raises(ParameterError):
                Schedule(**{"start": 5, "batch": 5, "budget": 20, **wrong})
        with pytest.raises(NotEnoughDataError):
            replace(self.replay(), test_encodings=np.empty((0, 10)), test_targets=np.empty((0, 3)))
        with pytest.raises(ShapeError):
            replace(self.replay(), label_names=("a",))

    def test_a_labelled_file_becomes_a_replay(self) -> None:
        held_out = np.array([False, True, False])
        made = replay_of(np.eye(3), [["b"], ["a", "b"], []], held_out, ["x", "y", "z"])
        assert made.label_names == ("a", "b")
        assert made.targets.tolist() == [[0, 1], [0, 0]]
        assert made.test_targets.tolist() == [[1, 1]]
        assert made.test_encodings.tolist() == [[0, 1, 0]]
        assert (made.texts, made.test_texts) == (["x", "z"], ["y"])
        with pytest.raises(ShapeError):
            replay_of(np.eye(2), [["b"]], held_out)

    def test_several_labels(self) -> None:
        points, group = three_groups(200, 10)
        targets = np.eye(3, dtype=np.float32)[group]
        targets[:, 2] = group != 1
        replay = replace(
            self.replay(),
            encodings=points[:150],
            targets=targets[:150],
            test_encodings=points[150:],
            test_targets=targets[150:],
        )
        loop = replace(self.loop(), task=Multi())
        schedule = Schedule(start=10, batch=20, budget=50)
        found = list(simulate(replay, loop, schedule, np.random.default_rng(0)))
        assert found[-1].accuracy == found[-1].metrics["exact_match"] > 0.9
