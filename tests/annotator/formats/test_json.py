"""JSON lists, JSONL, and the two tools' exports that are made of them."""

import json

import pytest

from annotator.formats import FormatError, Given, Record
from tests.annotator.formats.helpers import bad_rows, fields, problems, read

BAD_VALUES = [
    (b'{"a": NaN}', "a"),
    (b'{"a": -Infinity}', "a"),
    (b'{"a": 1e999}', "a"),
    (b'{"a": "\\u0000"}', "a"),
    (b'{"a": "\\ud800"}', "a"),
    (b'{"a": {"b": ["\\udfff"]}}', "a"),
    (b'{"a": 1, "a": 2}', "a"),
    (b'{"a": {"b": 1, "b": 2}}', "a"),
    (b"[1]", ""),
    (b'"text"', ""),
    (b"[" * 40 + b"]" * 40, ""),
    (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", ""),
]


class TestBothForms:
    @pytest.mark.parametrize(("value", "column"), BAD_VALUES)
    def test_name_a_bad_row_and_read_on(self, value, column):
        good = b'{"a": "fine"}'
        for rows in (
            read("jsonl", good + b"\n" + value + b"\n" + good),
            read("json", b"[" + b",".join([good, value, good]) + b"]"),
        ):
            assert bad_rows(rows) == [(2, column)]
            assert fields(rows) == [{"a": "fine"}, {"a": "fine"}]

    def test_keep_large_numbers_exactly(self):
        value = {"id": 2**63 + 1, "f": 0.1}
        assert fields(read("jsonl", json.dumps(value).encode())) == [value]
        assert fields(read("json", json.dumps([value]).encode())) == [value]

    def test_brackets_inside_texts_are_no_nesting(self):
        value = {"a": "[" * 100 + '\\"'}
        assert fields(read("jsonl", json.dumps(value).encode())) == [value]

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
    def test_find_the_encoding(self, encoding):
        assert fields(read("jsonl", '{"a": "ü"}\n'.encode(encoding))) == [{"a": "ü"}]
        assert fields(read("json", '[{"a": "ü"}]'.encode(encoding))) == [{"a": "ü"}]

    def test_nesting_of_a_hundred_thousand(self):
        deep = b"[" * 100_000 + b"]" * 100_000
        assert bad_rows(read("jsonl", deep + b'\n{"a": 1}')) == [(1, "")]
        assert bad_rows(read("json", b"[" + deep + b"]")) == [(1, "")]

    def test_too_many_keys(self):
        value = json.dumps({str(number): 1 for number in range(1001)}).encode()
        assert bad_rows(read("jsonl", value)) == [(1, "")]


class TestLines:
    def test_a_broken_line_costs_one_row(self):
        rows = read("jsonl", b'{"a": 1}\n{"a": \n\n{"a": 3}\n')
        assert bad_rows(rows) == [(2, "")]
        assert [row.row for row in rows if isinstance(row, Record)] == [1, 4]

    def test_a_line_of_ten_megabytes(self):
        rows = read("jsonl", b'{"a": "' + b"x" * 10_000_000 + b'"}\n{"a": 2}\n')
        assert bad_rows(rows) == [(1, "")]
        assert fields(rows) == [{"a": 2}]

    def test_bytes_of_no_encoding(self):
        rows = read("jsonl", b'{"a": "\xff", "b": "ok"}\n')
        assert bad_rows(rows) == [(1, "a")]
        assert "0xFF" in problems(rows)[0].message


class TestLists:
    def test_elements_across_blocks(self):
        values = [{"n": number, "text": "x" * (number % 977)} for number in range(2_000)]
        assert fields(read("json", json.dumps(values, indent=1).encode())) == values

    @pytest.mark.parametrize(
        ("data", "row"),
        [
            (b'[{"a": 1}, {"a": ', 2),
            (b'[{"a": 1}, {"a" 2}, {"a": 3}]', 2),
            (b'[{"a": 1} {"a": 2}]', 2),
            (b'[{"a": 1}, ', 2),
            (b'[{"a": 1}] trailing', 2),
            (b'[{"a": 1}, {"a": "open', 2),
        ],
    )
    def test_a_broken_element_ends_the_reading(self, data, row):
        rows = read("json", data)
        assert fields(rows) == [{"a": 1}]
        assert bad_rows(rows) == [(row, "")]
        assert "can be read" in problems(rows)[0].message

    def test_an_element_of_ten_megabytes(self):
        rows = read("json", b'[{"a": 1}, {"a": "' + b"x" * 10_000_000 + b'"}]')
        assert bad_rows(rows) == [(2, "")]

    def test_an_element_just_over_the_limit_costs_one_row(self):
        rows = read("json", b'[{"a": "' + b"x" * (1 << 20) + b'"}, {"a": 2}]')
        assert bad_rows(rows) == [(1, "")]
        assert fields(rows) == [{"a": 2}]

    def test_an_object_is_no_list(self):
        with pytest.raises(FormatError, match="list"):
            read("json", b'{"a": 1}')

    def test_an_empty_list_has_no_rows(self):
        assert read("json", b" [ ] ") == []


def _choice(name, *labels, **extra):
    return {
        "from_name": name,
        "to_name": "text",
        "type": "choices",
        "value": {"choices": labels},
        **extra,
    }


class TestLabelStudio:
    def test_annotations_and_predictions(self):
        task = {
            "id": 7,
            "data": {"text": "Where is my card?"},
            "meta": {"source": "mail"},
            "annotations": [
                {"completed_by": 3, "result": [_choice("topic", "cards")]},
                {"completed_by": {"email": "a@b.c"}, "result": [_choice("topic", "loans")]},
                {"completed_by": 4, "was_cancelled": True, "result": []},
            ],
            "predictions": [
                {"model_version": "m1", "score": 0.8, "result": [_choice("topic", "cards")]}
            ],
        }
        [record] = read("label-studio", json.dumps([task]).encode())
        assert record.fields == {"id": 7, "text": "Where is my card?", "meta": {"source": "mail"}}
        assert record.given == (
            Given(labels=("cards",), voice="3"),
            Given(labels=("loans",), voice="a@b.c"),
            Given(labels=("cards",), voice="m1", kind="prediction", score=0.8),
        )

    def test_taxonomies(self):
        result = {"from_name": "t", "type": "taxonomy", "value": {"taxonomy": [["Food", "Tea"]]}}
        task = {"data": {"text": "x"}, "annotations": [{"result": [result]}]}
        [record] = read("label-studio", json.dumps([task]).encode())
        assert record.given[0].labels == ("Food > Tea",)

    def test_minimal_tasks(self):
        [record] = read("label-studio", b'[{"data": {"text": "x", "id": 5}}]')
        assert (record.fields, record.given) == ({"text": "x", "id": 5}, ())

    def test_several_questions_need_a_choice(self):
        result = [_choice("topic", "cards"), _choice("mood", "angry")]
        data = json.dumps([{"data": {"text": "x"}, "annotations": [{"result": result}]}]).encode()
        assert "mood, topic" in problems(read("label-studio", data))[0].message
        [record] = read("label-studio", data, question="mood")
        assert record.given[0].labels == ("angry",)

    @pytest.mark.parametrize(
        "task",
        [
            {"text": "no data"},
            {"data": {"text": "x"}, "annotations": "none"},
            {"data": {"text": "x"}, "annotations": [{"result": ["?"]}]},
            {"data": {"text": "x"}, "annotations": [{"result": 3.5}]},
            {"data": {"text": "x"}, "annotations": [{"result": [{"value": {"selected": [1]}}]}]},
            {"data": {"text": "x"}, "annotations": [{"result": [
                {"from_name": "s", "type": "labels", "value": {"start": 0, "labels": ["A"]}}
            ]}]},
        ],
    )  # fmt: skip
    def test_what_labels_no_whole_item_is_a_bad_row(self, task):
        rows = read("label-studio", json.dumps([task, {"data": {"text": "y"}}]).encode())
        assert [row for row, _ in bad_rows(rows)] == [1]
        assert fields(rows)[0]["text"] == "y"


class TestDoccano:
    def test_lists_and_names(self):
        data = b'{"id":1,"text":"a","label":["x","y","x"],"Comments":[]}\n{"id":2,"text":"b","label":"z"}\n'
        rows = read("doccano", data)
        assert [row.given for row in rows] == [
            (Given(labels=("x", "y")),),
            (Given(labels=("z",)),),
        ]
        assert rows[0].fields == {"id": 1, "text": "a", "Comments": []}

    def test_unlabelled(self):
        assert read("doccano", b'{"text": "a", "label": []}')[0].given == ()

    def test_half_a_span_is_a_bad_row(self):
        rows = read("doccano", b'{"text": "a", "label": [[0, 1, "PER"], [0, 1]]}')
        assert bad_rows(rows) == [(1, "label")]
