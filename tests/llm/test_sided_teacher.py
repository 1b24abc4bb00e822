"""A language model that says which of two texts is better, asked in both orders over real HTTP."""

import json

import numpy as np
import pytest

from learning.teachers.asking import ask
from learning.teachers.both_ways import BOTH_WAYS, FIRST_TWICE, SECOND_TWICE
from learning.teachers.filling import chosen
from learning.teachers.limits import MemoryCache
from learning.teachers.types import Example, LabelText, TeacherItem, TeacherQuestion, TeacherSchema
from tests.llm import plays
from tests.llm.loopback import Loopback

FIRST, SECOND, TIE, BAD = "11", "12", "13", "14"
SCHEMA = TeacherSchema(
    labels=(
        LabelText(id=11, name="Draft is better"),
        LabelText(id=12, name="Final is better"),
        LabelText(id=13, name="Equally good"),
        LabelText(id=14, name="Both bad"),
    ),
    sided=True,
)
SHORT, LONG = "Brief.", "At great length."
ITEM = TeacherItem(number=7, text=SHORT, text_b=LONG)


def judges(choose, **more):
    """Answers each item by its two texts in the order shown."""

    def content(request):
        asked = plays.user_of(request).partition("Items to label:")[2]
        texts = [block.group(2) for block in plays.BLOCK.finditer(asked)]
        pairs = zip(plays.items_of(request), texts[::2], texts[1::2], strict=True)
        return json.dumps(
            {"answers": [{"item": key, "label": choose(*both), **more} for key, *both in pairs]}
        )

    return plays.says(content)


def longer(one, other):
    return FIRST if len(one) > len(other) else SECOND


def test_a_judge_that_means_a_text_gives_it_whichever_comes_first(teach):
    with Loopback(judges(longer, confidence=0.8)) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
        shown = [
            [block.group(2) for block in plays.BLOCK.finditer(plays.user_of(one))]
            for one in server.requests
        ]
    assert shown == [[SHORT, LONG], [LONG, SHORT]]
    assert int(answer.probabilities.argmax()) == 1, "the second text of the item is the long one"
    assert (answer.confidence, answer.flags) == (0.8, (BOTH_WAYS,))
    assert answer.tokens_in == 2 * 100, "both orders are paid for"


def test_labels_are_called_by_the_place_of_a_text_and_never_by_a_name_of_one(teach):
    with Loopback(judges(longer)) as server:
        list(ask(teach(server), [ITEM], SCHEMA))
        systems = {plays.system_of(request) for request in server.requests}
    (system,) = systems
    assert "- 11: The first text is better\n- 12: The second text is better\n" in system
    assert "Draft" not in system


@pytest.mark.parametrize(
    ("always", "mark", "word"), [(FIRST, FIRST_TWICE, "first"), (SECOND, SECOND_TWICE, "second")]
)
def test_a_judge_that_takes_a_place_each_time_gives_no_answer(teach, always, mark, word):
    with Loopback(judges(lambda *_: always)) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
    assert answer.probabilities is None
    assert answer.abstained == (
        f"Shown in both orders, the model preferred the {word} of the two texts each time."
    )
    assert set(answer.flags) == {BOTH_WAYS, mark}
    assert answer.tokens_in == 2 * 100


def test_a_tie_in_one_order_leaves_the_surer_word(teach):
    def half(one, other):
        return FIRST if one == LONG else TIE

    sure = judges(half, confidence=0.9)
    with Loopback(sure) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
    assert answer.probabilities[[1, 2]].sum() > 0.85
    assert answer.probabilities[1] == pytest.approx(answer.probabilities[2], abs=1e-6)
    assert FIRST_TWICE not in answer.flags


def test_one_pass_asks_in_the_own_order_alone(teach):
    with Loopback(judges(lambda *_: FIRST)) as server:
        (answer,) = ask(teach(server, passes=1), [ITEM], SCHEMA)
    assert len(server.requests) == 1
    assert int(answer.probabilities.argmax()) == 0
    assert BOTH_WAYS not in answer.flags


def test_an_order_without_an_answer_leaves_none(teach):
    def no_word(one, other):
        return None if one == LONG else SECOND

    with Loopback(judges(no_word)) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
    assert answer.abstained == "The model could not tell."
    assert answer.probabilities is None


def test_what_has_no_answer_in_its_own_order_is_not_asked_in_the_other(teach):
    with Loopback(judges(lambda one, _: None if one == SHORT else FIRST)) as server:
        (answer,) = ask(teach(server), [ITEM], SCHEMA)
        shown = [
            [block.group(2) for block in plays.BLOCK.finditer(plays.user_of(one))]
            for one in server.requests
        ]
    assert [LONG, SHORT] not in shown
    assert answer.abstained == "The model could not tell."
    assert BOTH_WAYS not in answer.flags


def test_what_was_asked_both_ways_before_is_not_asked_again(teach, connect):
    with Loopback(judges(longer)) as server:
        line = connect(server, cache=MemoryCache())
        (first,) = ask(teach(server, line), [ITEM], SCHEMA)
        (again,) = ask(teach(server, line), [ITEM], SCHEMA)
    assert len(server.requests) == 2
    assert again.probabilities.tolist() == first.probabilities.tolist()
    assert (again.money, again.flags) == (0, (BOTH_WAYS, "cached"))


def test_several_items_share_a_prompt_in_each_order(teach):
    turned = TeacherItem(number=8, text=LONG, text_b=SHORT)
    with Loopback(judges(longer)) as server:
        found = list(ask(teach(server, batch_size=2), [ITEM, turned], SCHEMA))
    assert len(server.requests) == 2
    assert {one.number: int(one.probabilities.argmax()) for one in found} == {7: 1, 8: 0}


FORM = TeacherSchema(
    labels=tuple(
        LabelText(id=number, name=name)
        for number, name in enumerate(
            [
                *("Helps > Draft is better", "Helps > Final is better", "Helps > Equally good"),
                *("Sure > yes", "Sure > no"),
                *("Kinder > Draft is better", "Kinder > Final is better", "Kinder > Equally good"),
            ],
            start=11,
        )
    ),
    multi_label=True,
    questions=(
        TeacherQuestion(key="helps", name="Helps", columns=(0, 1, 2), sided=True),
        TeacherQuestion(key="sure", name="Sure", columns=(3, 4), after=(0,)),
        TeacherQuestion(key="kinder", name="Kinder", columns=(5, 6, 7), sided=True),
    ),
)


def fills(choose):
    """Fills in the form of each item by its two texts in the order shown."""

    def content(request):
        asked = plays.user_of(request).partition("Items to label:")[2]
        texts = [block.group(2) for block in plays.BLOCK.finditer(asked)]
        pairs = zip(plays.items_of(request), texts[::2], texts[1::2], strict=True)
        return json.dumps(
            {"answers": [{"item": key, "form": choose(*both)} for key, *both in pairs]}
        )

    return plays.says(content)


def by_length(one, other, kinder=("17", "16")):
    """The longer one helps more, the shorter one is kinder."""
    first = len(one) > len(other)
    return {
        "helps": "11" if first else "12",
        "sure": "14",  # dropped unread where nothing leads to it
        "kinder": kinder[0] if first else kinder[1],
    }


def test_a_form_about_two_texts_is_of_the_texts_and_not_of_their_places(teach):
    with Loopback(fills(by_length)) as server:
        (answer,) = ask(teach(server), [ITEM], FORM)
        systems = [plays.system_of(request) for request in server.requests]
    for system in systems:
        assert "Draft" not in system
        assert "- 11: The first text is better\n- 12: The second text is better\n" in system
        assert "- 16: The first text is better\n- 17: The second text is better\n" in system
    own, back = systems
    assert "Asked only if one of these was given: 11 (The first text is better)." in own
    assert "Asked only if one of these was given: 12 (The second text is better)." in back
    given = {FORM.ids[column] for column, p in enumerate(answer.probabilities) if p > 0.4}
    assert {12, 16} <= given, "of the item the second text is the longer one"
    assert 17 not in given
    assert 11 not in given
    assert (answer.flags, len(server.requests)) == ((BOTH_WAYS,), 2)


@pytest.mark.parametrize(
    ("always", "mark", "word"), [("16", FIRST_TWICE, "first"), ("17", SECOND_TWICE, "second")]
)
def test_a_place_taken_twice_in_one_question_leaves_the_form_without_an_answer(
    teach, always, mark, word
):
    with Loopback(fills(lambda *both: by_length(*both, kinder=(always, always)))) as server:
        (answer,) = ask(teach(server), [ITEM], FORM)
    assert answer.probabilities is None
    assert f"the model preferred the {word} of the two texts" in answer.abstained
    assert set(answer.flags) == {BOTH_WAYS, mark}


def test_what_waits_for_a_side_is_asked_about_the_same_text_in_both_orders(teach):
    longest_first = TeacherItem(number=8, text=LONG, text_b=SHORT)
    with Loopback(fills(by_length)) as server:
        answers = list(ask(teach(server, batch_size=1), [longest_first, ITEM], FORM))
    given = {
        answer.number: {
            FORM.ids[column] for column, p in enumerate(answer.probabilities) if p > 0.4
        }
        for answer in answers
    }
    assert given == {8: {11, 14, 17}, 7: {12, 16}}


def test_a_question_that_one_order_alone_led_to_keeps_its_answer(teach):
    def half(one, other):
        return {**by_length(one, other), **({"helps": "13"} if one == SHORT else {})}

    longest_first = TeacherItem(number=8, text=LONG, text_b=SHORT)
    with Loopback(fills(half)) as server:
        (answer,) = ask(teach(server), [longest_first], FORM)
    given = np.flatnonzero(chosen(FORM, answer.probabilities))
    assert {FORM.ids[column] for column in given} == {11, 14, 17}


def test_two_orders_that_answer_a_plain_question_otherwise_leave_no_form(teach):
    def torn(one, other):
        return {**by_length(one, other), "sure": "14" if one == LONG else "15"}

    longest_first = TeacherItem(number=8, text=LONG, text_b=SHORT)
    with Loopback(fills(torn)) as server:
        (answer,) = ask(teach(server), [longest_first], FORM)
    assert answer.probabilities is None
    assert "come to no whole form" in answer.abstained


def test_solved_forms_are_turned_with_what_waits_for_a_side(teach):
    solved = Example(item=TeacherItem(number=1, text="Won.", text_b="Lost."), labels=(11, 14, 17))
    with Loopback(fills(by_length)) as server:
        list(ask(teach(server), [ITEM], FORM, [solved]))
        own, back = (plays.user_of(request) for request in server.requests)
    assert own.index("Won.") < own.index("Lost.")
    assert '"helps": "11", "sure": "14", "kinder": "17"' in own
    assert back.index("Lost.") < back.index("Won.")
    assert '"helps": "12", "sure": "14", "kinder": "16"' in back


def test_a_tie_in_one_order_is_no_contradiction(teach):
    def half(one, other):
        return by_length(one, other, kinder=("18", "16"))

    with Loopback(fills(half)) as server:
        (answer,) = ask(teach(server), [ITEM], FORM)
    assert answer.probabilities is not None
    assert answer.probabilities[5] == pytest.approx(answer.probabilities[7], abs=1e-6)
