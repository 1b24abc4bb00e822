"""May a teacher label, how many items at once, and does it stay as it was?"""

from dataclasses import dataclass

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.drift import at_least, drift
from learning.teachers.qualification import Qualification, Qualify
from learning.teachers.trial import Share
from learning.teachers.types import Example, LabelText, TeacherAnswer, TeacherItem, TeacherSchema

K = 4
SCHEMA = TeacherSchema(labels=tuple(LabelText(id=10 + n, name=f"l{n}") for n in range(K)))

CERTAIN = np.eye(K, dtype=np.float32)


def gold(n: int = 120) -> list[Example]:
    return [
        Example(item=TeacherItem(number=i, text=f"{i % K}"), labels=(10 + i % K,)) for i in range(n)
    ]


@dataclass(frozen=True)
class Stub:
    """Reads the truth from the text; what it does wrong depends on place, order and chance."""

    size: int = 1
    safe_places: int = 10_000
    omits: bool = False
    invents: bool = False
    repeats: bool = False
    first_label: bool = False
    abstains_on_nothing: bool = True
    noise: float = 0.0
    guesses: bool = False
    by_neighbour: bool = False

    def annotate(self, items, schema, examples, report):
        for place, item in enumerate(items):
            if self.omits and place >= self.safe_places:
                continue
            if item.text == "" and self.abstains_on_nothing:
                yield TeacherAnswer(number=item.number, abstained="There is nothing.")
                continue
            column = self._column(place, item, items, schema)
            p = np.eye(schema.size, dtype=np.float32)[column]
            answer = TeacherAnswer(number=item.number, probabilities=p, money=0.01, tokens_in=5)
            yield answer
            if self.repeats and place == 3:
                yield answer
        if self.invents and len(items) > 4:
            yield TeacherAnswer(number=987_654, abstained="Who asked?")

    def _column(self, place, item, items, schema) -> int:
        if self.first_label:
            return 0
        if self.guesses:
            return int(np.random.default_rng(item.number).integers(schema.size))
        truth = schema.column(10 + int(item.text or 0) % K)
        wrong = (truth + 1) % schema.size
        if place >= self.safe_places and not self.omits:
            return wrong
        if (
            self.noise
            and np.random.default_rng([item.number, len(items), place]).random() < self.noise
        ):
            return wrong
        if self.by_neighbour and place and place % 3 == 0:
            return schema.column(10 + int(items[place - 1].text) % K)
        return truth


def run(examples: int = 120, nothing: int = 0, **stub) -> Qualification:
    empty = [TeacherItem(number=-1 - n, text="") for n in range(nothing)]
    return Qualify().run(
        lambda size: Stub(size=size, **stub),
        gold(examples),
        SCHEMA,
        np.random.default_rng(0),
        nothing=empty,
    )


def test_a_perfect_teacher_gets_the_largest_prompt() -> None:
    found = run()
    assert found.qualified
    assert found.items_per_prompt == 40
    assert [arm.verdict for arm in found.arms] == ["safe"] * 5
    assert found.alone.value == 1
    assert found.repeated.count == 0
    assert found.reordered.count == 0
    assert not any("order" in sentence for sentence in found.sentences)


def test_a_teacher_that_fails_beyond_ten_items_gets_ten() -> None:
    found = run(safe_places=10)
    assert found.items_per_prompt == 10
    assert [arm.size for arm in found.arms] == [1, 5, 10, 20], "forty are not tried any more"
    last = found.arms[-1]
    assert last.verdict == "unsafe"
    assert last.right.value == pytest.approx(0.5, abs=0.01)
    assert last.thirds[0].value > last.thirds[2].value
    said = " ".join(found.sentences)
    assert "items in the last third do worse" in said
    assert "With 20 items in a prompt it loses" in said


@dataclass(frozen=True)
class Chancy:
    """Right with a chance of its own on each item, each time anew, and less so late in a prompt."""

    rng: np.random.Generator
    chances: np.ndarray
    late: float = 0.0

    def annotate(self, items, schema, examples, report):
        draws = self.rng.random(len(items))
        for place, (item, draw) in enumerate(zip(items, draws, strict=True)):
            chance = self.chances[item.number] - self.late * (3 * place >= 2 * len(items) > 2)
            column = (int(item.text) + int(draw >= chance)) % K
            yield TeacherAnswer(number=item.number, probabilities=CERTAIN[column])


def told_of_places(draw: int, late: float = 0.0) -> bool:
    """Whether a whole test of such a teacher, through all sizes, says that places matter."""
    rng = np.random.default_rng(draw)
    teacher = Chancy(rng=rng, chances=rng.beta(4, 1, 100), late=late)
    found = Qualify(tolerance=0.9).run(lambda size: teacher, gold(100), SCHEMA, rng)
    assert len(found.arms) == 5
    return "third do worse" in " ".join(found.sentences)


def test_places_are_said_to_matter_where_they_do_and_by_chance_in_one_test_of_twenty_at_most() -> (
    None
):
    assert sum(told_of_places(draw) for draw in range(200)) <= 10
    assert all(told_of_places(draw, late=0.5) for draw in range(10))


def test_left_out_answers_are_missing_and_not_wrong_or_abstained() -> None:
    found = run(safe_places=10, omits=True)
    last = found.arms[-1]
    assert found.items_per_prompt == 10
    assert last.missing == 120
    assert last.abstained.count == 0
    assert "left out 120 answers" in " ".join(found.sentences)


def test_invented_and_doubled_answers_are_counted() -> None:
    found = run(invents=True, repeats=True)
    five = next(arm for arm in found.arms if arm.size == 5)
    assert five.invented == 48, "24 prompts in two orders"
    assert five.twice == 48
    assert "to items that nobody asked about" in " ".join(found.sentences)


def test_a_teacher_no_better_than_a_constant_may_not_label() -> None:
    for stub in ({"first_label": True}, {"guesses": True}):
        found = run(**stub)
        assert not found.qualified
        assert found.constant == pytest.approx(0.25)
        assert "may not label yet" in " ".join(found.sentences)


def test_a_teacher_that_follows_the_order_of_labels_is_said_to() -> None:
    found = run(first_label=True)
    assert found.relabelled.value == 1
    assert "The order of labels matters" in " ".join(found.sentences)
    assert run().relabelled.value == 0


def test_answers_that_hang_on_the_neighbours_show_when_the_order_turns() -> None:
    generous = Qualify(tolerance=0.9)
    found = generous.run(
        lambda size: Stub(size=size, by_neighbour=True), gold(), SCHEMA, np.random.default_rng(0)
    )
    assert found.reordered.value > 0.2
    assert "The order of items matters" in " ".join(found.sentences)


def test_too_little_gold_to_prove_a_size_is_not_taken_for_proof() -> None:
    found = run(examples=40)
    assert found.items_per_prompt == 1
    assert found.arms[-1].verdict == "unsure"
    assert "cannot be told from so few gold items" in " ".join(found.sentences)
    with pytest.raises(NotEnoughDataError, match="at least 30"):
        run(examples=29)


def test_items_without_an_answer_show_whether_it_abstains() -> None:
    assert run(nothing=10).abstained_on_nothing.value == 1
    assert run(nothing=10, abstains_on_nothing=False).abstained_on_nothing.value == 0
    assert run().abstained_on_nothing is None
    assert run(nothing=10).abstained.value == 0, "gold items are another matter"


def test_the_price_is_told_before_and_counted_after() -> None:
    seen: list[tuple[int, int]] = []
    plan = Qualify()
    found = plan.run(
        lambda size: Stub(size=size),
        gold(),
        SCHEMA,
        np.random.default_rng(0),
        report=lambda *at: seen.append(at),
    )
    asked = sum(2 * arm.right.n for arm in found.arms) + 120
    assert plan.reads(120) == asked
    assert seen[-1] == (asked, asked)
    assert found.arms[1].money_per_right == pytest.approx(0.01)
    assert found.arms[1].tokens == 240 * 5


def test_an_item_that_was_asked_twice_is_one_item() -> None:
    """Whoever says the same again is no surer known for it."""
    found = run(guesses=True)
    first = found.arms[0].right
    assert (first.n, first.count) == (found.alone.n, found.alone.count) == (120, found.alone.count)
    assert (first.low, first.high) == (found.alone.low, found.alone.high)
    assert found.arms[0].rights == 2 * first.count
    noisy = run(noise=0.3).arms[1].right
    assert noisy.n == 120
    assert 0 < noisy.value < 1


def test_the_interval_of_two_passes_holds_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    held = []
    for _ in range(1_000):
        right = dict(enumerate((draw.random(60) < 0.7).astype(float)))
        again = {n: r if draw.random() < 0.9 else 1 - r for n, r in right.items()}
        told = Qualify()._share(right, again)
        held.append(told.low <= 0.9 * 0.7 + 0.1 * 0.5 <= told.high)
    assert 0.87 < np.mean(held) < 0.95


def test_the_same_generator_gives_the_same_verdict() -> None:
    assert run(noise=0.1) == run(noise=0.1)


def test_refuses_senseless_plans() -> None:
    for wrong in (
        {"sizes": (5, 10)},
        {"sizes": (1, 10, 5)},
        {"tolerance": 0.0},
        {"confidence": 1.0},
    ):
        with pytest.raises(ParameterError):
            Qualify(**wrong)


# Drift


def replay(right: int, n: int = 60, model: str = "m-1", wrong: int = 1) -> dict[int, TeacherAnswer]:
    """Right on the first `right` of n items, then the label `wrong` places on."""
    return {
        i: TeacherAnswer(
            number=i,
            probabilities=np.eye(K, dtype=np.float32)[(i + (0 if i < right else wrong)) % K],
            model=model,
        )
        for i in range(n)
    }


def test_no_change_no_alarm() -> None:
    found = drift(replay(50), replay(50), gold(60), SCHEMA)
    assert found.alarms == ()
    assert (found.lost, found.gained, found.changed.count, found.chance) == (0, 0, 0, 1)


def test_a_worse_teacher_raises_an_alarm_and_a_better_one_does_not() -> None:
    worse = drift(replay(50), replay(42), gold(60), SCHEMA)
    assert worse.lost == 8
    assert worse.chance == pytest.approx(1 / 256)
    assert "It got worse" in worse.alarms[0]
    assert drift(replay(42), replay(50), gold(60), SCHEMA).alarms == ()
    assert drift(replay(50), replay(48), gold(60), SCHEMA).alarms == (), "two may be chance"


def test_another_model_id_must_qualify_again() -> None:
    found = drift(replay(50), replay(50, model="m-2"), gold(60), SCHEMA)
    assert "m-2, before m-1: it must qualify again" in found.alarms[0]
    silent = drift(replay(50), replay(50, model=""), gold(60), SCHEMA)
    assert silent.alarms == (), "a model that gives no id did not change it"


def test_other_answers_are_an_alarm_beyond_what_repeating_changes() -> None:
    before, now = replay(20), replay(20, wrong=2)
    steady, shaky = Share(count=0, n=100), Share(count=70, n=100)
    assert drift(before, now, gold(60), SCHEMA, repeated=steady).alarms
    assert not drift(before, now, gold(60), SCHEMA, repeated=shaky).alarms


def test_a_missing_answer_is_not_right_and_few_items_tell_nothing() -> None:
    now = replay(60)
    for number in range(6):
        del now[number]
    found = drift(replay(60), now, gold(60), SCHEMA)
    assert found.lost == 6
    with pytest.raises(NotEnoughDataError, match="at least 20"):
        drift({}, {}, gold(19), SCHEMA)


def test_the_sign_test_is_exact() -> None:
    assert at_least(0, 0) == 1
    assert at_least(3, 3) == pytest.approx(1 / 8)
    assert at_least(2, 3) == pytest.approx(1 / 2)


def test_prompts_under_way_together_find_the_same_and_tell_how_far_they_are() -> None:
    seen: list[int] = []

    def found(at_once: int) -> Qualification:
        return Qualify(sizes=(1, 5)).run(
            lambda size: Stub(size=size, noise=0.3),
            gold(66),
            SCHEMA,
            np.random.default_rng(0),
            at_once=at_once,
            report=lambda done, _: seen.append(done),
        )

    assert found(1) == found(4)
    assert seen[-1] == max(seen) == 3 * 66 + 2 * 70
    assert len(set(seen)) > 200, "each prompt is told"
