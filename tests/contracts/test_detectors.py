"""What every detector of wrong labels promises."""

from dataclasses import replace

import numpy as np
import pytest

from learning.audit.detectors import DETECTORS
from learning.audit.detectors.evidence import Evidence
from learning.audit.detectors.gathering import gather
from learning.audit.detectors.scoring import applicable, applies, score, words
from learning.students.folds import OutOfFold
from learning.types import TrainingData
from tests.contracts.plugins import three_groups

ROWS, WRONG = 120, np.arange(0, 120, 12)  # every tenth label is wrong

each = pytest.mark.parametrize("name", DETECTORS)


def mislabelled(*, multi_label: bool = False, seed: int = 0) -> TrainingData:
    """Three groups of items, some of them with another group's label."""
    points, group = three_groups(ROWS, 8, seed)
    targets = np.eye(3, dtype=np.float32)[group]
    targets[WRONG] = np.eye(3, dtype=np.float32)[(group[WRONG] + 1) % 3]
    if multi_label:
        targets[1::12, 0] = 1
    return TrainingData(targets=targets, encodings=points, multi_label=multi_label)


@pytest.fixture(scope="module")
def single() -> Evidence:
    return judged(gather(mislabelled(), np.random.default_rng(0)))


@pytest.fixture(scope="module")
def multi() -> Evidence:
    return judged(gather(mislabelled(multi_label=True), np.random.default_rng(0)))


def judged(evidence: Evidence) -> Evidence:
    """With two judges who know the truth, of whom one speaks about half of the items."""
    _, group = three_groups(ROWS, 8)
    truth = 0.1 + 0.7 * np.eye(3, dtype=np.float32)[group]
    judges = np.stack([truth, truth])
    judges[1, ::2] = np.nan
    return replace(evidence, judges=judges, label_names=("Refund", "Billing", "Login"))


def test_every_detector_is_asked_when_there_is_evidence_for_all(single: Evidence) -> None:
    assert applicable(single) == list(DETECTORS)


@each
def test_scores_lie_between_wrong_and_right_and_find_wrong_labels(
    name: str, single: Evidence
) -> None:
    found = score(DETECTORS.create(name), single)
    assert found.shape == (ROWS,)
    assert np.all((found >= 0) & (found <= 1))
    np.testing.assert_array_equal(found, score(DETECTORS.create(name), single))
    right = np.setdiff1d(np.arange(ROWS), WRONG)
    if name == "near-duplicates":
        assert found[WRONG].mean() <= found[right].mean()
    else:
        assert np.median(found[WRONG]) < np.quantile(found[right], 0.1)


@each
def test_several_labels_are_asked_one_by_one(name: str, multi: Evidence) -> None:
    detector = DETECTORS.create(name)
    found = score(detector, multi)
    assert found.shape == (ROWS, 3)
    assert np.all((found >= 0) & (found <= 1))
    known = np.ones((ROWS, 3), dtype=bool)
    known[:30, 2] = False
    partly = replace(multi, known=known, labels=np.where(known, multi.labels, 0))
    some = score(detector, partly)
    assert np.isnan(some[:30, 2]).all()
    assert not np.isnan(some[known]).any()
    np.testing.assert_array_equal(some[:, :2], found[:, :2])


@each
def test_the_order_of_items_and_the_names_of_labels_change_nothing(
    name: str, single: Evidence
) -> None:
    detector = DETECTORS.create(name)
    found = score(detector, single)
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(ROWS), rng.permutation(3)
    moved = Evidence(
        labels=single.labels[rows][:, columns],
        held_out=OutOfFold(
            probabilities=single.probabilities[rows][:, columns],
            fold=single.held_out.fold[rows],
        ),
        training=single.training[:, rows][:, :, columns],
        students=single.students[:, rows][:, :, columns],
        cleaned=single.cleaned[rows][:, columns],
        judges=single.judges[:, rows][:, :, columns],
        encodings=single.encodings[rows],
    )
    np.testing.assert_allclose(score(detector, moved), found[rows], atol=1e-5)


@each
def test_evidence_is_a_sentence_that_names_the_label(
    name: str, single: Evidence, multi: Evidence
) -> None:
    detector = DETECTORS.create(name)
    said = words(detector, single, WRONG)
    assert len(said) == len(WRONG)
    for sentence, row in zip(said, WRONG, strict=True):
        named = single.label_names[single.given[row]] in sentence
        assert named or "no near copies" in sentence
        assert not sentence.endswith(".")
    assert all("Refund" in x or "no near" in x for x in words(detector, multi, WRONG, column=0))


@each
def test_a_label_that_nobody_has_and_a_lone_item_are_no_trouble(
    name: str, single: Evidence
) -> None:
    def wider(table: np.ndarray) -> np.ndarray:
        return np.concatenate([table, np.zeros_like(table[..., :1])], axis=-1)

    more = replace(
        single,
        labels=wider(single.labels),
        held_out=OutOfFold(probabilities=wider(single.probabilities), fold=single.held_out.fold),
        training=wider(single.training),
        students=wider(single.students),
        cleaned=wider(single.cleaned),
        judges=wider(single.judges),
        label_names=("Refund", "Billing", "Login", "Other"),
    )
    found = score(DETECTORS.create(name), more)
    assert np.isfinite(found).all()
    assert words(DETECTORS.create(name), more, np.arange(3))
    alone = Evidence(
        labels=np.array([[0.0, 1.0]], dtype=np.float32),
        held_out=OutOfFold(
            probabilities=np.array([[0.5, 0.5]], dtype=np.float32), fold=np.zeros(1, dtype=int)
        ),
        encodings=np.ones((1, 4), dtype=np.float32),
    )
    if applies(DETECTORS.create(name), alone):
        assert np.isfinite(score(DETECTORS.create(name), alone)).all()
