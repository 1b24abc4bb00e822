"""What every teacher promises."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from learning.errors import LearningError
from learning.teachers import TEACHERS
from learning.teachers.asking import ask
from learning.teachers.types import Example, Means, TeacherAnswer, TeacherItem
from learning.types import no_report
from tests.contracts.teaching import hostile_items, items, ready, schema

every = pytest.mark.parametrize("name", TEACHERS)
either = pytest.mark.parametrize("multi_label", [False, True])


def answers(teacher, asked, over) -> dict[int, TeacherAnswer]:
    return {answer.number: answer for answer in ask(teacher, asked, over)}


def same(one: TeacherAnswer, two: TeacherAnswer) -> None:
    assert replace(one, probabilities=None, known=None, abstained="x", seconds=0) == replace(
        two, probabilities=None, known=None, abstained="x", seconds=0
    )
    assert one.abstained == two.abstained
    if one.probabilities is not None:
        np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-5)


@every
@either
def test_answers_each_item_once_with_a_distribution_or_an_abstention(
    name: str, multi_label: bool
) -> None:
    over = schema(multi_label=multi_label)
    found = answers(ready(name, multi_label=multi_label), items(), over)
    assert sorted(found) == list(range(12))
    given = [answer for answer in found.values() if answer.probabilities is not None]
    assert len(given) >= 9
    for answer in given:
        assert answer.probabilities.dtype == np.float32
        if not multi_label:
            assert answer.probabilities.sum() == pytest.approx(1, abs=1e-4)


@every
@either
def test_finds_what_it_can_know(name: str, multi_label: bool) -> None:
    over = schema(multi_label=multi_label)
    found = answers(ready(name, multi_label=multi_label), items(), over)
    right = [a.probabilities.argmax() == n % 3 for n, a in found.items() if not a.abstained]
    assert all(right)


@every
def test_the_same_question_gets_the_same_answer_in_any_order_and_part(name: str) -> None:
    whole = answers(ready(name), items(), schema())
    again = answers(ready(name), items(), schema())
    parts = answers(ready(name), items()[::-1][:5], schema())
    for number in whole:
        same(whole[number], again[number])
    for number, answer in parts.items():
        same(whole[number], answer)


@every
@either
def test_nothing_asked_nothing_said(name: str, multi_label: bool) -> None:
    teacher = ready(name, multi_label=multi_label)
    assert list(ask(teacher, [], schema(multi_label=multi_label))) == []


@every
def test_one_label_is_the_answer_or_there_is_none(name: str) -> None:
    for answer in ask(ready(name), items(), schema(labels=1)):
        assert answer.abstained or answer.probabilities.tolist() == [1]


@every
@either
def test_hostile_texts_stay_data_and_move_no_other_answer(name: str, multi_label: bool) -> None:
    over = schema(multi_label=multi_label)
    alone = answers(ready(name, multi_label=multi_label), items(), over)
    among = answers(ready(name, multi_label=multi_label), [*hostile_items(), *items()], over)
    assert len(among) == len(items()) + len(hostile_items())
    for number, answer in alone.items():
        same(answer, among[number])


@every
def test_a_text_without_content_is_an_abstention(name: str) -> None:
    empty = [TeacherItem(number=500, text=""), TeacherItem(number=501, text=" \n")]
    for answer in ask(ready(name), empty, schema()):
        assert answer.probabilities is None
        assert answer.abstained.endswith(".")


@every
def test_examples_change_no_promise(name: str) -> None:
    shown = [Example(item=item, labels=(10,)) for item in items(3, start=900)]
    assert len(list(ask(ready(name), items(), schema(), shown))) == 12


@every
def test_progress_ends_at_the_whole_and_a_cancel_passes_through(name: str) -> None:
    seen: list[tuple[int, int]] = []
    list(ready(name).annotate(items(), schema(), (), lambda *at: seen.append(at)))
    assert seen
    assert seen[-1][0] == seen[-1][1]
    assert all(one[0] <= two[0] for one, two in itertools.pairwise(seen))

    def cancel(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(ready(name).annotate(items(), schema(), (), cancel))


@every
def test_refuses_two_items_with_one_number(name: str) -> None:
    with pytest.raises(LearningError, match="same number"):
        list(ready(name).annotate([*items(2), *items(2)], schema(), (), no_report))


@every
def test_says_what_it_needs(name: str) -> None:
    plugin = TEACHERS.create(name)
    assert plugin.needs
    with pytest.raises(LearningError, match=name):
        plugin.ready(Means())


def test_a_teacher_that_breaks_the_promise_is_found_out() -> None:
    class Loose:
        def __init__(self, *numbers: int) -> None:
            self.numbers = numbers

        def annotate(self, asked, over, examples, report):
            for number in self.numbers:
                yield TeacherAnswer(number=number, abstained="no")

    for numbers, said in (((0, 0), "twice"), ((0, 9), "without being asked"), ((0,), "left out 1")):
        with pytest.raises(LearningError, match=said):
            list(ask(Loose(*numbers), items(2), schema()))
