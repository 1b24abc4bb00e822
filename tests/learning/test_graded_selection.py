"""Selection by the variance of the grade, and the moments that it goes by."""

import numpy as np
import pytest

from learning.errors import ShapeError
from learning.scores import grade_moments
from learning.selection.expected_variance import ExpectedVariance
from learning.tasks import TASKS
from learning.types import Pool

STARS = ("1", "2", "3", "4", "5")
BELIEFS = np.array(
    [
        [0.0, 0.0, 0.5, 0.5, 0.0],  # between neighbours
        [0.5, 0.0, 0.0, 0.0, 0.5],  # between the ends
        [0.2, 0.2, 0.2, 0.2, 0.2],
        [0.0, 0.0, 0.0, 0.0, 1.0],
    ],
    dtype=np.float32,
)


def pool_of(beliefs=BELIEFS, names=STARS, **fields) -> Pool:
    n = len(beliefs)
    known = {
        "eligible": np.ones(n, dtype=bool),
        "labelled": np.zeros(n, dtype=bool),
        "probabilities": np.asarray(beliefs, dtype=np.float32),
        "encodings": np.eye(n, dtype=np.float32),
        "label_names": names,
    }
    return Pool(**{**known, **fields})


def pick(pool: Pool, n: int):
    return ExpectedVariance(factor=1).select(pool, n, np.random.default_rng(0))


def test_the_first_two_moments_of_a_grade() -> None:
    mean, variance = grade_moments(BELIEFS)
    assert mean.tolist() == pytest.approx([2.5, 2, 2, 4])
    assert variance.tolist() == pytest.approx([0.25, 4, 2, 0])
    columns = np.array([[3, 2], [4, 0]])
    mean, variance = grade_moments(np.array([[0.4, 0.4], [0.5, 0.5]]), columns)
    assert mean.tolist() == pytest.approx([2.5, 2]), "of the kept grades alone"
    assert variance.tolist() == pytest.approx([0.25, 4])
    assert np.isnan(grade_moments(np.array([[np.nan, 0.5]]))[1]).all()


@pytest.mark.parametrize("grades", [2, 11, 100])
def test_moments_of_long_scales_lose_no_digits(grades) -> None:
    beliefs = np.random.default_rng(0).dirichlet(np.ones(grades), size=50)
    steps = np.arange(grades)
    mean, variance = grade_moments(beliefs.astype(np.float32))
    np.testing.assert_allclose(mean, beliefs @ steps, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        variance, beliefs @ steps**2 - (beliefs @ steps) ** 2, rtol=1e-4, atol=1e-6
    )


def test_the_ends_of_the_scale_come_before_neighbouring_grades() -> None:
    picked = pick(pool_of(), 4)
    assert picked.rows.tolist() == [1, 2, 0, 3]
    assert picked.reasons[0] == "the student says 3.0 ± 2.0; likeliest is 1, 50 %"
    assert picked.reasons[3] == "the student says 5.0 ± 0.0; likeliest is 5, 100 %"


def test_an_archived_grade_keeps_its_step() -> None:
    without_three = pool_of([[0, 0.5, 0, 0.5], [0.5, 0.5, 0, 0]], ("1", "2", "3", "4"))
    assert pick(without_three, 2).reasons == [
        "the student says 3.0 ± 1.0; likeliest is 2, 50 %",
        "the student says 1.5 ± 0.5; likeliest is 1, 50 %",
    ]


def test_grades_that_are_words_or_uneven_numbers_are_told_in_steps() -> None:
    words = ("poor", "fair", "good", "fine", "great")
    assert pick(pool_of(names=words), 1).reasons == [
        "the student says about good, ± 2.0 grades; likeliest is poor, 50 %"
    ]
    uneven = ("0", "1", "5", "10", "100")
    assert "about 5, ± 2.0 grades" in pick(pool_of(names=uneven), 1).reasons[0]
    halves = ("0", "0.5", "1", "1.5", "2")
    assert "1.0 ± 1.0" in pick(pool_of(names=halves), 1).reasons[0]


def test_of_items_in_doubt_those_are_taken_that_are_unlike_one_another() -> None:
    beliefs = np.tile(BELIEFS[1], (40, 1))
    points = np.zeros((40, 3), dtype=np.float32)
    points[:36, 0], points[36:, 1] = 1, 1
    picked = ExpectedVariance(factor=20).select(
        pool_of(beliefs, encodings=points), 2, np.random.default_rng(0)
    )
    assert sorted(picked.rows >= 36) == [False, True]


def test_several_labels_are_no_grade() -> None:
    with pytest.raises(ShapeError, match="one grade an item"):
        pick(pool_of(multi_label=True), 1)


def test_only_ratings_are_chosen_by_it() -> None:
    assert [name for name in TASKS if "expected-variance" in TASKS[name].strategies] == ["rating"]
    assert [name for name in TASKS if "length" in TASKS[name].strategies] == ["text"]
