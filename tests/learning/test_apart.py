"""Items of two texts, read apart: what the two have in common is learnt, and their order."""

from dataclasses import replace

import numpy as np
import pytest

from learning import encoders, students
from learning.encoders.apart import Apart, meeting, read_by, sides, together, widened
from learning.encoders.tfidf import TfidfSvd
from learning.leaving.student.model import Model
from learning.leaving.student.model import meeting as elsewhere
from learning.routing.foretell import _unseen
from learning.routing.loop import Voices
from learning.routing.types import Candidates
from learning.students.head import Head
from learning.students.unlabelled import Unlabelled
from learning.teachers.types import TeacherItem
from learning.teachers.zero_shot import ReadyZeroShot, ZeroShot
from learning.types import Part, TrainingData, no_report


def pairs(rows, seed=0, dimensions=24):
    """Unit vectors of two texts side by side, of which half say nearly the same; and whether they do."""
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(rows, dimensions))
    same = np.arange(rows) % 2 == 0
    other = np.where(
        same[:, None], one + 0.5 * rng.normal(size=one.shape), rng.normal(size=one.shape)
    )
    both = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, other)]
    return (np.hstack(both) / np.sqrt(2)).astype(np.float32), same


def lesson(rows, *, paired, seed=0, **more):
    vectors, same = pairs(rows, seed)
    targets = np.stack([~same, same], axis=1).astype(np.float32)
    return TrainingData(targets=targets, encodings=vectors, paired=paired, **more)


def right(fitted, data):
    return np.mean(fitted.predict(data.encodings).argmax(axis=1) == data.targets.argmax(axis=1))


def test_whether_two_texts_say_the_same_is_learnt_apart_and_hardly_side_by_side():
    data, asked = lesson(200, paired=True), lesson(300, paired=True, seed=1)
    fitted = Head().fit(data, np.random.default_rng(0), no_report)
    assert right(fitted, asked) > 0.9
    plain = Head().fit(lesson(200, paired=False), np.random.default_rng(0), no_report)
    assert right(plain, asked) < 0.65


def test_what_each_text_is_about_is_learnt_as_well_as_what_they_share():
    rng = np.random.default_rng(0)
    vectors, _ = pairs(700)
    line = rng.normal(size=24)
    first = vectors[:, :24] @ line > 0
    targets = np.stack([~first, first], axis=1).astype(np.float32)

    def fitted(paired):
        data = TrainingData(targets=targets, encodings=vectors, paired=paired)
        head = Head().fit(data.subset(np.arange(200)), np.random.default_rng(0), no_report)
        return head, right(head, data.subset(np.arange(200, 700)))

    (apart, own), (_, beside) = fitted(True), fitted(False)
    assert apart.own == 3
    assert own > beside - 0.03
    same = Head().fit(lesson(200, paired=True), np.random.default_rng(0), no_report)
    assert same.own < 1
    assert Head().settle(same).own == same.own


@pytest.mark.parametrize("parts", [(), (Part(columns=(0, 1)),)])
def test_a_paired_head_survives_a_save_and_works_elsewhere(tmp_path, parts):
    data = lesson(80, paired=True, parts=parts, multi_label=bool(parts))
    fitted = Head().fit(data, np.random.default_rng(0), no_report)
    fitted.save(tmp_path)
    said = fitted.predict(data.encodings)
    np.testing.assert_allclose(students.load(tmp_path).predict(data.encodings), said, atol=1e-6)
    np.testing.assert_allclose(Model(tmp_path).predict(data.encodings), said, atol=1e-5)
    np.testing.assert_allclose(
        elsewhere(data.encodings, 0.3), meeting(data.encodings, 0.3), atol=1e-6
    )


def test_items_without_a_label_teach_no_head_of_two_texts():
    data = lesson(300, paired=True)
    plain = Head().fit(data, np.random.default_rng(0), no_report)
    waiting = pairs(600, seed=3)[0]
    fitted = Unlabelled().fit(Head(), plain, data, waiting, np.random.default_rng(0))
    assert fitted is None


def test_names_of_labels_mean_the_same_where_texts_are_read_apart():
    vectors, _ = pairs(10)
    names = pairs(3, seed=2)[0]
    np.testing.assert_allclose(
        meeting(vectors, 0.3) @ widened(names.T, 0.3), vectors @ names.T, atol=1e-5
    )
    data = lesson(60, paired=True, label_vectors=names[:2])
    assert Head().fit(data, np.random.default_rng(0), no_report).weights.shape == (96, 2)


def test_the_two_halves_are_the_two_texts_and_a_lone_text_is_both(tmp_path):
    assert sides(together("a\nb", "c\nd")) == ("a\nb", "c\nd")
    assert sides(together("a", "")) == ("a", "")
    assert sides("typed\nby a person\n") == ("typed", "by a person\n")
    assert sides("Refund") == ("Refund", "Refund")
    texts = ["late parcel", "refund money", "broken screen", "late refund"]
    ready = Apart(ready=TfidfSvd(components=3, features=64).fit(texts))
    rows = ready.encode([together(texts[0], texts[1]), texts[2]])
    alone = ready.ready.encode(texts)
    np.testing.assert_allclose(rows[0], np.hstack([alone[0], alone[1]]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_allclose(rows[1], np.hstack([alone[2], alone[2]]) / np.sqrt(2), atol=1e-6)
    assert ready.dimensions == rows.shape[1]
    assert ready.fingerprint != ready.ready.fingerprint
    ready.save(tmp_path)
    again = encoders.load(tmp_path)
    assert again.fingerprint == ready.fingerprint
    np.testing.assert_array_equal(again.encode(texts), ready.encode(texts))


def test_a_forecast_expects_of_pairs_what_a_student_of_pairs_learns():
    data = lesson(300, paired=True)
    said = {}
    for paired in (True, False):
        items = Candidates(
            teacher=data.targets,
            answered=np.ones(300, dtype=np.bool_),
            encodings=data.encodings,
            paired=paired,
        ).subset(np.arange(300))
        heard = Voices(
            items=items, labelled=np.ones(300, dtype=np.bool_), answers=data.targets, drawn=None
        )
        rng = np.random.default_rng(0)
        _, told = _unseen(heard, np.arange(300), Head(), rng, no_report)
        said[paired] = np.mean(told[-1].argmax(axis=1) == data.targets.argmax(axis=1))
    assert said[True] > 0.9 > 0.7 > said[False]


def test_a_teacher_reads_an_item_of_several_lines_as_the_matrix_has_it():
    text, text_b = "refund please\nthank you", "parcel is late"
    plain = TfidfSvd().fit([text, text_b, "something else", "refund late"])
    apart = Apart(ready=plain)
    assert read_by(plain, text, text_b) == f"{text}\n{text_b}"
    (row,) = apart.encode([together(text, text_b)])
    asked = TeacherItem(number=-1, text=text, text_b=text_b)
    vectors = ReadyZeroShot(settings=ZeroShot(), encoder=apart)._vectors([asked])
    np.testing.assert_allclose(vectors[0], row)


def better(rows, seed=0, dimensions=24):
    """Pairs of which the text farther along a hidden line is better, those nearly as far are equal; the second
    text is often the one."""
    rng = np.random.default_rng(seed)
    vectors, _ = pairs(rows, seed)
    line = np.random.default_rng(7).normal(size=dimensions)
    ahead = (vectors[:, :dimensions] - vectors[:, dimensions:]) @ line
    worse = (ahead > 0) & (rng.random(rows) < 0.5)  # the first is seldom the better one
    vectors[worse] = turned(vectors[worse])
    ahead[worse] *= -1
    outcome = np.where(np.abs(ahead) < 0.3, 2, np.where(ahead > 0, 0, 1))
    return vectors, np.eye(4, dtype=np.float32)[outcome]


def turned(vectors):
    half = vectors.shape[1] // 2
    return np.concatenate([vectors[:, half:], vectors[:, :half]], axis=1)


@pytest.mark.parametrize("named", [False, True])
def test_texts_that_change_places_exchange_what_is_said_of_the_sides(named):
    vectors, targets = better(150)
    called = np.random.default_rng(1).normal(size=(4, 48)).astype(np.float32)
    data = TrainingData(
        targets=targets,
        encodings=vectors,
        paired=True,
        sided=True,
        label_vectors=called if named else None,
    )
    fitted = Head().fit(data, np.random.default_rng(0), no_report)
    asked, truth = better(300, seed=1)
    said, other = fitted.predict(asked), fitted.predict(turned(asked))
    np.testing.assert_allclose(said, other[:, [1, 0, 2, 3]], atol=1e-5)
    assert np.mean(said.argmax(axis=1) == truth.argmax(axis=1)) > 0.7


def test_in_a_form_each_comparison_treats_both_texts_alike_and_other_questions_do_not():
    vectors, targets = better(300)
    form = np.zeros((300, 10), dtype=np.float32)
    form[:, 2:6] = targets
    form[:, [0, 1]] = targets[:, [0, 1]] + targets[:, [2, 3]]  # which text it is, in other words
    form[:, 6] = 1  # of one criterion everybody said the same
    parts = (
        Part(columns=(0, 1)),
        Part(columns=(2, 3, 4, 5), sided=True),
        Part(columns=(6, 7, 8, 9), sided=True),
    )
    data = TrainingData(targets=form, encodings=vectors, paired=True, multi_label=True, parts=parts)
    fitted = Head().fit(data, np.random.default_rng(0), no_report)
    said, other = fitted.predict(vectors), fitted.predict(turned(vectors))
    np.testing.assert_allclose(said[:, 2:6], other[:, [3, 2, 4, 5]], atol=1e-5)
    np.testing.assert_allclose(said[:, 6:], other[:, [7, 6, 8, 9]], atol=1e-5)
    assert np.abs(said[:, :2] - other[:, [1, 0]]).max() > 0.02
    assert np.mean(said[:, 2:6].argmax(axis=1) == targets.argmax(axis=1)) > 0.7


def test_treating_both_sides_alike_is_learning_each_pair_both_ways():
    vectors, targets = better(100)
    alike = TrainingData(targets=targets, encodings=vectors, paired=True, sided=True)
    twice = TrainingData(
        targets=np.concatenate([targets, targets[:, [1, 0, 2, 3]]]),
        encodings=np.concatenate([vectors, turned(vectors)]),
        paired=True,
    )

    def said(data, strength):
        head = Head(strength=strength, tolerance=1e-5)
        return head.fit(data, np.random.default_rng(0), no_report).predict(vectors)

    np.testing.assert_allclose(said(alike, 4.0), said(twice, 2.0), atol=2e-3)


def test_a_head_that_learnt_the_sides_apart_is_a_beginning_for_one_that_does_not():
    vectors, targets = better(200)
    data = TrainingData(targets=targets, encodings=vectors, paired=True)
    apart = Head().fit(data, np.random.default_rng(0), no_report)
    alike = replace(data, sided=True)
    again = Head().fit(alike, np.random.default_rng(0), no_report, apart)
    said, other = again.predict(vectors), again.predict(turned(vectors))
    np.testing.assert_allclose(said, other[:, [1, 0, 2, 3]], atol=1e-5)
    gap = np.abs(apart.predict(vectors) - apart.predict(turned(vectors))[:, [1, 0, 2, 3]])
    assert gap.max() > 0.05
