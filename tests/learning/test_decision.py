"""From which probability on a head gives one of several labels."""

import numpy as np
import pytest

from learning import students
from learning.errors import ParameterError
from learning.leaving.student.model import Model
from learning.metrics import micro_macro_f1
from learning.students.decision import best_cut
from learning.students.head import Head
from learning.types import TrainingData, no_report


def rare_labels(rows: int, seed: int = 0) -> TrainingData:
    """Twelve labels, each of which holds of one item in ten or so, and never for sure."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(rows, 24)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    directions = np.random.default_rng(99).normal(size=(24, 12))
    chances = 1 / (1 + np.exp(3.4 - 2.2 * points @ directions))
    targets = (rng.random(chances.shape) < chances).astype(np.float32)
    return TrainingData(encodings=points, targets=targets, multi_label=True)


def fit(data: TrainingData, **options):
    return Head(**options).fit_one(data, np.random.default_rng(0), no_report)


def test_no_other_line_has_a_better_expected_f1() -> None:
    told = np.random.default_rng(3).beta(0.5, 3, size=(50, 8))

    def expected(line: float) -> float:
        given = told >= line
        return 2 * told[given].sum() / (given.sum() + told.sum())

    best = max(expected(line) for line in np.linspace(0.01, 0.99, 197))
    assert expected(best_cut(told)) == pytest.approx(best, abs=1e-3)
    assert best_cut(told) == pytest.approx(best / 2, abs=1e-3)


def test_sure_labels_are_given_from_a_half_on_and_so_are_none() -> None:
    assert best_cut(np.array([[1.0, 0.0], [0.0, 1.0]])) == 0.5
    assert best_cut(np.zeros((3, 2))) == 0.5


def test_a_head_that_draws_its_line_gives_more_labels_and_is_right_more_often() -> None:
    learnt, met = rare_labels(400), rare_labels(600, seed=1)
    half, drawn = fit(learnt), fit(learnt, cut=None)
    plain, moved = half.predict(met.encodings), drawn.predict(met.encodings)
    truth = met.targets >= 0.5
    before, after = (micro_macro_f1(truth, said >= 0.5)[0] for said in (plain, moved))
    assert after > before + 0.1
    assert drawn.choice.cut < 0.4
    np.testing.assert_array_equal(moved >= 0.5, plain >= np.float32(drawn.choice.cut))
    np.testing.assert_array_equal(plain.argsort(axis=0)[-9:], moved.argsort(axis=0)[-9:])


def test_what_was_chosen_serves_further_fits_and_is_saved(tmp_path) -> None:
    data = rare_labels(120)
    head = Head(cut=None)
    fitted = head.fit_one(data, np.random.default_rng(0), no_report)
    settled = head.settle(fitted)
    assert settled.cut == fitted.choice.cut
    again = settled.fit_one(data, np.random.default_rng(1), no_report)
    assert again.choice.cut == fitted.choice.cut
    fitted.save(tmp_path / "head")
    said = fitted.predict(data.encodings)
    np.testing.assert_array_equal(students.load(tmp_path / "head").predict(data.encodings), said)
    elsewhere = Model(tmp_path / "head").predict(data.encodings)  # as it runs without Concord
    np.testing.assert_allclose(elsewhere, said, atol=1e-6)


def test_few_rows_and_one_label_an_item_keep_to_the_half() -> None:
    assert fit(rare_labels(20), cut=None).choice.cut == 0.5
    data = rare_labels(60)
    one = TrainingData(
        encodings=data.encodings, targets=np.eye(12, dtype=np.float32)[np.arange(60) % 12]
    )
    assert fit(one, cut=None, strength=1.0).choice.cut == 0.5


def test_a_line_at_nought_or_one_is_refused() -> None:
    for cut in (0.0, 1.0):
        with pytest.raises(ParameterError, match="above 0 and below 1"):
            Head(cut=cut)
