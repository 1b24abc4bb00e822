"""The head of a project of ratings: what it makes of the order of its grades."""

from dataclasses import replace

import numpy as np
import pytest

from learning.metrics import quadratic_kappa
from learning.students.regression import Problem, graded
from learning.teachers.zero_shot import unit
from learning.types import TrainingData
from tests.contracts.plugins import three_groups
from tests.learning.test_head import fit


def graded_items(rows: int, seed: int) -> tuple[TrainingData, np.ndarray]:
    """Five grades along one direction of twelve, with noise."""
    rng = np.random.default_rng(seed)
    points = unit(rng.normal(size=(rows, 12)).astype(np.float32))
    along = points @ unit(np.ones((1, 12)))[0] + rng.normal(scale=0.1, size=rows)
    grades = np.digitize(along, [-0.4, -0.15, 0.15, 0.4])
    hot = np.eye(5, dtype=np.float32)[grades]
    return TrainingData(encodings=points, targets=hot, ordered=True), grades


class TestGrades:
    def test_thirty_answers_show_the_line_that_grades_lie_along(self) -> None:
        kappas: dict[bool, list[float]] = {True: [], False: []}
        for seed in range(8):
            data, grades = graded_items(530, seed)
            few = data.subset(np.arange(30))
            for ordered, found in kappas.items():
                said = fit(replace(few, ordered=ordered), None).predict(data.encodings[30:])
                found.append(quadratic_kappa(grades[30:], said.argmax(axis=1)))
        assert np.mean(kappas[True]) > np.mean(kappas[False]) + 0.03

    def test_no_share_makes_labels_of_grades_and_any_keeps_the_spread(self) -> None:
        np.testing.assert_allclose(graded(4, 0.0), np.eye(4), atol=1e-6)
        covariance = np.linalg.inv(graded(5, 0.6))
        assert np.trace(covariance) == pytest.approx(5, rel=1e-4)
        assert covariance[0, 1] > 0 > covariance[0, 4], "near grades vary together, far ones apart"

    def test_gradient_is_the_slope_of_the_loss(self) -> None:
        problem = Problem.of(graded_items(40, 0)[0])
        rng = np.random.default_rng(0)
        point = rng.normal(size=(problem.d + 1) * problem.k).astype(np.float32)
        _, gradient = problem.loss(2.0, point)
        along = rng.normal(size=len(point)).astype(np.float32)
        ahead, behind = (problem.loss(2.0, point + s * along)[0] for s in (0.01, -0.01))
        assert (ahead - behind) / 0.02 == pytest.approx(float(gradient @ along), rel=0.01)

    def test_two_grades_are_two_labels(self) -> None:
        points, group = three_groups(60, 8)
        two = TrainingData(encodings=points, targets=np.eye(2, dtype=np.float32)[group % 2])
        one, other = (fit(replace(two, ordered=ordered)) for ordered in (True, False))
        np.testing.assert_array_equal(one.weights, other.weights)
