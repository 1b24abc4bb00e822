"""The loop: one opinion of student and teacher, who is asked next, what is believed."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.routing.loop import LoopPolicy, Voices, believed, finished, fit_blend, pooled, trusted
from learning.routing.types import Candidates


def voices(
    rows: int = 600,
    *,
    teacher_right: float = 0.9,
    student_right: float = 0.6,
    multi_label: bool = False,
    random: int = 0,
) -> Voices:
    """Two voices that err independently and say how sure they are; every fourth item is labelled."""
    rng = np.random.default_rng(random)
    column = rng.integers(0, 3, rows)
    truth = np.eye(3, dtype=np.float32)[column]

    def voice(right: float) -> np.ndarray:
        said = np.where(rng.random(rows) < right, column, (column + rng.integers(1, 3, rows)) % 3)
        table = np.full((rows, 3), (1 - right) / 2)
        table[np.arange(rows), said] = right
        return table

    answered = np.arange(rows) % 7 > 0
    items = Candidates(
        teacher=voice(teacher_right) * answered[:, None],
        answered=answered,
        student=voice(student_right),
        encodings=truth + 0.3 * rng.normal(size=(rows, 3)).astype(np.float32),
        multi_label=multi_label,
    )
    labelled = np.arange(rows) % 4 == 0
    return Voices(items=items, labelled=labelled, answers=truth[labelled])


def truth_of(heard: Voices) -> np.ndarray:
    """The answers of all items: `voices` puts each encoding next to its label."""
    return np.eye(3, dtype=bool)[np.asarray(heard.items.encodings).argmax(axis=1)]


def test_a_good_teacher_is_heard_and_a_poor_one_is_not() -> None:
    good, poor = fit_blend(voices()), fit_blend(voices(teacher_right=1 / 3))
    assert good.teacher_weight >= 0.5
    assert good.cost < good.alone_cost - 0.1
    assert poor.teacher_weight <= 0.1


def test_an_answer_counts_as_far_as_a_router_trusts_it() -> None:
    heard = voices(teacher_right=0.6)
    wrong = np.where((heard.items.said() == truth_of(heard)).all(axis=1), 0.1, 0.9)
    plain, routed = fit_blend(heard), fit_blend(replace(heard, wrong=wrong))
    assert routed.cost < plain.cost - 0.1
    trust = trusted(heard.items, wrong)
    asked = heard.items.answered
    np.testing.assert_allclose(trust[asked].sum(axis=1), 1)
    np.testing.assert_allclose((trust * heard.items.said()).sum(axis=1)[asked], 1 - wrong[asked])
    assert not trust[~asked].any()


def test_a_blend_is_fitted_on_what_is_like_the_rest() -> None:
    """Of the drawn items as large a share is left out, the doubtful ones, as people have labelled."""
    heard = voices()
    drawn = np.arange(len(heard.answers)) % 3 == 0
    blend = fit_blend(replace(heard, drawn=drawn))
    gone = 100 / (600 - 50)
    asked = heard.items.answered[heard.labelled][drawn].mean()
    assert blend.n == pytest.approx(50 * (1 - gone) * asked, abs=4)


def test_only_items_that_chance_drew_say_what_a_voice_is_worth() -> None:
    heard = voices()
    spoilt = heard.answers.copy()
    drawn = np.arange(len(spoilt)) % 2 == 0
    spoilt[~drawn] = np.roll(spoilt[~drawn], 1, axis=1)
    kept = fit_blend(replace(heard, answers=spoilt, drawn=drawn))
    alone = fit_blend(replace(heard, drawn=drawn))
    assert kept == alone
    assert kept.n < fit_blend(heard).n


def test_with_few_answers_the_student_speaks_alone() -> None:
    heard = voices()
    few = np.zeros(len(heard.answers), dtype=bool)
    few[:10] = True
    blend = fit_blend(replace(heard, drawn=few))
    assert (blend.student_weight, blend.teacher_weight, blend.n) == (1.0, 0.0, 0)


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_opinion_is_better_than_either_voice(multi_label: bool) -> None:
    heard = voices(4_000, teacher_right=0.75, student_right=0.75, multi_label=multi_label)
    opinion = LoopPolicy().opinion(heard)
    p = opinion.probabilities
    assert p.shape == (4_000, 3)
    assert p.dtype == np.float32
    assert ((p >= 0) & (p <= 1)).all()
    if multi_label:
        return
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    asked = heard.items.answered
    truth = truth_of(heard)[asked].argmax(axis=1)
    right = (p[asked].argmax(axis=1) == truth).mean()
    student = (np.asarray(heard.items.student)[asked].argmax(axis=1) == truth).mean()
    teacher = (heard.items.teacher[asked].argmax(axis=1) == truth).mean()
    assert right > max(student, teacher) - 0.01


def test_without_a_student_the_teacher_speaks_and_without_both_nobody() -> None:
    heard = voices()
    items = replace(heard.items, student=None)
    opinion = LoopPolicy().opinion(replace(heard, items=items))
    asked = items.answered
    np.testing.assert_allclose(opinion.probabilities[asked], items.teacher[asked], atol=1e-5)
    np.testing.assert_allclose(opinion.probabilities[~asked], 1 / 3, atol=1e-5)
    silent = replace(items, teacher=np.zeros_like(items.teacher), answered=np.zeros_like(asked))
    with pytest.raises(NotEnoughDataError, match="neither a student nor"):
        LoopPolicy().opinion(replace(heard, items=silent))


def test_how_likely_the_teacher_is_right_is_a_chance() -> None:
    heard = voices(6_000, teacher_right=0.8, student_right=0.7)
    opinion = LoopPolicy().opinion(heard)
    rows = np.flatnonzero(heard.items.answered & ~heard.labelled)
    right = (heard.items.said() == truth_of(heard)).all(axis=1)[rows]
    sure = opinion.right[rows]
    for low, high in ((0.0, 0.6), (0.6, 0.9), (0.9, 1.0)):
        within = (sure >= low) & (sure < high)
        if within.sum() > 100:
            assert abs(right[within].mean() - sure[within].mean()) < 0.06


def test_a_person_outweighs_a_teacher_and_the_unsure_is_not_believed() -> None:
    heard = voices()
    opinion = LoopPolicy().opinion(heard)
    kept = believed(heard, opinion, 0.9)
    assert kept.any()
    assert not (kept & heard.labelled).any()
    assert not (kept & ~heard.items.answered).any()
    assert (opinion.right[kept] >= 0.9).all()
    assert believed(heard, opinion, 0.99).sum() < kept.sum()
    done = finished(heard, opinion)
    np.testing.assert_array_equal(done[heard.labelled], heard.answers > 0.5)
    assert (done.sum(axis=1) == 1).all()


def test_people_are_asked_where_the_opinion_is_in_doubt_and_never_twice() -> None:
    heard = voices()
    policy = LoopPolicy(strategy="margin")
    opinion = policy.opinion(heard)
    eligible = np.arange(600) % 5 > 0
    picked = policy.ask(heard, opinion, 40, np.random.default_rng(0), eligible)
    assert len(picked.rows) == len(picked.reasons) == 40
    assert not heard.labelled[picked.rows].any()
    assert eligible[picked.rows].all()
    top = np.sort(opinion.probabilities, axis=1)
    margin = top[:, -1] - top[:, -2]
    rest = eligible & ~heard.labelled
    rest[picked.rows] = False
    assert margin[picked.rows].max() <= margin[rest].min() + 1e-6


def test_a_pool_of_two_voices_multiplies_them() -> None:
    items = Candidates(
        teacher=np.array([[0.5, 0.3, 0.2]]),
        answered=np.ones(1, dtype=bool),
        student=np.array([[0.2, 0.6, 0.2]]),
    )
    np.testing.assert_allclose(pooled(items, 1.0, 1.0), [[10 / 32, 18 / 32, 4 / 32]])
    np.testing.assert_allclose(pooled(items, 1.0, 0.0), items.student)


def test_an_answer_for_each_labelled_item_is_wanted() -> None:
    heard = voices()
    with pytest.raises(ShapeError, match="one row of answers"):
        replace(heard, answers=heard.answers[:-1])
