"""A head that begins with labels learnt elsewhere, and learns nothing of the labels left behind there."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.students.head import Head
from learning.students.warm import Beginning, learnt, only
from learning.types import TrainingData, no_report

D = 16


def middles(labels=6, seed=1):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(labels, D))
    return (2 * found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def lesson(labels, each, seed, **more):
    """So many rows of each of these of six kinds, its columns in this order."""
    rng = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(len(labels)), each)
    points = middles()[np.asarray(labels)[kinds]] + 0.8 * rng.normal(size=(len(kinds), D))
    return TrainingData(
        targets=np.eye(len(labels), dtype=np.float32)[kinds],
        encodings=points.astype(np.float32),
        **more,
    )


def rng():
    return np.random.default_rng(0)


def taken_from(theirs, place, taken):
    return learnt(only(theirs, np.array(place), taken), None, 4, rng())


def accuracy(head, labels):
    tested = lesson(labels, 100, 9)
    said = head.predict(np.asarray(tested.encodings)).argmax(axis=1)
    return float((said == tested.targets.argmax(axis=1)).mean())


def test_answers_about_labels_left_behind_change_nothing_to_the_bit():
    theirs = lesson((0, 1, 2, 3), 20, 3)
    place = (0, -1, 1, -1)
    left = theirs.targets[:, [1, 3]].any(axis=1)
    other = replace(
        theirs,
        encodings=np.where(left[:, None], -5, theirs.encodings).astype(np.float32),
        targets=np.where(left[:, None], theirs.targets[:, [0, 3, 2, 1]], theirs.targets),
    )
    one, two = taken_from(theirs, place, 2), taken_from(other, place, 2)
    np.testing.assert_array_equal(one.weights, two.weights)
    whole = [Head().fit_one(each, rng(), no_report).weights[:, [0, 2]] for each in (theirs, other)]
    assert np.abs(whole[0] - whole[1]).max() > 0.1, "of a student as it is they would"


def test_a_column_without_a_counterpart_begins_at_what_it_is_called():
    named = middles()[[0, 2, 4]]
    here = lesson((0, 2, 4), 2, 5, label_vectors=named)
    plan = Beginning(
        taken=taken_from(lesson((0, 1, 2), 20, 3), (0, -1, 1), 2), columns=np.array([0, 1])
    )
    centre = plan.centre(here, 10.0)
    names = 10 * (named - named.mean(axis=0)).T
    np.testing.assert_allclose(centre[:, 2], names[:, 2], atol=1e-4)
    np.testing.assert_allclose(centre[:, :2].mean(axis=1), names[:, :2].mean(axis=1), atol=1e-4)


def test_two_answers_a_label_go_further_with_it_and_many_forget_it():
    theirs, labels = lesson((0, 1, 2, 3), 40, 3), (0, 1, 2, 4)
    plan = Beginning(taken=taken_from(theirs, (0, 1, 2, -1), 3), columns=np.array([0, 1, 2]))
    few, many = lesson(labels, 2, 5), lesson(labels, 200, 6)
    begun, alone = plan.fit(Head(), few, rng()), Head().fit_one(few, rng(), no_report)
    assert accuracy(begun.head, labels) > accuracy(alone, labels) + 0.05
    assert begun.alone is None, "eight answers choose nothing"
    assert not begun.is_refuted
    later = Head().fit_one(many, rng(), no_report)
    assert (
        abs(accuracy(plan.fit(Head(), many, rng()).head, labels) - accuracy(later, labels)) < 0.03
    )


def test_labels_that_mean_something_else_are_refuted_by_held_out_answers():
    taken = taken_from(lesson((0, 1, 2), 40, 3), (0, 1, 2), 3)
    here = lesson((0, 1, 2), 12, 5)
    right = Beginning(taken=taken, columns=np.array([0, 1, 2]))
    wrong = Beginning(taken=taken, columns=np.array([1, 2, 0]))
    assert wrong.fit(Head(), here, rng()).is_refuted
    assert not right.fit(Head(), here, rng()).is_refuted


def test_finer_labels_become_one_and_of_several_labels_the_surer_counts():
    fine = TrainingData(
        targets=np.array([[0.6, 0.4, 0], [0, 0.2, 0.8], [0, 0, 1]], dtype=np.float32),
        encodings=np.eye(3, dtype=np.float32),
        label_vectors=np.eye(3, dtype=np.float32),
    )
    one = only(fine, np.array([0, 0, -1]), 1)
    np.testing.assert_allclose(one.targets, [[1.0]])
    assert one.label_vectors is None, "names were moved among all names there"
    several = replace(fine, multi_label=True, known=np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1]]) > 0)
    several = replace(several, targets=several.targets * several.known)
    both = only(several, np.array([0, 0, 1]), 2)
    np.testing.assert_allclose(both.targets, [[0.6, 0], [0.2, 0.8], [0, 1]])
    np.testing.assert_array_equal(both.known, [[True, True], [True, True], [False, True]])


def test_what_does_not_fit_is_refused():
    theirs = lesson((0, 1), 5, 3)
    with pytest.raises(NotEnoughDataError):
        only(theirs, np.array([-1, -1]), 1)
    with pytest.raises(ShapeError):
        only(theirs, np.array([0, 2]), 2)
    taken = taken_from(theirs, (0, 1), 2)
    with pytest.raises(ShapeError):
        Beginning(taken=taken, columns=np.array([0, 0])).fit(Head(), theirs, rng())
    with pytest.raises(ShapeError):
        Beginning(taken=taken, columns=np.array([0, 1])).fit(
            Head(), replace(theirs, multi_label=True), rng()
        )


@pytest.mark.parametrize("shape", ["several labels", "two texts"])
def test_several_labels_an_item_and_items_of_two_texts_begin_as_well(shape):
    def made(labels, each, seed):
        data = lesson(labels, each, seed)
        if shape == "several labels":
            return replace(data, multi_label=True)
        same = np.asarray(data.encodings)
        return replace(data, encodings=np.hstack([same, same[::-1]]), paired=True)

    plan = Beginning(
        taken=taken_from(made((0, 1, 2, 3), 40, 3), (0, 1, 2, -1), 3), columns=np.arange(3)
    )
    here, tested = made((0, 1, 2, 4), 2, 5), made((0, 1, 2, 4), 50, 9)
    heads = plan.fit(Head(), here, rng()).head, Head().fit(here, rng(), no_report)
    begun, alone = (ranked(head.predict(tested.encodings), tested.targets) for head in heads)
    assert begun > alone
    assert heads[0].labels == 4


def ranked(said, truth):
    """How often an item of a matched label stands before one of another, 0 … 1."""
    shares = [
        (p[t][:, None] > p[~t]).mean() for p, t in zip(said.T[:3], truth.T[:3] > 0.5, strict=True)
    ]
    return float(np.mean(shares))
