"""Forms that mark the text: the spans beside the labels, read, settled and compared by question."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.consensus import CONSENSUS
from learning.errors import ShapeError
from learning.spans import Span, spans_of, value_of
from learning.tasks import TASKS, Columns, Content
from learning.types import Votes
from tests.learning.test_forms import question

YES, NO, PRODUCT, PROBLEM, RUDE, PLACE = range(1, 7)
COLUMNS = Columns(label_ids=tuple(range(1, 7)))
COMPLAINT = question("complaint", "single", (YES, NO))
WHERE = question("where", "spans", (PRODUCT, PROBLEM), (YES,))
TONE = question("tone", "multi", (RUDE,), (PROBLEM,))
TOWN = question("town", "spans", (PLACE,))
FORM = TASKS.create("form").asking([COMPLAINT, WHERE, TONE, TOWN])
CONTENT = Content("The kettle leaks in Ulm.")
KETTLE, LEAKS, ULM = Span(4, 10, PRODUCT), Span(11, 16, PROBLEM), Span(20, 23, PLACE)
METHODS = TASKS["form"].consensus


def votes(*said):
    """Votes of one item each voice: (annotator, labels of questions that take labels, spans)."""
    whole = [FORM.whole(labels, value_of(spans)) for _, labels, spans in said]
    return Votes(
        items=1,
        item=np.zeros(len(said), dtype=np.int64),
        annotator=np.array([one[0] for one in said], dtype=np.int64),
        answers=COLUMNS.hot(whole),
        multi_label=True,
        marks=[list(spans) for _, _, spans in said],
    )


spans = st.builds(
    lambda start, size, label: Span(start, min(start + size, 24), label),
    st.integers(0, 23),
    st.integers(1, 8),
    st.sampled_from([PRODUCT, PROBLEM, PLACE]),
)


@st.composite
def answers(draw):
    """A whole answer: its labels and its spans."""
    marks = set(draw(st.lists(spans, max_size=6)))
    if not draw(st.booleans()):
        return [NO], {span for span in marks if span.label == PLACE}
    rude = [RUDE] if draw(st.booleans()) and any(span.label == PROBLEM for span in marks) else []
    return [YES, *rude], marks


@given(answers())
def test_what_was_answered_is_read_back(answer):
    labels, marks = answer
    value = FORM.read(value_of(marks), CONTENT, COLUMNS.label_ids)
    whole = FORM.whole(labels, value)
    FORM.check(whole)
    assert FORM.read(value, CONTENT, COLUMNS.label_ids) == value
    assert set(spans_of(value)) == marks
    assert set(whole) == {*labels, *(span.label for span in marks)}
    assert COLUMNS.hot([whole])[0].sum() == len(whole)
    said = FORM.answers(whole)
    assert ("where" in said) == (YES in labels)
    assert [label for each in said.values() for label in each] == whole


@given(answers())
def test_equal_answers_are_not_apart(answer):
    labels, marks = answer
    one = frozenset([*FORM.whole(labels, value_of(marks)), *marks])
    assert FORM.distance(one, one, COLUMNS) == 0
    assert FORM.apart(COLUMNS)(one, one) == 0


@pytest.mark.parametrize("method", METHODS)
@given(answer=answers())
def test_the_verdict_on_one_voice_is_what_it_said(method, answer):
    labels, marks = answer
    found = FORM.agree(CONSENSUS.create(method), votes((7, labels, marks)))
    assert set(found.marks[0]) == marks
    whole = FORM.whole(labels, value_of(marks))
    assert {COLUMNS.label_ids[at] for at in np.flatnonzero(found.answers[0])} == set(whole)
    assert not found.tied[0]
    assert found.skill == {7: 1.0}


@pytest.mark.parametrize("method", METHODS)
def test_spans_are_settled_by_those_who_were_asked(method):
    found = FORM.agree(
        CONSENSUS.create(method),
        votes(
            (1, [YES], [KETTLE, LEAKS, ULM]),
            (2, [YES], [KETTLE, ULM]),
            (3, [YES], [KETTLE, LEAKS]),
            (4, [NO], [ULM]),
        ),
    )
    assert found.marks == [[KETTLE, LEAKS, ULM]]
    assert not found.tied[0]
    assert found.shares[0, PROBLEM - 1] == pytest.approx(2 / 3)
    assert found.skill == {1: 1.0, 2: 0.0, 3: 0.0, 4: 0.0}


def test_what_the_verdict_does_not_lead_to_is_not_marked():
    found = FORM.agree(
        CONSENSUS.create("majority"),
        votes((1, [YES], [KETTLE]), (2, [NO], [ULM]), (3, [NO], [ULM])),
    )
    assert found.marks == [[ULM]]
    assert not found.answers[0, PRODUCT - 1]


def test_voices_that_mark_other_words_with_one_label_tie():
    found = FORM.agree(
        CONSENSUS.create("majority"), votes((1, [YES], [KETTLE]), (2, [YES], [Span(0, 3, PRODUCT)]))
    )
    assert found.tied[0], "by their labels alone they would agree"


def test_marks_are_compared_where_they_are():
    near = [YES, PRODUCT, Span(4, 10, PRODUCT)]
    other = [YES, PRODUCT, Span(0, 3, PRODUCT)]
    assert FORM.distance(near, other, COLUMNS) == pytest.approx(1 / 3)
    assert FORM.distance([YES, PRODUCT], [YES, PRODUCT], COLUMNS) == 0
    assert FORM.distance([YES, PRODUCT], [YES, PROBLEM], COLUMNS) > 0


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"labels": []}, "“Where”, “Town”: An answer of spans is"),
        ({"spans": [{"start": 4, "end": 99, "label": PRODUCT}]}, "24 characters"),
        (
            {"spans": [{"start": 4, "end": 10, "label": YES}]},
            "“Where”, “Town”: Span 1 has the label",
        ),
    ],
)
def test_a_refusal_of_spans_names_the_questions(value, sentence):
    with pytest.raises(ShapeError, match=sentence):
        FORM.read(value, CONTENT, COLUMNS.label_ids)


def test_a_label_that_marks_nothing_is_refused_where_it_should_mark():
    with pytest.raises(ShapeError, match=r"“Where” is answered by marking"):
        FORM.whole([YES, PRODUCT], {"spans": []})
    with pytest.raises(ShapeError, match=r"“Where” is not asked after"):
        FORM.check(FORM.whole([NO], value_of([KETTLE])))


def test_a_form_of_labels_alone_takes_no_value():
    form = TASKS.create("form").asking([COMPLAINT])
    assert form.marking == ()
    with pytest.raises(ShapeError, match="leave `value` out"):
        form.read({"spans": []}, CONTENT, [YES])
