"""Several teachers as one: weights from audits, quorum, calibration."""

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ShapeError
from learning.metrics import calibration_error
from learning.teachers.asking import ask
from learning.teachers.committee import Committee, fit_sharpness
from learning.teachers.skill import confusion_of, skill_of
from learning.teachers.types import (
    LabelText,
    Means,
    Member,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
)


class Says:
    """A teacher that was told its answers: a column, None to abstain, or a row of probabilities."""

    def __init__(self, said, k: int = 3, **costs) -> None:
        self.said, self.k, self.costs = said, k, costs

    def annotate(self, items, schema, examples, report):
        for item in items:
            said = self.said[item.number]
            if said is None:
                yield TeacherAnswer(number=item.number, abstained="no idea", **self.costs)
            else:
                row = np.eye(self.k)[said] if np.ndim(said) == 0 else np.asarray(said)
                p = row.astype(np.float32)
                yield TeacherAnswer(number=item.number, probabilities=p, **self.costs)


def schema(k: int = 3, *, multi_label: bool = False) -> TeacherSchema:
    labels = tuple(LabelText(id=n, name=f"l{n}") for n in range(k))
    return TeacherSchema(labels=labels, multi_label=multi_label)


def items(n: int) -> list[TeacherItem]:
    return [TeacherItem(number=number, text=f"text {number}") for number in range(n)]


def committee(members: dict[str, Member], **parameters):
    return Committee(**parameters).ready(Means(members=members))


def noisy(truth: np.ndarray, right: float, rng: np.random.Generator, k: int = 3) -> list[int]:
    wrong = (truth + rng.integers(1, k, size=len(truth))) % k
    return [int(c) for c in np.where(rng.random(len(truth)) < right, truth, wrong)]


def test_a_skilled_member_outweighs_two_that_guess() -> None:
    good = np.diag([20.0, 20.0, 20.0]) + 1
    guess = np.full((3, 3), 7.0)
    members = {
        "good": Member(teacher=Says([0]), confusion=good),
        "one": Member(teacher=Says([1]), confusion=guess),
        "two": Member(teacher=Says([1]), confusion=guess),
    }
    (answer,) = ask(committee(members), items(1), schema())
    assert answer.probabilities.argmax() == 0
    assert answer.reason.startswith("1 of 3 say l0; one says l1")


def test_an_audited_confusion_turns_a_habit_into_what_it_means() -> None:
    """A member that says l1 whenever l2 is true speaks for l2 when it says l1."""
    swapped = np.array([[20.0, 0, 0], [0, 0, 20], [0, 20, 0]])
    members = {
        "swap": Member(teacher=Says([1]), confusion=swapped),
        "mute": Member(teacher=Says([None])),
    }
    (answer,) = ask(committee(members, quorum=1), items(1), schema())
    assert answer.probabilities.argmax() == 2


def test_too_few_answers_are_an_abstention_that_still_costs() -> None:
    members = {
        "a": Member(teacher=Says([0, None], money=0.5, tokens_in=3, model="x")),
        "b": Member(teacher=Says([None, None], money=0.25, model="y")),
    }
    one, two = ask(committee(members), items(2), schema())
    assert "1 of 2 members answered, 2 must" in one.abstained
    assert "0 of 2" in two.abstained
    assert (one.money, one.tokens_in, one.model) == (0.75, 3, "x + y")
    with pytest.raises(NotEnoughDataError, match="2 must"):
        committee({"a": Member(teacher=Says([0]))})


def test_without_audits_all_count_the_same() -> None:
    members = {name: Member(teacher=Says([c])) for name, c in (("a", 2), ("b", 2), ("c", 0))}
    (answer,) = ask(committee(members), items(1), schema())
    assert answer.probabilities.argmax() == 2
    turned = dict(reversed(members.items()))
    (again,) = ask(committee(turned), items(1), schema())
    np.testing.assert_array_equal(answer.probabilities, again.probabilities)


def test_a_committee_is_never_surer_than_its_surest_member_unless_told_so() -> None:
    audited = np.diag([8.0, 8.0, 8.0]) + 1
    members = {name: Member(teacher=Says([1]), confusion=audited) for name in "abcd"}
    (calm,) = ask(committee(members), items(1), schema())
    alone = skill_of(audited, schema(), 4.0).given[0, :, 1]
    assert calm.confidence == pytest.approx(alone.max(), abs=1e-6)
    (sharp,) = ask(committee(members, sharpness=4.0), items(1), schema())
    assert sharp.confidence > calm.confidence + 0.1


def test_weights_from_audits_beat_majority_and_sharpness_mends_confidence() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, size=1200)
    rights = {"a": 0.85, "b": 0.6, "c": 0.45, "d": 0.4, "e": 0.35}
    said = {name: noisy(truth, right, rng) for name, right in rights.items()}
    audit, rest, over = np.arange(200), np.arange(200, 1200), schema()
    target = np.eye(3)[truth]
    members = {}
    for name, answers in said.items():
        given = [
            TeacherAnswer(number=n, probabilities=np.eye(3, dtype=np.float32)[answers[n]])
            for n in audit
        ]
        members[name] = Member(
            teacher=Says(answers), confusion=confusion_of(given, target[audit], over)
        )
    ready = committee(members)
    heard = [
        {
            name: next(m.teacher.annotate([TeacherItem(number=int(n), text="t")], over, (), None))
            for name, m in members.items()
        }
        for n in audit
    ]
    sharpness = fit_sharpness(ready, heard, target[audit], over)
    assert sharpness > 1, "these err independently"
    asked = [TeacherItem(number=int(n), text="t") for n in rest]
    results = {}
    for s in (1.0, sharpness):
        p = np.stack([a.probabilities for a in ask(committee(members, sharpness=s), asked, over)])
        right = p.argmax(axis=1) == truth[rest]
        results[s] = (right.mean(), calibration_error(p.max(axis=1), right))
    votes = np.stack([np.eye(3)[np.array(answers)[rest]] for answers in said.values()]).sum(axis=0)
    majority = (votes.argmax(axis=1) == truth[rest]).mean()
    assert results[1.0][0] > majority + 0.05
    assert results[1.0][0] >= 0.84
    assert results[sharpness][1] < results[1.0][1] / 2


def test_several_labels_are_weighed_label_by_label() -> None:
    over = schema(2, multi_label=True)
    knows_first = np.array([[[20.0, 1], [1, 20]], [[10.0, 10], [10, 10]]])
    knows_second = knows_first[::-1].copy()
    members = {
        "first": Member(teacher=Says([[0.9, 0.9]], 2), confusion=knows_first),
        "second": Member(teacher=Says([[0.1, 0.1]], 2), confusion=knows_second),
    }
    (answer,) = ask(committee(members), items(1), over)
    assert answer.probabilities[0] > 0.6
    assert answer.probabilities[1] < 0.4


def test_a_label_that_no_member_speaks_about_stays_unknown() -> None:
    over = schema(2, multi_label=True)

    class Half:
        def annotate(self, asked, over, examples, report):
            for item in asked:
                yield TeacherAnswer(
                    number=item.number,
                    probabilities=np.array([0.9, 0], dtype=np.float32),
                    known=np.array([True, False]),
                )

    members = {name: Member(teacher=Half()) for name in "ab"}
    (answer,) = ask(committee(members), items(1), over)
    assert answer.known.tolist() == [True, False]
    assert answer.probabilities[1] == 0


def test_confusion_counts_answers_and_leaves_abstentions_out() -> None:
    over = schema(2)
    p = np.eye(2, dtype=np.float32)
    given = [
        TeacherAnswer(number=0, probabilities=p[0]),
        TeacherAnswer(number=1, probabilities=p[0]),
        TeacherAnswer(number=2, abstained="no"),
    ]
    counted = confusion_of(given, p[[0, 1, 1]], over)
    assert counted.tolist() == [[1, 0], [1, 0]]
    several = confusion_of(
        [TeacherAnswer(number=0, probabilities=np.array([0.9, 0.2], dtype=np.float32))],
        np.array([[1.0, 1.0]]),
        schema(2, multi_label=True),
    )
    assert several[0].tolist() == [[0, 0], [0, 1]]
    assert several[1].tolist() == [[0, 0], [1, 0]]
    with pytest.raises(ShapeError, match="shape"):
        skill_of(np.ones((3, 3)), over, 4.0)


def test_information_is_nothing_for_chance_and_grows_with_skill() -> None:
    over = schema()
    chance, half, good = (
        skill_of(np.full((3, 3), w) + np.diag([d] * 3), over, 4.0).information[0]
        for w, d in ((50.0, 0.0), (10.0, 20.0), (1.0, 50.0))
    )
    assert 0 <= chance < 0.01 < half < good
