"""The combined score: noise of several kinds, rare labels, and what reviews teach it."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from learning.audit.detectors import DETECTORS
from learning.audit.detectors.belief import Belief
from learning.audit.detectors.blend import Blend, _loss
from learning.audit.detectors.combined import PARTS, PRIOR, Combined, features, prior
from learning.audit.detectors.evidence import Evidence
from learning.audit.detectors.gathering import gather
from learning.audit.detectors.scoring import applicable, score
from learning.errors import ShapeError
from learning.types import TrainingData

CONFUSED = {3: 8, 8: 3, 1: 9, 9: 5, 5: 9, 4: 7, 7: 4, 2: 1, 6: 0, 0: 6}


def digits(rows: np.ndarray | slice = slice(0, 900)) -> tuple[np.ndarray, np.ndarray]:
    pictures = load_digits()
    points = pictures.data[rows] - pictures.data.mean(axis=0)
    return points / np.linalg.norm(points, axis=1, keepdims=True), pictures.target[rows]


def looked_at(points: np.ndarray, given: np.ndarray) -> Evidence:
    data = TrainingData(targets=np.eye(10, dtype=np.float32)[given], encodings=points)
    return gather(data, np.random.default_rng(0))


def spoilt(kind: str) -> tuple[Evidence, np.ndarray]:
    """Real digits, a tenth of them mislabelled: by any other, or by what looks like it; or a quarter
    of one digit alone.
    """
    points, truth = digits()
    rng = np.random.default_rng(4)
    given = truth.copy()
    if kind == "one label":
        rows = np.flatnonzero((truth == 3) & (rng.random(len(truth)) < 0.25))
        given[rows] = 8
    else:
        rows = rng.choice(len(truth), 90, replace=False)
        other = (truth[rows] + rng.integers(1, 10, 90)) % 10
        given[rows] = other if kind == "symmetric" else [CONFUSED[x] for x in truth[rows]]
    return looked_at(points, given), given != truth


KINDS = ("symmetric", "confusable", "one label")


@pytest.fixture(scope="module")
def cases() -> dict[str, tuple[Evidence, np.ndarray]]:
    return {kind: spoilt(kind) for kind in KINDS}


def precision(evidence: Evidence, wrong: np.ndarray, name: str) -> float:
    return float(average_precision_score(wrong, -score(DETECTORS.create(name), evidence)))


@pytest.mark.parametrize("kind", KINDS)
def test_it_finds_wrong_digits_as_well_as_the_best_classic_score(kind: str, cases: dict) -> None:
    evidence, wrong = cases[kind]
    found = precision(evidence, wrong, "combined")
    classic = ("self-confidence", "normalised-margin")
    assert found > max(precision(evidence, wrong, name) for name in classic) - 0.01
    assert found > 0.8


def test_a_step_of_the_blend_too_far_out_is_a_bad_one_and_no_overflow() -> None:
    logs = np.log(np.array([[[0.99, 0.01], [0.2, 0.8]], [[0.9, 0.1], [0.3, 0.7]]]))
    given, usual = np.array([0, 1]), np.array([-0.7, -0.7, -2.2])
    here, _ = _loss(logs, given, usual, usual.astype(np.float32))
    for far in ([1_600, -80, -900], [-900, 1_600, 900]):
        value, gradient = _loss(logs, given, usual, np.array(far, dtype=np.float32))
        assert here < value < np.inf
        assert np.isfinite(gradient).all()


def test_a_blend_tells_errors_at_random_from_confusions(cases: dict) -> None:
    """Half the labels of two digits swapped look like doubt, random labels like errors."""
    rates = {kind: Blend()._mix(cases[kind][0]).error for kind in KINDS}
    assert rates["symmetric"] > 2 * rates["one label"]
    assert rates["symmetric"] == pytest.approx(0.1, abs=0.04)


def test_a_rare_label_is_neither_flagged_for_being_rare_nor_spared() -> None:
    points, truth = digits(slice(0, 1200))
    rare = np.flatnonzero(truth == 6)[12:]
    kept = np.setdiff1d(np.arange(1200), rare)
    points, truth = points[kept], truth[kept]
    given = truth.copy()
    wrong = np.flatnonzero(truth == 0)[:4]
    given[wrong] = 6  # a third of what is called 6
    scores = score(DETECTORS.create("combined"), looked_at(points, given))
    rank = np.argsort(np.argsort(scores))
    assert rank[wrong].max() < 20
    assert np.median(rank[truth == 6]) > 30


def test_the_score_is_a_probability_that_reviews_calibrate(cases: dict) -> None:
    evidence, wrong = cases["confusable"]
    said = {
        name: score(DETECTORS.create(name), evidence)
        for name in applicable(evidence)
        if name != "combined"
    }
    table = features(said)
    before = score(Combined(), evidence)
    np.testing.assert_allclose(before, 1 - prior().chance(table))
    drawn = np.random.default_rng(1).choice(len(wrong), 40, replace=False)
    reviewed = np.union1d(np.argsort(before)[:80], drawn)
    learnt = prior().learn(table[reviewed], wrong[reviewed])
    after = 1 - score(Combined(learnt=json.loads(json.dumps(learnt.to_json()))), evidence)
    likely = after > 0.5
    assert wrong[likely].mean() > 0.75
    assert abs(after.mean() - wrong.mean()) < 0.05
    next_ones = np.argsort(-after, kind="stable")[80:130]
    told = learnt.precision(table[next_ones], np.random.default_rng(0))
    assert told.low <= wrong[next_ones].mean() <= told.high
    assert told.width < 0.6


def test_reviews_can_teach_it_to_hear_a_part_that_the_prior_ignores() -> None:
    """In this project only near-duplicates tell errors."""
    rng = np.random.default_rng(6)
    said = {name: rng.random(400) for name in PARTS}
    wrong = rng.random(400) < np.where(said["near-duplicates"] < 0.5, 0.9, 0.05)
    table = features(said)
    learnt = prior().learn(table, wrong)
    found = average_precision_score(wrong, learnt.chance(table))
    assert found > average_precision_score(wrong, prior().chance(table)) + 0.3


def test_what_was_not_asked_says_nothing() -> None:
    table = features({"blend": np.array([0.5, np.nan, 0.0, 1.0]), "combined": np.zeros(4)})
    assert table.shape == (4, 1 + len(PARTS))
    assert table[:, 0].tolist() == [1, 1, 1, 1]
    assert table[:, 1].tolist() == [0, 0, 20, -20]
    assert not table[:, 2:].any()
    with pytest.raises(ShapeError, match="one at least"):
        features({"combined": np.zeros(4)})


def test_the_prior_names_its_parts_and_where_it_comes_from() -> None:
    kept = json.loads(PRIOR.read_text())
    assert set(PARTS) == set(DETECTORS) - {"combined"}
    assert kept["parts"] == list(PARTS)
    assert "seeds" in kept["about"]
    assert isinstance(prior(), Belief)
