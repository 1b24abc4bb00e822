"""What every student promises."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from learning import students
from learning.encoders.apart import as_one, together
from learning.errors import DamagedFileError, NotEnoughDataError
from learning.students import STUDENTS
from learning.types import no_report
from tests.contracts.plugins import example_parameters, lesson

every = pytest.mark.parametrize("name", STUDENTS)


def items(student, data):
    return {"encodings": data.encodings, "texts": data.texts, "images": data.images}[student.needs]


@pytest.fixture
def make(models: Path):
    return lambda name: STUDENTS.create(name, example_parameters(name, models))


@pytest.fixture(scope="module")
def learnt(models: Path):
    """What each student has learnt from the lesson: fitted once for all who only look at it."""
    return cache(lambda name: fitted_on(lesson(), name, models))


def fitted_on(data, name: str, models: Path):
    student = STUDENTS.create(name, example_parameters(name, models))
    return student.fit(data, np.random.default_rng(0), no_report)


@every
@pytest.mark.parametrize("multi_label", [False, True])
def test_learns_and_keeps_to_its_columns(
    name: str, make, learnt, models: Path, multi_label: bool
) -> None:
    student, data = make(name), lesson(multi_label=multi_label)
    fitted = fitted_on(data, name, models) if multi_label else learnt(name)
    p = fitted.predict(items(student, data))
    assert p.dtype == np.float32
    assert p.shape == (60, 4)
    assert fitted.labels == 4
    assert fitted.multi_label is multi_label
    assert ((p >= 0) & (p <= 1)).all()
    assert (p[:, 3] == 0).all(), "a label that was never known gets no probability"
    if multi_label:
        assert ((p >= 0.5) == (data.targets >= 0.5)).mean() > 0.8
    else:
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
        assert (p.argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize("name", [name for name in STUDENTS if STUDENTS[name].needs == "texts"])
def test_of_two_texts_it_reads_both_and_those_that_people_type(name: str, models: Path) -> None:
    alone = lesson(30)
    texts = [together("now", text) for text in alone.texts]
    fitted = fitted_on(replace(alone, texts=texts, paired=True), name, models)
    said = fitted.predict(texts)
    assert (said.argmax(axis=1) == alone.targets.argmax(axis=1)).mean() > 0.9
    typed = [as_one(text) for text in texts]
    np.testing.assert_array_equal(fitted.predict(typed), said)


@every
def test_same_generator_same_student(name: str, make, learnt, models: Path) -> None:
    asked = items(make(name), lesson())
    again = fitted_on(lesson(), name, models)
    np.testing.assert_array_equal(again.predict(asked), learnt(name).predict(asked))


@every
def test_comes_back_from_disk_the_same(name: str, make, learnt, tmp_path: Path) -> None:
    student, data, fitted = make(name), lesson(), learnt(name)
    fitted.save(tmp_path)
    again = students.load(tmp_path)
    np.testing.assert_array_equal(
        again.predict(items(student, data)), fitted.predict(items(student, data))
    )
    assert not [path for path in tmp_path.rglob("*") if path.suffix in {".pkl", ".pt", ".bin"}]


@every
def test_refuses_changed_files(name: str, learnt, tmp_path: Path) -> None:
    learnt(name).save(tmp_path)
    changed = next(tmp_path.rglob("*.safetensors"))
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    with pytest.raises(DamagedFileError, match="changed"):
        students.load(tmp_path)


@every
def test_begins_from_a_student_with_fewer_labels(name: str, make, learnt) -> None:
    data = lesson()
    wide = np.hstack([data.targets, np.zeros((len(data.targets), 1), dtype=np.float32)])
    more = replace(data, targets=wide, known=None)
    fitted = make(name).fit(more, np.random.default_rng(0), no_report, learnt(name))
    assert fitted.labels == 5


@every
def test_reports_and_lets_a_cancel_through(name: str, make) -> None:
    seen = []

    def report(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        make(name).fit(lesson(), np.random.default_rng(0), report)
    assert all(0 <= done <= total for done, total in seen)


@every
def test_refuses_no_rows(name: str, make) -> None:
    with pytest.raises(NotEnoughDataError):
        make(name).fit(lesson().subset(np.empty(0, np.int64)), np.random.default_rng(0), no_report)


@every
def test_nothing_asked_nothing_said(name: str, make, learnt) -> None:
    assert learnt(name).predict(items(make(name), lesson())[:0]).shape == (0, 4)


@every
def test_heavier_answers_win(name: str, make) -> None:
    """Every item carries two contradicting answers; the one with more weight is learnt."""
    student, data = make(name), lesson(30)
    rows = np.concatenate([np.arange(30), np.arange(30)])
    twice = data.subset(rows)
    targets = twice.targets.copy()
    targets[30:] = np.roll(targets[30:, :3], 1, axis=1) @ np.eye(3, 4, dtype=np.float32)
    weights = np.concatenate([np.full(30, 9.0), np.full(30, 1.0)]).astype(np.float32)
    heavy = replace(twice, targets=targets, known=None, weights=weights)
    p = student.fit(heavy, np.random.default_rng(0), no_report).predict(items(student, data))
    assert (p.argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.8
