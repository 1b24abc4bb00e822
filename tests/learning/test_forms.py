"""Which questions of a form are asked, and what is an answer to all of them."""

import pytest

from learning.errors import ShapeError
from learning.forms import Condition, Form, Question
from learning.tasks import Columns, Content

TEXT = Content("the printer in Oslo is on fire")
URGENT, CALM, PAPER, FIRE, PLACE = 1, 2, 3, 4, 5
COLUMNS = {
    "urgency": Columns(label_ids=(URGENT, CALM)),
    "causes": Columns(label_ids=(PAPER, FIRE)),
    "why": Columns(label_ids=()),
    "places": Columns(label_ids=(PLACE,)),
}


def after(question: str, *labels: int) -> Condition:
    return Condition(question=question, labels=frozenset(labels))


URGENCY = Question(key="urgency", task_type="single", labels=frozenset({URGENT, CALM}))
CAUSES = Question(
    key="causes",
    task_type="multi",
    labels=frozenset({PAPER, FIRE}),
    only_if=after("urgency", URGENT),
)
WHY = Question(key="why", task_type="text", only_if=after("causes", FIRE))
PLACES = Question(key="places", task_type="spans", labels=frozenset({PLACE}), required=False)
FORM = Form(questions=(URGENCY, CAUSES, WHY, PLACES))
WHOLE = {
    "answers": {
        "urgency": {"labels": [URGENT]},
        "causes": {"labels": [PAPER, FIRE]},
        "why": {"value": {"text": "it burns"}},
        "places": {"value": {"spans": [{"start": 15, "end": 19, "label": PLACE}]}},
    }
}
SHORT = {"answers": {"urgency": {"labels": [CALM]}}}


def test_each_question_is_read_by_its_own_task_type():
    shuffled = {"answers": dict(reversed(WHOLE["answers"].items()))}
    shuffled["answers"]["causes"] = {"labels": [FIRE, PAPER]}
    read = FORM.read(shuffled, TEXT)
    assert read == WHOLE
    assert list(read["answers"]) == ["urgency", "causes", "why", "places"]
    assert FORM.read(read, TEXT) == read
    assert FORM.labels_of(read) == [URGENT, PAPER, FIRE, PLACE]


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        ({}, ["urgency", "places"]),
        ({"urgency": {"labels": [CALM]}}, ["urgency", "places"]),
        ({"urgency": {"labels": [URGENT]}}, ["urgency", "causes", "places"]),
        (
            {"urgency": {"labels": [URGENT]}, "causes": {"labels": [PAPER, FIRE]}},
            ["urgency", "causes", "why", "places"],
        ),
        # What hangs on a question that is hidden is hidden too, whatever was answered before.
        (
            {"urgency": {"labels": [CALM]}, "causes": {"labels": [FIRE]}},
            ["urgency", "places"],
        ),
    ],
)
def test_conditions_decide_what_is_asked(answers, asked):
    assert [question.key for question in FORM.asked(answers)] == asked


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({}, "Still to be answered: urgency"),
        ({"urgency": {"labels": [URGENT]}}, "Still to be answered: causes"),
        ({"urgency": {"labels": [CALM]}, "causes": {"labels": [FIRE]}}, "“causes” is not asked"),
        ({"urgency": {"labels": [URGENT, CALM]}}, "urgency: One label"),
        ({"urgency": {"labels": [FIRE]}}, "urgency: Label 4 is none"),
        ({"urgency": {"labels": [True]}}, "urgency: `labels` is a list"),
        ({"urgency": {"value": 1}}, "urgency: An answer is"),
        ({"places": {"labels": [PLACE]}}, "places: An answer is"),
        ({"why": {"value": {"text": " "}}}, "why: The text is empty"),
        ({"mood": {"labels": [1]}}, "no question “mood”"),
        ([], "maps the keys"),
    ],
)
def test_a_refusal_names_the_question_and_what_is_wrong(answers, sentence):
    with pytest.raises(ShapeError, match=sentence):
        FORM.read({"answers": answers}, TEXT)


def test_a_form_of_optional_questions_is_not_answered_by_nothing():
    with pytest.raises(ShapeError, match="No question is answered"):
        Form(questions=(PLACES,)).read({"answers": {}}, TEXT)


def test_equal_answers_are_not_apart_and_a_question_that_one_alone_answered_is():
    other = {"answers": WHOLE["answers"] | {"causes": {"labels": [FIRE]}}}
    assert FORM.distance(WHOLE, WHOLE, COLUMNS) == 0
    assert FORM.distance(WHOLE, other, COLUMNS) == pytest.approx(0.5 / 4)
    assert FORM.distance(WHOLE, SHORT, COLUMNS) == FORM.distance(SHORT, WHOLE, COLUMNS) == 1


@pytest.mark.parametrize(
    ("questions", "sentence"),
    [
        ((), "one question at least"),
        ((URGENCY, URGENCY), "Two questions are called"),
        ((CAUSES, URGENCY), "no earlier question"),
        ((URGENCY, Question(key="x", task_type="text", only_if=after("x", 1))), "no earlier"),
        ((URGENCY, Question(key="x", task_type="text", only_if=after("urgency"))), "depends on"),
        ((URGENCY, Question(key="x", task_type="text", only_if=after("urgency", 9))), "not have"),
        ((URGENCY, Question(key="x", task_type="multi", labels=frozenset({CALM}))), "share a"),
        ((Question(key="x", task_type="single"),), "needs labels"),
        ((Question(key="x", task_type="text", labels=frozenset({1})),), "takes no labels"),
        ((URGENCY, Question(key="x", task_type="ranking")), "No kind of item"),
    ],
)
def test_a_form_that_could_not_be_asked_is_refused(questions, sentence):
    with pytest.raises(ShapeError, match=sentence):
        Form(questions=questions)


def test_a_form_takes_the_items_that_every_question_takes():
    assert FORM.item_kinds == frozenset({"text"})
