"""Forms with questions that are written to: texts beside the labels, read, settled and compared."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.consensus import CONSENSUS
from learning.edits import apart
from learning.errors import ShapeError
from learning.tasks import TASKS, Columns, Content, form_texts
from learning.tasks.form_texts import Written, parts
from learning.tasks.text import LONGEST
from learning.types import Votes
from tests.learning.test_forms import question

YES, NO, PRODUCT = 1, 2, 3
COLUMNS = Columns(label_ids=(YES, NO, PRODUCT))
COMPLAINT = question("complaint", "single", (YES, NO))
WHY = question("why", "text", (), (YES,))
NOTE = replace(question("note", "text", ()), optional=True)
BETTER = replace(question("better", "text", ()), edits=True)
FORM = TASKS.create("form").asking([COMPLAINT, WHY, NOTE])
EDITING = TASKS.create("form").asking([COMPLAINT, BETTER])
MARKING = TASKS.create("form").asking([COMPLAINT, question("where", "spans", (PRODUCT,)), WHY])
CONTENT = Content("The kettle leaks.", "Le bouilloire fuit.")
WORDS = st.text(max_size=40)


def read(form, texts, content=CONTENT):
    return form.read({"texts": texts}, content, ())


def votes(*said, form=FORM):
    """Votes on one item: (annotator, labels, texts as they are sent)."""
    return Votes(
        items=1,
        item=np.zeros(len(said), dtype=np.int64),
        annotator=np.array([one[0] for one in said], dtype=np.int64),
        answers=COLUMNS.hot([one[1] for one in said]),
        multi_label=True,
        texts=[read(form, texts)["texts"] for _, _, texts in said],
    )


def agreed(*said, form=FORM):
    return form.agree(CONSENSUS.create("weighted-majority"), votes(*said, form=form))


@given(st.dictionaries(st.sampled_from(["why", "note"]), WORDS))
def test_what_was_written_is_read_back_and_blank_is_left_out(texts):
    value = read(FORM, texts)
    assert read(FORM, value["texts"]) == value
    kept = {key for key, text in texts.items() if text.replace("\x00", "").strip()}
    assert set(value["texts"]) == kept
    for one in value["texts"].values():
        assert "\r" not in one["text"]
        assert "\x00" not in one["text"]
        one["text"].encode()  # halves of characters are gone


def test_a_text_of_the_greatest_length_with_any_letters_is_taken_as_it_is():
    text = "שלום 👩‍👩‍👧\n" * (LONGEST // 12)
    assert read(FORM, {"why": text})["texts"]["why"]["text"] == text
    assert read(FORM, {"why": "a\r\nb\rc"})["texts"]["why"]["text"] == "a\nb\nc"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"why": "x" * (LONGEST + 1)}, "“Why”: A text has 20,000 characters at most, not 20,001."),
        ({"why": 5}, "“Why”: An answer of a text is"),
        ({"why": {"text": "x", "more": 1}}, "“Why”: An answer of a text is"),
        ({"complaint": "x"}, "“complaint” is no question that is written to."),
        (["x"], "`texts` is an object"),
    ],
)
def test_what_is_no_text_to_a_question_is_refused_with_its_name(texts, told):
    with pytest.raises(ShapeError, match=told):
        read(FORM, texts)


def test_all_texts_of_an_answer_together_are_bounded():
    many = [question(f"q{number}", "text", ()) for number in range(6)]
    form = TASKS.create("form").asking(many)
    with pytest.raises(ShapeError, match="100,000 characters at most together, not 120,000"):
        read(form, {one.key: "x" * LONGEST for one in many})
    assert read(form, {one.key: "x" * LONGEST for one in many[:5]})


@pytest.mark.parametrize("value", [None, [], {"text": "x"}, {"texts": {}, "spans": []}])
def test_a_value_of_another_form_is_refused(value):
    with pytest.raises(ShapeError, match='"texts": …} and nothing else'):
        FORM.read(value, CONTENT, ())


def test_a_text_that_is_missing_or_answers_nothing_is_refused_with_the_question():
    with pytest.raises(ShapeError, match="Still to be written: Why"):
        FORM.finished([YES], read(FORM, {"why": " \n"}))
    with pytest.raises(ShapeError, match="“Why” is not asked"):
        FORM.finished([NO], read(FORM, {"why": "It leaks."}))
    FORM.finished([YES], read(FORM, {"why": "It leaks."}))
    FORM.finished([NO], read(FORM, {}))


def test_a_question_that_edits_tells_how_many_edits_made_the_text_of_the_second_one():
    value = read(EDITING, {"better": "La bouilloire fuit."})
    assert value["texts"]["better"] == {"text": "La bouilloire fuit.", "edits": 1}
    assert "edits" not in read(FORM, {"why": "It leaks."})["texts"]["why"]


def test_a_form_that_marks_and_writes_has_both_in_its_value():
    spans = [{"start": 4, "end": 10, "label": PRODUCT}]
    value = MARKING.read({"texts": {"why": "It leaks."}, "spans": spans}, CONTENT, (PRODUCT,))
    assert value == {"spans": spans, "texts": {"why": {"text": "It leaks."}}}
    assert MARKING.whole([YES], value) == [YES, PRODUCT]
    assert MARKING.read({}, CONTENT, ()) == {"spans": [], "texts": {}}


def test_the_text_nearest_to_the_others_of_those_who_were_asked_is_the_verdict():
    found = agreed(
        (1, [YES], {"why": "It leaks a lot."}),
        (2, [YES], {"why": "It leaks a lot"}),
        (3, [YES], {"why": "It leaks lot"}),
        (4, [NO], {"note": "It is fine."}),
    )
    assert found.answers[0].tolist() == [True, False, False]
    assert found.texts[0]["why"] == {"text": "It leaks a lot"}
    assert not found.tied[0]


def test_texts_far_from_each_other_tie_the_form():
    said = [(1, [YES], {"why": "It leaks."}), (2, [YES], {"why": "Too loud at night"})]
    assert agreed(*said).tied[0]


def test_a_question_that_the_verdict_does_not_lead_to_has_no_text():
    said = [(1, [YES], {"why": "It leaks."}), (2, [NO], {}), (3, [NO], {})]
    found = agreed(*said)
    assert found.texts == [{}]
    assert not found.tied[0]


def test_what_most_leave_empty_is_left_empty():
    said = [(1, [NO], {"note": "See also 12."}), (2, [NO], {}), (3, [NO], {})]
    found = agreed(*said)
    assert found.texts == [{}]
    assert not found.tied[0]


texts = st.dictionaries(st.sampled_from(["why", "note"]), st.text(st.characters(categories=["L"]), min_size=1, max_size=9))  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from([YES, NO]), texts), min_size=2, max_size=2))
def test_answers_are_apart_by_question_and_by_the_edits_between_their_texts(said):
    one, other = (
        frozenset([label, *(part for part in parts(read(FORM, own)) if label == YES or part.key == "note")])
        for label, own in said
    )  # fmt: skip
    far = FORM.apart(COLUMNS)(one, other)
    assert far == FORM.distance(other, one, COLUMNS)
    assert 0 <= far <= 1
    assert FORM.distance(one, one, COLUMNS) == 0
    (first, a), (second, b) = said
    if first == second == NO:
        pair = a.get("note", ""), b.get("note", "")
        assert far == pytest.approx((0 + apart(*pair)) / 2 if any(pair) else 0)


def test_two_texts_are_compared_once_in_whichever_order_they_come(monkeypatch):
    compared = []
    monkeypatch.setattr(form_texts, "apart", lambda *two: compared.append(two) or 0.5)
    far = form_texts.remembering()
    assert [far("a", "b"), far("b", "a"), far("a", "b")] == [0.5] * 3
    assert compared == [("a", "b")]


def test_labels_alone_are_compared_by_labels_alone():
    assert FORM.distance([YES], [YES], COLUMNS) == 0
    assert FORM.distance([YES], [NO], COLUMNS) == 1
    assert FORM.distance([YES, Written("why", "a")], [YES, Written("why", "b")], COLUMNS) == 0.5


def test_a_question_that_is_written_to_is_no_question_of_a_student():
    truth = COLUMNS.hot([[YES], [NO]])
    assert FORM.metrics(truth, truth)["questions_right"] == 1
    assert FORM.metrics(truth, truth[::-1])["questions_right"] == 0
    assert FORM.usable(truth).all()
