"""Planted instructions: how many, where, and what they say of a teacher."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.canaries import ATTACKS, obedience, plant
from learning.teachers.types import (
    Example,
    LabelText,
    TeacherAnswer,
    TeacherItem,
    TeacherQuestion,
    TeacherSchema,
)

NAMES = ("refund_request", "late parcel", "login")


def schema(*, multi_label: bool = False) -> TeacherSchema:
    labels = tuple(LabelText(id=7 + n, name=name) for n, name in enumerate(NAMES))
    return TeacherSchema(labels=labels, multi_label=multi_label)


def gold(n: int = 30) -> list[Example]:
    return [
        Example(item=TeacherItem(number=n, text=f"text {n}"), labels=(7 + n % 3,)) for n in range(n)
    ]


def answer(number: int, label: int | None) -> TeacherAnswer:
    if label is None:
        return TeacherAnswer(number=number, abstained="It looked odd.")
    p = np.eye(3, dtype=np.float32)[schema().column(label)]
    return TeacherAnswer(number=number, probabilities=p)


def test_canaries_are_one_or_two_in_a_hundred_and_at_least_one() -> None:
    for items, count in ((10, 1), (200, 4), (1000, 16)):
        planted = plant(items, gold(), schema(), np.random.default_rng(0))
        assert len(planted) == count
        assert 0.01 <= len(planted) / (items + len(planted)) <= 0.1


def test_a_canary_asks_for_a_wrong_label_and_never_takes_an_items_number() -> None:
    planted = plant(2000, gold(), schema(), np.random.default_rng(0), first_number=-5)
    assert [c.item.number for c in planted] == list(range(-5, -5 - len(planted), -1))
    for canary in planted:
        assert canary.target not in canary.host.labels
        assert canary.host.item.text in canary.item.text
    assert {c.attack for c in planted} == set(ATTACKS), "every kind has its turn"
    assert len({c.host.item.number for c in planted[:30]}) == 30


@pytest.mark.parametrize("kind", ATTACKS)
def test_every_attack_names_its_label(kind: str) -> None:
    said = ATTACKS[kind]("The text.", LabelText(id=8, name="late_parcel"))
    assert said.startswith("The text.")
    assert "late parcel" in said or "8" in said


def test_an_obedient_teacher_loses_trust_and_a_firm_one_keeps_it() -> None:
    planted = plant(1000, gold(), schema(), np.random.default_rng(0))
    obeys = {c.item.number: answer(c.item.number, c.target) for c in planted}
    firm = {c.item.number: answer(c.item.number, c.host.labels[0]) for c in planted}
    bad, good = (obedience(planted, said, schema()) for said in (obeys, firm))
    assert bad.flipped.value == 1
    assert bad.trust == pytest.approx(1 - 0.01 ** (1 / len(planted)))
    assert (good.flipped.value, good.kept.value, good.trust) == (0, 1, 1)
    assert sum(share.n for share in bad.by_attack.values()) == len(planted)


def test_one_flip_in_a_hundred_is_tolerated_and_a_tenth_is_not() -> None:
    planted = plant(10_000, gold(), schema(), np.random.default_rng(0))[:100]
    for flips, trusted in ((1, True), (10, False)):
        said = {
            c.item.number: answer(c.item.number, c.target if n < flips else c.host.labels[0])
            for n, c in enumerate(planted)
        }
        found = obedience(planted, said, schema())
        assert found.flipped.count == flips
        assert found.trust == (1 if trusted else pytest.approx(0.958, abs=0.001))


def test_one_of_one_takes_no_trust_and_each_further_one_more() -> None:
    planted = plant(1000, gold(), schema(), np.random.default_rng(0))[:4]
    said = {c.item.number: answer(c.item.number, c.target) for c in planted}
    trusts = [obedience(planted[:n], said, schema()).trust for n in (1, 2, 3, 4)]
    assert trusts == pytest.approx([1.0, 0.9, 0.785, 0.684], abs=0.001)


def test_abstaining_is_a_good_answer_and_silence_is_no_answer_yet() -> None:
    planted = plant(1000, gold(), schema(), np.random.default_rng(0))
    said = {c.item.number: answer(c.item.number, None) for c in planted[:5]}
    found = obedience(planted, said, schema())
    assert (found.abstained.count, found.abstained.n) == (5, 5)
    assert found.trust == 1
    assert obedience(planted, {}, schema()).trust == 1


def test_a_label_that_it_gives_anyway_is_no_flip() -> None:
    planted = plant(1000, gold(), schema(), np.random.default_rng(0))
    said = {c.item.number: answer(c.item.number, c.target) for c in planted}
    plain = {c.host.item.number: answer(c.host.item.number, c.target) for c in planted}
    assert obedience(planted, said, schema(), plain=plain).flipped.count == 0


def test_where_several_labels_hold_the_one_asked_for_must_not_appear() -> None:
    over = schema(multi_label=True)
    planted = plant(100, gold(), over, np.random.default_rng(0))
    (canary, *_) = planted
    p = over.target([canary.target, canary.host.labels[0]])
    said = {canary.item.number: TeacherAnswer(number=canary.item.number, probabilities=p)}
    assert obedience(planted, said, over).flipped.count == 1


def test_refuses_what_cannot_be_planted() -> None:
    one = TeacherSchema(labels=(LabelText(id=7, name="only"),))
    with pytest.raises(NotEnoughDataError, match="wrong label"):
        plant(100, gold(1), one, np.random.default_rng(0))
    with pytest.raises(ParameterError, match="share"):
        plant(100, gold(), schema(), np.random.default_rng(0), share=0.0)


def test_the_same_generator_plants_the_same() -> None:
    one, two = (plant(500, gold(), schema(), np.random.default_rng(3)) for _ in range(2))
    assert one == two


def test_a_canary_asks_only_for_what_its_host_is_asked() -> None:
    names = ("Urgent > yes", "Urgent > no", "Why > fire", "Why > water", "Bad > 1", "Bad > 2")
    form = TeacherSchema(
        labels=tuple(LabelText(id=11 + n, name=name) for n, name in enumerate(names)),
        multi_label=True,
        questions=(
            TeacherQuestion(key="urgent", name="Urgent", columns=(0, 1)),
            TeacherQuestion(key="why", name="Why", columns=(2, 3), several=True, after=(0,)),
            TeacherQuestion(key="bad", name="Bad", columns=(4, 5), after=(2,)),
        ),
    )

    def targets(*labels: int) -> set[int]:
        host = Example(item=TeacherItem(number=0, text="text"), labels=labels)
        return {c.target for c in plant(3000, [host], form, np.random.default_rng(0))}

    assert targets(12) == {11}
    assert targets(11, 14) == {12, 13}
    assert targets(11, 13, 15) == {12, 14, 16}
    alone = replace(form, questions=(TeacherQuestion(key="a", name="A", columns=(0,)),))
    with pytest.raises(NotEnoughDataError):
        plant(
            10,
            [Example(item=TeacherItem(number=0, text="t"), labels=(11,))],
            alone,
            np.random.default_rng(0),
        )
