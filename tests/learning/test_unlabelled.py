"""A head that learns from items without a label how items of one label differ."""

from dataclasses import replace

import numpy as np
import pytest

from learning import storage, students
from learning.errors import ParameterError, ShapeError
from learning.students import unlabelled
from learning.students.head import Head
from learning.students.unlabelled import Unlabelled
from learning.types import Part, TrainingData, no_report

LABELS, DIMENSIONS, LABELLED, TESTED = 20, 48, 200, 1_000
ITEMS = LABELLED + 1_500 + TESTED


def drawn(seed, *, loud=6):
    """Items of 20 labels that all differ loudly in the same few directions, which tell nothing."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(ITEMS) % LABELS)
    middles = rng.normal(size=(LABELS, DIMENSIONS)) * 0.6
    middles[:, :loud] = 0
    spread = np.full(DIMENSIONS, 0.45)
    spread[:loud] = 3.0
    turn = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    vectors = (middles[truth] + spread * rng.normal(size=(ITEMS, DIMENSIONS))) @ turn
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth


def lesson_of(vectors, truth, rows=LABELLED):
    targets = np.eye(LABELS, dtype=np.float32)[truth[:rows]]
    return TrainingData(targets=targets, encodings=vectors[:rows])


def plain_of(lesson):
    return Head().fit(lesson, np.random.default_rng(0), no_report)


def looked(lesson, waiting, **params):
    rng = np.random.default_rng(0)
    return Unlabelled(**params).fit(Head(), plain_of(lesson), lesson, waiting, rng)


@pytest.fixture(autouse=True)
def _unsure_ones_may_learn(monkeypatch):
    """Made-up items are harder than texts; the test of sureness sets it itself."""
    monkeypatch.setattr(unlabelled, "LEAST_SURE", 0.3)


def test_what_items_of_all_labels_differ_in_stops_misleading_the_head():
    gains = []
    for seed in range(3):
        vectors, truth = drawn(seed)
        lesson, waiting = lesson_of(vectors, truth), vectors[LABELLED:-TESTED]

        def right(head, vectors=vectors, truth=truth):
            return (head.predict(vectors[-TESTED:]).argmax(axis=1) == truth[-TESTED:]).mean()

        gains.append(right(looked(lesson, waiting)) - right(plain_of(lesson)))
    assert min(gains) > 0.01
    assert np.mean(gains) > 0.03


def test_all_of_the_covariance_makes_the_spread_the_same_in_all_directions():
    vectors, truth = drawn(0)
    waiting = vectors[LABELLED:]
    plain = plain_of(lesson_of(vectors, truth))

    def within(points):
        said = plain.predict(waiting)
        means = said.T @ points / said.sum(axis=0)[:, None]
        return (points.T @ points - (means.T * said.sum(axis=0)) @ means) / len(points)

    metric = Unlabelled(share=0.999).metric(plain, waiting)
    before, after = within(waiting), within(waiting @ metric)
    np.testing.assert_allclose(metric, metric.T, atol=1e-4)
    assert np.ptp(np.linalg.eigvalsh(after)) < 0.1 * np.ptp(np.linalg.eigvalsh(before))
    assert np.trace(after) == pytest.approx(np.trace(before), rel=0.01)
    same = Unlabelled(share=0.0).metric(plain, waiting)
    np.testing.assert_allclose(same, np.eye(DIMENSIONS), atol=1e-4)


def test_the_head_is_saved_and_read_as_any_other_and_the_same_chance_makes_the_same(tmp_path):
    vectors, truth = drawn(0)
    lesson, waiting = lesson_of(vectors, truth), vectors[LABELLED:-TESTED]
    made = looked(lesson, waiting)
    made.save(tmp_path)
    read = students.load(tmp_path)
    np.testing.assert_array_equal(read.predict(vectors), made.predict(vectors))
    assert storage.read_json(tmp_path / storage.MANIFEST)["student"] == "head"
    np.testing.assert_array_equal(looked(lesson, waiting).weights, made.weights)


def test_a_label_that_is_not_known_stays_without_a_word():
    vectors, truth = drawn(0)
    kept = truth != 3
    vectors, truth = vectors[kept], truth[kept]
    known = np.ones((LABELLED, LABELS), dtype=np.bool_)
    known[:, 3] = False
    younger = np.zeros((LABELLED, LABELS), dtype=np.bool_)
    younger[:5, 4] = truth[:5] != 4
    lesson = replace(lesson_of(vectors, truth), known=known, younger=younger)
    made = looked(lesson, vectors[LABELLED:-TESTED])
    assert not made.predict(vectors)[:, 3].any()
    np.testing.assert_allclose(made.predict(vectors).sum(axis=1), 1, atol=1e-4)


def test_where_it_cannot_tell_the_head_stays_as_the_lesson_made_it(monkeypatch):
    vectors, truth = drawn(0)
    lesson, waiting = lesson_of(vectors, truth), vectors[LABELLED:-TESTED]
    assert looked(lesson, waiting) is not None
    assert looked(lesson, waiting[: unlabelled.FEWEST_WAITING - 1]) is None
    assert looked(lesson_of(vectors, truth, unlabelled.LEAST_ROWS - 1), waiting) is None
    part = Part(columns=tuple(range(LABELS)))
    for other in (
        replace(lesson, multi_label=True),
        replace(lesson, ordered=True),
        replace(lesson, multi_label=True, parts=(part,)),
    ):
        assert not Unlabelled().suits(other)
    monkeypatch.setattr(unlabelled, "LEAST_SURE", 0.999)
    assert looked(lesson, waiting) is None


@pytest.mark.parametrize("params", [{"share": 1.0}, {"sure": 0.0}, {"weight": 0.0}])
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ParameterError):
        Unlabelled(**params)


def test_vectors_of_another_length_are_refused():
    vectors, truth = drawn(0)
    with pytest.raises(ShapeError, match="shape"):
        looked(lesson_of(vectors, truth), vectors[:, :5])
