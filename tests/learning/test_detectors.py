"""Evidence on labels: held out, whatever the labels are; and what single detectors promise."""

import itertools

import numpy as np
import pytest

from learning.audit.detectors import gathering
from learning.audit.detectors.belief import Belief
from learning.audit.detectors.confident_learning import ConfidentLearning
from learning.audit.detectors.data_importance import gradient
from learning.audit.detectors.evidence import Evidence, _largest, nearest
from learning.audit.detectors.gathering import gather
from learning.audit.detectors.judges import Judges
from learning.audit.detectors.near_duplicates import NearDuplicates
from learning.audit.detectors.noise import confident_joint
from learning.audit.detectors.prototypes import Prototypes
from learning.errors import NotEnoughDataError, ShapeError
from learning.students.folds import OutOfFold
from learning.students.head import Head
from learning.types import TrainingData
from tests.contracts.plugins import three_groups


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of_labels(given: np.ndarray, probabilities: np.ndarray, **more: object) -> Evidence:
    return Evidence(
        labels=np.eye(probabilities.shape[1], dtype=np.float32)[given],
        held_out=OutOfFold(
            probabilities=probabilities.astype(np.float32), fold=np.arange(len(given)) % 2
        ),
        **more,
    )


class TestGathering:
    def test_nobody_has_seen_the_label_that_is_judged(self) -> None:
        """Random labels of many dimensions: whoever has learnt them knows them, nobody can guess."""
        points = rng(1).normal(size=(240, 200)).astype(np.float32)
        given = rng(2).integers(0, 3, 240)
        found = gather(
            TrainingData(targets=np.eye(3, dtype=np.float32)[given], encodings=points), rng()
        )
        for table in [*found.training, *found.students, found.cleaned, found.probabilities]:
            assert found.own(table).mean() == pytest.approx(1 / 3, abs=0.04)
            assert (table.argmax(axis=1) == given).mean() < 0.45

    def test_of_many_labels_heads_learn_from_some_and_all_are_judged(self, monkeypatch) -> None:
        points, group = three_groups(300, 8)
        given = group.copy()
        given[:12] = (given[:12] + 1) % 3
        data = TrainingData(targets=np.eye(3, dtype=np.float32)[given], encodings=points)
        learnt: list[int] = []
        fit = Head.fit

        def spy(head: Head, lesson: TrainingData, *rest: object, **more: object) -> object:
            learnt.append(lesson.rows)
            return fit(head, lesson, *rest, **more)

        monkeypatch.setattr(Head, "fit", spy)
        monkeypatch.setattr(gathering, "MOST_LEARNT", 90)
        monkeypatch.setattr(gathering, "LEAST_PER_LABEL", 1)
        found = gather(data, rng())
        assert max(learnt) == 90
        own = found.own(found.probabilities)
        assert own[:12].max() < np.median(own[12:])

    def test_near_copies_share_a_fold_so_that_none_vouches_for_another(self) -> None:
        points, group = three_groups(60, 8)
        points = np.concatenate([points, points[:20] + 1e-4])
        targets = np.eye(3, dtype=np.float32)[np.concatenate([group, group[:20]])]
        fold = gather(TrainingData(targets=targets, encodings=points), rng()).held_out.fold
        np.testing.assert_array_equal(fold[:20], fold[60:])

    def test_reports_progress_and_can_be_ended(self) -> None:
        points, group = three_groups(60, 8)
        data = TrainingData(targets=np.eye(3, dtype=np.float32)[group], encodings=points)
        told: list[tuple[int, int]] = []
        gather(data, rng(), report=lambda done, most: told.append((done, most)))
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1]

        def cancel(done: int, _most: int) -> None:
            if done >= 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            gather(data, rng(), report=cancel)

    def test_refuses_what_cannot_be_judged_out_of_sample(self) -> None:
        one = TrainingData(targets=np.eye(2)[[0]], encodings=np.ones((1, 3)))
        with pytest.raises(NotEnoughDataError, match="must differ"):
            gather(one, rng())
        with pytest.raises(NotEnoughDataError, match="encoded first"):
            gather(TrainingData(targets=np.eye(2)[[0, 1]], texts=["a", "b"]), rng())


class TestEvidence:
    def test_shapes_that_do_not_fit_are_refused(self) -> None:
        p = np.full((4, 2), 0.5)
        with pytest.raises(ShapeError, match="training must have shape"):
            of_labels(np.zeros(4, int), p, training=np.zeros((2, 3, 2)))
        with pytest.raises(ShapeError, match="one name for each label"):
            of_labels(np.zeros(4, int), p, label_names=("a",))
        with pytest.raises(ShapeError, match="must sum to 1"):
            Evidence(
                labels=np.zeros((4, 2)), held_out=OutOfFold(probabilities=p, fold=np.zeros(4, int))
            )

    def test_neighbours_are_the_nearest_and_never_the_item_itself(self) -> None:
        points = rng(3).normal(size=(50, 4))
        near = nearest(points, 7)
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        alike = unit @ unit.T
        np.fill_diagonal(alike, -np.inf)
        np.testing.assert_array_equal(near.rows, np.argsort(-alike, axis=1)[:, :7])
        assert nearest(points[:3], 7).rows.shape == (3, 2)

    def test_many_columns_are_searched_by_their_groups_and_nothing_is_missed(self) -> None:
        values = rng(4).normal(size=(20, 64 * 9 + 5)).astype(np.float32)
        values[:, 3::9] += 4  # most of the largest are of one group
        found = np.take_along_axis(values, _largest(values, 4), axis=1)
        np.testing.assert_array_equal(np.sort(found), np.sort(values)[:, -4:])


class TestConfidentLearning:
    def test_counts_who_is_confidently_something_else(self) -> None:
        """The example of the paper's method by hand: thresholds are the labels' mean confidences."""
        p = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.6, 0.4]])
        given = np.array([0, 0, 0, 1, 1, 1])
        # thresholds 0.6 and 0.667: the third is confidently 1, the last confidently 0
        np.testing.assert_allclose(
            confident_joint(p, given), np.array([[2, 1], [1, 2]]) / 6, atol=1e-12
        )

    def test_a_confusion_that_is_frequent_here_explains_more(self) -> None:
        """Label 0 is given to many items of label 1, none of label 2: with the same probabilities
        the first is likelier to be wrong.
        """
        p, given = [], []
        for label, likely, count in ((0, 0, 40), (0, 1, 12), (1, 1, 40), (2, 2, 40)):
            row = np.full(3, 0.04)
            row[likely] = 0.92
            p += [row] * count
            given += [label] * count
        p += [np.array([0.4, 0.56, 0.04]), np.array([0.4, 0.04, 0.56])]
        given += [0, 0]
        found = ConfidentLearning().score(of_labels(np.array(given), np.array(p)))
        assert found[-2] < found[-1] - 0.15


def by_hand(present: np.ndarray, right: np.ndarray, k: int) -> float:
    """The expected utility of one ranking, by all subsets."""
    total = 0.0
    for there in itertools.product([0, 1], repeat=len(present)):
        mask = np.array(there, dtype=bool)
        chance = np.prod(np.where(mask, present, 1 - present))
        total += chance * right[mask][:k].sum() / k
    return total


def test_the_gradient_of_data_importance_is_that_of_all_subsets() -> None:
    for seed in range(5):
        present, right = rng(seed).random((2, 6))
        found, weight = gradient(present[None], right[None], 3)
        for i in range(6):
            more, less = present.copy(), present.copy()
            more[i], less[i] = 1, 0
            want = by_hand(more, right, 3) - by_hand(less, right, 3)
            assert found[0, i] / 3 == pytest.approx(want, abs=1e-12)
        assert np.all(np.diff(weight[0]) <= 1e-12)


def test_contradicting_copies_are_told_with_their_number() -> None:
    points = np.concatenate([np.tile([1.0, 0.0, 0.1], (4, 1)), np.eye(3)])
    evidence = of_labels(
        np.array([0, 0, 0, 1, 2, 1, 0]),
        np.full((7, 3), 1 / 3),
        encodings=points,
        label_names=("Refund", "Billing", "Login"),
    )
    found = NearDuplicates(alike=0.999).score(evidence)
    np.testing.assert_allclose(found, [3 / 4, 3 / 4, 3 / 4, 1 / 4, 1, 1, 1])
    said = NearDuplicates(alike=0.999).words(evidence, np.array([3, 5]))
    assert said == ["3 of 3 near copies are not labelled Billing", "there are no near copies"]


def test_prototypes_from_definitions_do_not_believe_the_labels() -> None:
    """A label most of whose items are of another sense: its definition finds the right ones."""
    points, group = three_groups(300, 16)
    given = group.copy()
    given[(group == 1) & (np.arange(300) % 5 > 1)] = 0  # 60 % of what is labelled 1 … is called 0
    centres = np.stack([points[group == label].mean(axis=0) for label in range(3)])
    evidence = of_labels(given, np.full((300, 3), 1 / 3), encodings=points)
    told = of_labels(given, np.full((300, 3), 1 / 3), encodings=points, definitions=centres)
    wrong = given != group
    found = Prototypes().score(told)
    assert found[wrong].max() < found[~wrong].min()
    assert np.median(Prototypes().score(evidence)[wrong]) > np.median(found[wrong])


def test_a_judge_who_abstains_or_is_the_author_does_not_count() -> None:
    judges = np.full((2, 3, 2), np.nan)
    judges[0, 0], judges[1, 0] = [0.2, 0.8], [0.4, 0.6]
    judges[1, 1] = [0.9, 0.1]
    evidence = of_labels(np.zeros(3, int), np.full((3, 2), 0.5), judges=judges)
    np.testing.assert_allclose(Judges().score(evidence), [0.3, 0.9, 0.5])
    said = Judges().words(evidence, np.arange(3))
    assert said[0].startswith("2 judges, asked blind, give label 1 70 %")
    assert said[2] == "no teacher was asked"


class TestBelief:
    def start(self) -> Belief:
        return Belief(mean=np.array([-1.0, 1.0]), covariance=np.eye(2))

    def cases(self, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Of a project where the feature says the opposite of what the prior holds."""
        x = np.stack([np.ones(count), rng(seed).normal(size=count)], axis=1)
        chance = 1 / (1 + np.exp(-(x @ np.array([0.5, -2.0]))))
        return x, rng(seed + 1).random(count) < chance

    def test_without_reviews_it_is_the_prior(self) -> None:
        x, wrong = self.cases(0)
        np.testing.assert_array_equal(self.start().learn(x, wrong).mean, self.start().mean)

    def test_many_reviews_overrule_the_prior_and_few_do_not(self) -> None:
        few = self.start().learn(*self.cases(3))
        many = self.start().learn(*self.cases(2_000))
        np.testing.assert_allclose(many.mean, [0.5, -2.0], atol=0.25)
        assert np.linalg.norm(few.mean - self.start().mean) < 1.5
        assert np.all(np.diag(many.covariance) < np.diag(few.covariance))

    def test_the_mode_has_no_slope(self) -> None:
        x, wrong = self.cases(50)
        found = self.start().learn(x, wrong)
        p = 1 / (1 + np.exp(-(x @ found.mean)))
        slope = x.T @ (wrong - p) - (found.mean - self.start().mean)
        np.testing.assert_allclose(slope, 0, atol=1e-6)

    def test_the_precision_of_the_next_cases_is_covered(self) -> None:
        """Projects drawn from the prior: the interval holds what 50 more cases turn out to be."""
        covered = 0
        for seed in range(200):
            weights = rng(seed).multivariate_normal([-1.0, 1.0], np.eye(2))
            x = np.stack([np.ones(80), rng(seed + 500).normal(size=80)], axis=1)
            wrong = rng(seed + 900).random(80) < 1 / (1 + np.exp(-(x @ weights)))
            found = self.start().learn(x[:30], wrong[:30]).precision(x[30:], rng(seed))
            covered += found.low <= wrong[30:].mean() <= found.high
        assert covered >= 0.92 * 200
        assert found.n == 50
