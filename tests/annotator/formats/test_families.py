"""Columns that belong together are found by their names and by what they say."""

import io

import pytest

from annotator.formats import FormatError
from annotator.formats.mapping import Mapping, mapped
from annotator.formats.preview import preview
from annotator.formats.records import Record
from annotator.formats.sides import side_of

LONG = "a text that is as long as a sentence of some twelve words in a real file"


def guessed(names, *rows, name="x.csv"):
    lines = [",".join(names), *(",".join(row) for row in rows * 12)]
    return preview(io.BytesIO("\n".join(lines).encode()), name)


class TestOneColumnForEachAnnotator:
    @pytest.mark.parametrize(
        "names",
        [
            ("annotator_1", "annotator_2", "annotator_3"),
            ("rater1", "rater2", "rater3"),
            ("label_a", "label_b", "label_c"),
            ("Label Ana", "Label Ben", "Label Zoë"),
        ],
    )
    def test_is_found(self, names):
        found = guessed(("text", *names), (LONG, "yes", "no", "yes"), (LONG, "no", "no", "yes"))
        assert found.mapping.voices == names
        assert (found.mapping.label, found.mapping.metadata) == ("", ())
        assert found.labels == [("yes", 36), ("no", 36)] or found.labels == [
            ("no", 36),
            ("yes", 36),
        ]

    def test_stands_beside_the_column_of_labels(self):
        found = guessed(
            ("text", "label", "vote_1", "vote_2"),
            (LONG, "yes", "yes", "no"),
            (LONG, "no", "no", "yes"),
        )
        assert (found.mapping.label, found.mapping.voices) == ("label", ("vote_1", "vote_2"))

    def test_is_none_where_columns_say_different_things(self):
        found = guessed(("text", "label_topic", "label_tone"), (LONG, "sport", "kind"))
        assert found.mapping.voices == ()

    def test_gives_each_annotator_an_answer_that_is_called_as_the_column_is(self):
        row = {"t": "a", "v1": "yes", "v2": "", "v3": "no|maybe"}
        item = mapped(Record(2, row), Mapping(text="t", voices=("v1", "v2", "v3"), separator="|"))
        assert [(one.voice, one.labels) for one in item.given] == [
            ("v1", ("yes",)),
            ("v3", ("no", "maybe")),
        ]


class TestTextsThatAreCalledAlike:
    def test_two_are_a_pair(self):
        found = guessed(
            ("instruction", "response_1", "response_2", "winner"), (LONG, LONG, LONG, "tie")
        )
        assert (found.mapping.text, found.mapping.text_b) == ("response_1", "response_2")
        assert "instruction" in found.mapping.metadata

    def test_more_are_candidates_below_what_they_answer(self):
        answers = tuple(f"answer_{n}" for n in range(1, 5))
        found = guessed(("question", *answers), (LONG, *(4 * [LONG])))
        assert (found.mapping.text, found.mapping.candidates) == ("question", answers)

    def test_short_ones_are_none(self):
        found = guessed(("text", "option_1", "option_2"), (LONG, "red", "blue"))
        assert (found.mapping.text, found.mapping.text_b) == ("text", "")


class TestColumnsThatWouldTellTheAnswer:
    def test_are_left_out_and_named(self):
        found = guessed(
            ("text", "label", "old_label", "source"),
            (LONG, "x", "y", "web"),
            (LONG, "y", "x", "web"),
        )
        assert found.mapping.metadata == ("source",)
        assert any("old_label" in note for note in found.notes)

    def test_so_are_lists_of_objects(self):
        line = b'{"text": "a", "label": "x", "llm": [{"model": "m", "label": "y"}], "at": "noon"}\n'
        assert preview(io.BytesIO(line * 8)).mapping.metadata == ("at",)


class TestSides:
    @pytest.mark.parametrize(
        ("name", "side"),
        [
            *(("response_1", "a"), ("Model B", "b"), ("a", "a"), ("2", "b"), ("left", "a")),
            *(("tie", "tie"), ("tie (bothbad)", "bad"), ("chosen", "a"), ("output2", "b")),
            *(("data", ""), ("Paris", ""), ("3", ""), ("neither", "")),
        ],
    )
    def test_are_read_from_what_files_call_them(self, name, side):
        assert side_of(name) == side

    def test_may_be_called_as_the_columns_are(self):
        assert [side_of(name, "draft", "final") for name in ("Draft", "final")] == ["a", "b"]


class TestPlainText:
    def test_is_an_item_a_line_and_loses_none(self):
        data = b"One, two, and three.\nA second line\n\nthe last, without an end"
        found = preview(io.BytesIO(data), "notes.txt")
        assert (found.format, found.mapping.text) == ("lines", "text")
        assert [record.row for record in found.rows] == [1, 2, 4]
        assert found.rows[0].fields == {"text": "One, two, and three."}

    @pytest.mark.parametrize("data", [b"id,text\n1,One\n2,Two\n", b"text\nOne\nTwo\n"])
    def test_is_a_table_where_it_begins_with_names(self, data):
        assert preview(io.BytesIO(data), "table.txt").format == "csv"

    def test_names_the_line_that_is_too_long(self):
        data = b"short\n" + b"x" * (1 << 20) + b"y\nafter\n"
        found = preview(io.BytesIO(data), "notes.txt")
        assert [problem.row for problem in found.problems] == [2]
        assert [record.fields["text"] for record in found.rows] == ["short", "after"]

    def test_of_white_space_only_is_refused(self):
        with pytest.raises(FormatError):
            preview(io.BytesIO(b" \n\n "), "notes.txt")


def test_a_file_in_another_encoding_is_read_so_and_says_so():
    data = "id;text\n" + "".join(f"{n};Grüße aus Köln\n" for n in range(3))
    found = preview(io.BytesIO(data.encode("windows-1252")), "x.csv")
    assert found.rows[0].fields["text"] == "Grüße aus Köln"
    assert (found.reader, found.problems) == ({"encoding": "windows-1252"}, [])
    assert "windows-1252" in found.notes[0]
