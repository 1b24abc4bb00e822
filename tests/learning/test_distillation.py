"""A head that learns what a better voice says before its own labels."""

from dataclasses import replace

import numpy as np
import pytest

from learning import storage
from learning.errors import ParameterError, ShapeError
from learning.students.distillation import Distillation
from learning.students.head import Head
from learning.types import Part, TrainingData, no_report

ITEMS, LABELLED, TESTED = 600, 12, 200


def drawn(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, ITEMS)
    middles = rng.normal(size=(3, 24))
    middles *= 3 / np.linalg.norm(middles, axis=1, keepdims=True)
    vectors = middles[truth] + 1.5 * rng.normal(size=(ITEMS, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth


def data(vectors, columns, sure=1.0):
    p = np.full((len(columns), 3), (1 - sure) / 2, dtype=np.float32)
    p[np.arange(len(columns)), columns] = sure
    return TrainingData(targets=p, encodings=vectors)


def heads(seed, *, wrong_label=None, labelled=LABELLED):
    """(alone, distilled, accuracy): the voice calls every item of one label another if told so."""
    vectors, truth = drawn(seed)
    said = truth.copy() if wrong_label is None else np.where(truth == wrong_label, 0, truth)
    lesson = data(vectors[:labelled], truth[:labelled])
    soft = data(vectors[labelled:-TESTED], said[labelled:-TESTED], 0.9)
    alone = Head().fit(lesson, np.random.default_rng(0), no_report)
    distilled = Distillation().fit(Head(), lesson, soft, np.random.default_rng(0))

    def accuracy(head):
        said = head.predict(vectors[-TESTED:]).argmax(axis=1)
        return float((said == truth[-TESTED:]).mean())

    return alone, distilled, accuracy


def test_a_dozen_labels_and_a_good_voice_beat_a_dozen_labels():
    gains = []
    for seed in range(4):
        alone, distilled, accuracy = heads(seed)
        gains.append(accuracy(distilled) - accuracy(alone))
    assert np.mean(gains) > 0.05
    assert min(gains) > 0


def test_labels_correct_what_the_voice_never_says():
    _, distilled, accuracy = heads(1, wrong_label=2, labelled=90)
    vectors, truth = drawn(1)
    soft = data(vectors[90:-TESTED], np.where(truth == 2, 0, truth)[90:-TESTED], 0.9)
    echo = Head().fit(soft, np.random.default_rng(0), no_report)
    assert accuracy(distilled) > accuracy(echo) + 0.1
    assert distilled.choice.rows == 90, "chosen on the lesson alone"


def test_a_label_that_the_voice_does_not_know_is_left_to_the_lesson():
    vectors, truth = drawn(2)
    lesson = data(vectors[:40], truth[:40])
    others = 40 + np.flatnonzero(truth[40:-TESTED] != 2)
    soft = data(vectors[others], truth[others])
    known = np.tile([True, True, False], (soft.rows, 1))
    fitted = Distillation().fit(
        Head(), lesson, replace(soft, known=known), np.random.default_rng(0)
    )
    found = fitted.predict(vectors[-TESTED:]).argmax(axis=1)
    assert (found[truth[-TESTED:] == 2] == 2).mean() > 0.4


def test_a_lesson_of_some_size_tells_how_closely_the_voice_is_followed():
    vectors, truth = drawn(5)
    soft, plan = data(vectors[150:-TESTED], truth[150:-TESTED]), Distillation(strengths=(1e-4, 30))
    for rows, strength in ((150, 30), (40, 1e-4)):
        lesson = data(vectors[:rows], truth[:rows])
        taught = plan.taught(Head(), lesson, soft, np.random.default_rng(0))
        assert taught.choice.strength == strength


def test_other_columns_and_senseless_parameters_are_refused():
    vectors, truth = drawn(3)
    lesson = data(vectors[:20], truth[:20])
    narrow = TrainingData(targets=np.eye(2, dtype=np.float32), encodings=vectors[:2])
    with pytest.raises(ShapeError, match="same label columns"):
        Distillation().fit(Head(), lesson, narrow, np.random.default_rng(0))
    form = replace(
        lesson, multi_label=True, parts=(Part(columns=(0, 1, 2), several=False, ordered=False),)
    )
    with pytest.raises(ShapeError, match="questions"):
        Distillation().fit(Head(), form, replace(form, parts=()), np.random.default_rng(0))
    short = replace(lesson, encodings=vectors[:20, :5])
    with pytest.raises(ShapeError, match="weights"):
        Distillation().fit(Head(), lesson, short, np.random.default_rng(0))
    with pytest.raises(ParameterError):
        Distillation(strengths=())


def test_facts_are_added_to_a_manifest_whose_files_stay(tmp_path):
    alone, _, _ = heads(0)
    alone.save(tmp_path)
    before = storage.read_manifest(tmp_path)
    storage.note(tmp_path, {"beside": {"rows": 3}})
    assert storage.read_manifest(tmp_path) == {**before, "beside": {"rows": 3}}
    assert Head.load(tmp_path).choice == alone.choice
