"""Answers made elsewhere, read from rows of any shape: what stands in them, or what is wrong."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.formats import Record
from annotator.formats.answers import AnswerMapping, guess_answers
from annotator.formats.guessing import columns_of
from annotator.formats.reading_answers import read_answer
from annotator.formats.records import RowError

WHOLE = AnswerMapping(
    id="id", label="said", probabilities="p", confidence="sure", model="model", money="cost"
)


def read(multi_label=False, mapping=WHOLE, **fields):
    return read_answer(Record(2, {"id": "a", **fields}), mapping, multi_label=multi_label)


def faults(**fields):
    with pytest.raises(RowError) as refusal:
        read(**fields)
    return refusal.value.faults


def test_a_row_is_read_with_all_that_is_known():
    found = read(said=" Refund ", sure="93 %", model="gpt", cost="0.002")
    assert (found.id, found.labels, found.model) == ("a", ("Refund",), "gpt")
    assert (found.confidence, found.money) == (pytest.approx(0.93), 0.002)
    assert read(said="Refund", sure=0.93).confidence == 0.93
    assert read(said=None, sure=None).labels is None


def test_several_labels_are_a_list_or_a_cell_with_marks():
    mapping = AnswerMapping(id="id", label="said", separator="|")
    assert read(True, mapping, said="a | b|").labels == ("a", "b")
    assert read(True, mapping, said=["a", "b", "a"]).labels == ("a", "b")
    assert read(True, mapping, said=[]).labels == (), "no label holds: that is an answer"
    assert read(True, mapping, said=None).labels is None
    assert read(False, mapping, said="a | b").labels == ("a | b",)


def test_probabilities_are_an_object_or_its_json():
    assert read(p={"a": 0.25, "b": 0.75}).probabilities == {"a": 0.25, "b": 0.75}
    assert read(p=json.dumps({"a": 1})).probabilities == {"a": 1.0}
    assert read(True, p={"a": 0.9, "b": 0.9}).probabilities == {"a": 0.9, "b": 0.9}


@pytest.mark.parametrize(
    ("fields", "column", "told"),
    [
        ({"sure": "93"}, "sure", "no confidence"),
        ({"sure": "nan"}, "sure", "no confidence"),
        ({"sure": "quite"}, "sure", "no confidence"),
        ({"cost": "-1"}, "cost", "no number"),
        ({"cost": "1e400"}, "cost", "no number"),
        ({"p": "[1]"}, "p", "object"),
        ({"p": "{"}, "p", "object"),
        ({"p": {"a": 0.5}}, "p", "sum"),
        ({"p": {"a": 2, "b": -1}}, "p", "between"),
        ({"said": {"a": 1}}, "said", "name of a label"),
        ({"id": ""}, "id", "which item"),
        ({"model": "m" * 201}, "model", "201"),
    ],
)
def test_what_is_wrong_is_named_by_column(fields, column, told):
    found = faults(**fields)
    assert found[0][0] == column
    assert told in found[0][1]


def test_all_that_is_wrong_is_said_at_once():
    assert [column for column, _ in faults(sure="x", cost="y")] == ["sure", "cost"]


def test_a_mapping_says_what_it_lacks():
    assert "tells the item" in AnswerMapping(label="a").problem()
    assert "holds the answers" in AnswerMapping(text="a").problem()
    assert not AnswerMapping(number="a", probabilities="b").problem()


def test_columns_are_guessed_by_their_names():
    rows = [
        Record(2, {"ID": "5", "text": "hello", "label": "gold", "Prediction": "x", "score": 0.5})
    ]
    found = guess_answers(columns_of(rows), rows)
    assert (found.id, found.label, found.confidence, found.text) == (
        "ID",
        "Prediction",
        "score",
        "",
    )
    rows = [Record(2, {"text": "hello", "label": "x", "model": "m"})]
    found = guess_answers(columns_of(rows), rows)
    assert (found.text, found.label, found.model) == ("text", "label", "model")


cells = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
values = (
    cells | st.lists(cells, max_size=2) | st.dictionaries(st.text(max_size=3), cells, max_size=2)
)
columns = st.sampled_from(["id", "said", "p", "sure", "model", "cost"])


@settings(max_examples=60)
@given(fields=st.dictionaries(columns, values), multi_label=st.booleans())
def test_any_row_is_read_or_refused_with_its_columns(fields, multi_label):
    found = None
    with contextlib.suppress(RowError):
        found = read_answer(Record(2, fields), WHOLE, multi_label=multi_label)
    if found is not None:
        assert found.id
        assert found.confidence is None or 0 <= found.confidence <= 1
        assert found.money >= 0
