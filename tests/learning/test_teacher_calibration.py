"""What a teacher says of its confidence, read by how often it was right."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.metrics import calibration_error
from learning.teachers.calibration import (
    Calibration,
    agreement,
    calibrate,
    content_free_items,
    prior_of,
)
from learning.teachers.platt import Pairs, Platt, fit_platt, log_odds
from learning.teachers.types import LabelText, TeacherAnswer, TeacherSchema


def schema(k: int, *, multi_label: bool = False) -> TeacherSchema:
    return TeacherSchema(
        labels=tuple(LabelText(id=n, name=f"l{n}") for n in range(k)), multi_label=multi_label
    )


def biased(rng: np.random.Generator, n: int, bias: np.ndarray, share: np.ndarray) -> Pairs:
    """A teacher whose log-odds are off by a bias of each label, which it shows without content."""
    label = rng.choice(len(bias), size=n, p=share)
    likely = rng.beta(2, 2, size=n)
    return Pairs(
        label=label,
        score=log_odds(likely) + bias[label],
        right=rng.random(n) < likely,
        prior=bias[label],
    )


def error_of(confidence: np.ndarray, pairs: Pairs) -> float:
    return calibration_error(confidence, pairs.right)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_a_content_free_prior_takes_away_most_of_a_bias_per_label() -> None:
    rng = np.random.default_rng(1)
    bias, share = rng.normal(0, 2, size=12), np.full(12, 1 / 12)
    learn, test = (biased(rng, n, bias, share) for n in (400, 4000))
    platt = fit_platt(learn, np.bincount(learn.label[learn.right], minlength=12))
    raw = error_of(sigmoid(test.score), test)
    mended = error_of(platt.confidence(test.label, test.score, test.prior), test)
    assert raw > 0.15
    assert mended < raw / 2
    blind = fit_platt(
        Pairs(label=learn.label, score=learn.score, right=learn.right),
        np.bincount(learn.label[learn.right], minlength=12),
    )
    lost = np.mean((blind.confidence(test.label, test.score) - test.right) ** 2)
    found = np.mean((platt.confidence(test.label, test.score, test.prior) - test.right) ** 2)
    assert found < lost - 0.02, "the prior tells labels apart"


def test_rare_labels_have_parameters_of_their_own() -> None:
    """Forty labels seen three times each are over-sure, four common ones are not."""
    rng = np.random.default_rng(2)
    common, rare = 4, 40
    over_sure = np.r_[np.zeros(common), np.full(rare, 3.0)]
    share = np.r_[np.full(common, 0.2), np.full(rare, 0.2 / rare)]
    learn, test = (biased(rng, n, over_sure, share) for n in (1500, 6000))
    learn, test = (Pairs(label=p.label, score=p.score, right=p.right) for p in (learn, test))
    frequency = np.r_[np.full(common, 300), np.full(rare, 3)]
    platt = fit_platt(learn, frequency)
    assert platt.groups[0] != platt.groups[-1]
    assert set(platt.groups) == {0, 1}
    seldom = test.label >= common
    asked = Pairs(label=test.label[seldom], score=test.score[seldom], right=test.right[seldom])
    raw = error_of(sigmoid(asked.score), asked)
    assert error_of(platt.confidence(asked.label, asked.score), asked) < raw / 3


def test_groups_without_both_outcomes_join_others_and_none_is_left_unfitted() -> None:
    rng = np.random.default_rng(3)
    pairs = biased(rng, 200, np.zeros(6), np.full(6, 1 / 6))
    last_always_right = Pairs(
        label=pairs.label, score=pairs.score + 2, right=pairs.right | (pairs.label == 5)
    )
    platt = fit_platt(last_always_right, np.array([0, 3, 5, 20, 70, 500]))
    assert platt.groups[5] == platt.groups[4]
    assert len(platt.weights) == max(platt.groups) + 1
    assert (1.0, 0.0, 0.0) not in platt.weights


def test_all_right_is_not_read_as_certainty() -> None:
    label = np.zeros(40, dtype=np.int64)
    pairs = Pairs(label=label, score=np.full(40, 2.0), right=np.ones(40, dtype=bool))
    platt = fit_platt(pairs, np.array([40]))
    (sure,) = platt.confidence(np.array([0]), np.array([2.0]))
    assert 0.9 < sure < 0.995


def test_a_calibration_rises_with_the_score_and_survives_json() -> None:
    rng = np.random.default_rng(4)
    pairs = biased(rng, 300, np.zeros(3), np.full(3, 1 / 3))
    platt = fit_platt(pairs, np.array([100, 100, 100]))
    column = np.zeros(5, dtype=np.int64)
    rising = platt.confidence(column, np.linspace(-4, 4, 5), np.zeros(5))
    assert (np.diff(rising) > 0).all()
    stored = json.loads(json.dumps(asdict(platt)))
    again = Platt(
        groups=tuple(stored["groups"]), weights=tuple(tuple(w) for w in stored["weights"])
    )
    assert again == platt


def answers_of(
    rng: np.random.Generator, n: int, *, stated: bool = True
) -> tuple[list[TeacherAnswer], np.ndarray]:
    """Three labels, right six times in ten, always 95 % sure or never saying how sure."""
    truth = rng.integers(0, 3, size=n)
    said = np.where(rng.random(n) < 0.6, truth, (truth + 1) % 3)
    answers = []
    for number, column in enumerate(said):
        p = np.full(3, 0.025 if stated else 0.0, dtype=np.float32)
        p[column] = 0.95 if stated else 1
        answers.append(
            TeacherAnswer(number=number, probabilities=p, confidence=0.95 if stated else None)
        )
    return answers, np.eye(3)[truth]


def test_a_boast_is_read_as_what_it_was_worth() -> None:
    answers, truth = answers_of(np.random.default_rng(5), 200)
    over = schema(3)
    calibration = calibrate(answers, truth, over)
    mended = calibration.apply(answers[0], over)
    assert mended.confidence == pytest.approx(0.6, abs=0.08)
    assert mended.probabilities.sum() == pytest.approx(1)
    assert mended.probabilities.max() == pytest.approx(mended.confidence)
    assert mended.flags == ("calibrated",)
    assert calibration.answers == 200


def test_a_silent_teacher_is_read_by_who_agrees_with_it() -> None:
    rng = np.random.default_rng(6)
    answers, truth = answers_of(rng, 300, stated=False)
    right = np.array([a.probabilities.argmax() for a in answers]) == truth.argmax(axis=1)
    shares = list(np.where(right, rng.choice([0.5, 0.75], 300), rng.choice([0.25, 0.5], 300)))
    over = schema(3)
    calibration = calibrate(answers, truth, over, agreements=shares)
    assert calibration.stated is None
    alone = calibration.apply(answers[0], over)
    assert alone is answers[0], "without other voices nothing can be said"
    low, high = (calibration.confidence(answers[0], over, share) for share in (0.25, 0.75))
    assert low < 0.4 < 0.8 < high


def test_stated_and_silent_answers_are_calibrated_apart() -> None:
    rng = np.random.default_rng(7)
    (loud, one), (silent, two) = answers_of(rng, 60), answers_of(rng, 60, stated=False)
    shares = [None] * 60 + [0.5] * 60
    calibration = calibrate(
        [*loud, *silent], np.concatenate([one, two]), schema(3), agreements=shares
    )
    assert calibration.stated is not None
    assert calibration.agreed is not None
    assert calibration.answers == 120


def test_too_few_audited_answers_are_refused_with_their_number() -> None:
    answers, truth = answers_of(np.random.default_rng(8), 29)
    with pytest.raises(NotEnoughDataError, match=r"at least 30 .* 29 with a confidence"):
        calibrate(answers, truth, schema(3))
    silent, truth = answers_of(np.random.default_rng(8), 200, stated=False)
    with pytest.raises(NotEnoughDataError, match="0 without one but with other voices"):
        calibrate(silent, truth, schema(3))
    with pytest.raises(NotEnoughDataError, match="at least 30"):
        fit_platt(
            Pairs(label=np.array([0]), score=np.array([0.0]), right=np.array([True])), np.array([1])
        )
    with pytest.raises(ShapeError, match="finite"):
        Pairs(label=np.array([0]), score=np.array([np.inf]), right=np.array([True]))


def test_several_labels_are_calibrated_each_and_silence_stays_silence() -> None:
    rng = np.random.default_rng(9)
    over, truth = schema(3, multi_label=True), (rng.random((300, 3)) < 0.3).astype(float)
    known = np.array([True, True, False])
    answers = [
        TeacherAnswer(
            number=n,
            probabilities=(np.clip(0.5 + 0.4 * (row - 0.5), 0, 1) * known).astype(np.float32),
            known=known,
        )
        for n, row in enumerate(truth)
    ]
    calibration = calibrate(answers, truth, over)
    mended = calibration.apply(answers[0], over)
    assert mended.probabilities[2] == 0
    assert mended.known.tolist() == known.tolist()
    said = np.stack([calibration.apply(a, over).probabilities[:2] for a in answers])
    assert np.abs(said - truth[:, :2]).mean() < 0.1
    assert mended.confidence > 0.9


def test_an_abstention_stays_one() -> None:
    answers, truth = answers_of(np.random.default_rng(10), 60)
    calibration = calibrate(answers, truth, schema(3))
    silent = TeacherAnswer(number=1, abstained="no")
    assert calibration.apply(silent, schema(3)) is silent
    assert calibration.confidence(silent, schema(3)) is None


def test_agreement_counts_voices_that_spoke_and_is_never_certain() -> None:
    p = np.eye(2, dtype=np.float32)
    mine, same, other = (TeacherAnswer(number=0, probabilities=row) for row in (p[0], p[0], p[1]))
    silent = TeacherAnswer(number=0, abstained="no")
    assert agreement(mine, [same, same, silent]) == pytest.approx(3 / 4)
    assert agreement(mine, [other]) == pytest.approx(1 / 3)
    assert agreement(mine, [silent]) is None
    assert agreement(silent, [same]) is None


def test_the_content_free_prior_is_the_mean_over_items_that_say_nothing() -> None:
    items = content_free_items(-3)
    assert [item.number for item in items] == [-3, -2, -1]
    p = np.array([[0.2, 0.8], [0.4, 0.6]], dtype=np.float32)
    given = [TeacherAnswer(number=n, probabilities=row) for n, row in enumerate(p)]
    assert prior_of([*given, TeacherAnswer(number=9, abstained="empty")]) == pytest.approx(
        [0.3, 0.7]
    )
    assert prior_of([]) is None


def test_a_prior_reaches_the_answers() -> None:
    """A label that it is sure of whatever it reads says little when it is said, the other much."""
    rng, bias = np.random.default_rng(11), np.array([3.0, -1.0])
    said, likely = rng.integers(0, 2, size=600), rng.beta(2, 2, size=600)
    right = rng.random(600) < likely
    stated = 1 / (1 + np.exp(-(log_odds(likely) + bias[said])))
    p = np.array([[0.9, 0.1], [0.1, 0.9]], dtype=np.float32)
    answers = [
        TeacherAnswer(number=n, probabilities=p[column], confidence=float(sure))
        for n, (column, sure) in enumerate(zip(said, stated, strict=True))
    ]
    over, truth = schema(2), np.eye(2)[np.where(right, said, 1 - said)]
    nothing = 1 / (1 + np.exp(-bias))
    lost = []
    for prior in (None, nothing):
        calibration: Calibration = calibrate(answers[:300], truth[:300], over, nothing=prior)
        read = np.array([calibration.confidence(a, over) for a in answers[300:]])
        lost.append(np.mean((read - right[300:]) ** 2))
    assert lost[1] < lost[0] - 0.01
    assert calibration.prior == pytest.approx(nothing)
