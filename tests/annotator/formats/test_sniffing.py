"""Which format it is, what the columns are, and what an importer sees of it."""

import gzip
import io
import json
import zipfile

import pytest

from annotator.formats import FORMATS, FormatError, Record
from annotator.formats.mapping import Mapping, mapped
from annotator.formats.preview import preview
from annotator.formats.records import RowError
from annotator.formats.sniffing import format_of
from tests.annotator.formats.test_images import packed, picture

LS = json.dumps([{"data": {"text": "a"}, "annotations": []}]).encode()


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"text,label\na,b\n", "csv"),
        (b"text;label\na;b\n", "csv"),
        (b"text\tlabel\na\tb\n", "tsv"),
        (b"a single column\nof lines\n", "lines"),
        (b'[{"text": "a"}]', "json"),
        (b'\n [\n {"text": "a"}]', "json"),
        (b'{"text": "a"}\n{"text": "b"}', "jsonl"),
        (b'{"text": "a"}', "jsonl"),
        (b'{"text": "a", "label": ["x"]}\n', "doccano"),
        (b'{"text": "a", "label": "x"}\n', "jsonl"),
        (LS, "label-studio"),
        ("text,label\nä,b\n".encode("utf-16"), "csv"),
        ('{"text": "a"}\n'.encode("utf-8-sig"), "jsonl"),
        (gzip.compress(b'{"text": "a"}\n', mtime=0), "jsonl"),
        (packed(a=picture()), "images"),
    ],
)
def test_finds_the_format(data, format):
    stream = io.BytesIO(data)
    assert format_of(stream, "file.txt") == format
    assert stream.tell() == 0
    assert list(FORMATS.create(format).read(stream))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"  \n\n ", "white space"),
        (b"%PDF-1.7 ...", "PDF"),
        (picture(), "zip"),
        (packed(**{"[Content_Types].xml": b"<a/>", "word/document.xml": b"<b/>"}), "Word"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\x7fELF" + bytes(range(256)), "program"),
        (bytes(range(1, 256)) * 20, "not a text file"),
        (b'{\n  "items": [\n {"text": "a"}\n ]\n}', "one object over several lines"),
        (gzip.compress(b"text\na", mtime=0)[:-6] + b"xxxxxx", "damaged"),
    ],
)
def test_refuses_with_a_sentence(data, told):
    with pytest.raises(FormatError, match=told) as refusal:
        list(FORMATS.create(format_of(io.BytesIO(data), "x")).read(io.BytesIO(data)))
    assert str(refusal.value)[0].isupper()


class TestPreview:
    def test_shows_columns_guess_and_labels(self):
        rows = "".join(
            f'{n},"Text number {n}, long enough",{"xyz"[n % 3]},web\n' for n in range(90)
        )
        found = preview(io.BytesIO(b"id,text,intent,source\n" + rows.encode()), "a.csv", n=5)
        assert found.format == "csv"
        assert [column.name for column in found.columns] == ["id", "text", "intent", "source"]
        assert found.columns[1].examples[0] == "Text number 0, long enough"
        assert found.mapping == Mapping(text="text", label="intent", id="id", metadata=("source",))
        assert found.labels == [("x", 30), ("y", 30), ("z", 30)]
        assert (len(found.rows), found.sampled, found.complete) == (5, 90, True)

    def test_guesses_by_values_where_names_say_nothing(self):
        rows = "".join(f"{n};{'ab'[n % 2]};a rather long remark, number {n}\n" for n in range(40))
        found = preview(io.BytesIO(b"one;two;three\n" + rows.encode()))
        assert (found.mapping.text, found.mapping.label) == ("three", "two")

    def test_an_id_by_another_name_and_what_only_repeats_are_no_labels(self):
        rows = "".join(f"q{n},is this question {n}?,{'abc'[n % 3]},ok\n" for n in range(40))
        found = preview(io.BytesIO(b"qid,question,source,valid\n" + rows.encode()))
        assert found.mapping == Mapping(text="question", id="qid", metadata=("source", "valid"))

    def test_what_was_paid_is_no_id_though_it_differs_in_every_row(self):
        rows = "".join(f"{n}.50,is this question {n}?,t{n}\n" for n in range(40))
        found = preview(io.BytesIO(b"amount_paid,question,tweetid\n" + rows.encode()))
        assert (found.mapping.id, found.mapping.text) == ("tweetid", "question")

    def test_guesses_two_texts(self):
        found = preview(io.BytesIO(b"premise,hypothesis,label\na,b,yes\nc,d,no\n"))
        assert (found.mapping.text, found.mapping.text_b) == ("premise", "hypothesis")

    def test_guesses_a_separator(self):
        data = b"text,labels\na,x\nb,y\nc,x|y\nd,y|x\n"
        found = preview(io.BytesIO(data))
        assert found.mapping.separator == "|"
        assert found.labels == [("x", 3), ("y", 3)]

    def test_counts_labels_of_other_tools(self):
        task = {"data": {"text": "a"}, "annotations": [{"result": [
            {"from_name": "t", "type": "choices", "value": {"choices": ["yes"]}}]}]}  # fmt: skip
        found = preview(io.BytesIO(json.dumps([task] * 3).encode()))
        assert found.labels == [("yes", 3)]
        assert found.mapping.text == "text"

    def test_takes_folders_of_images_for_labels(self):
        data = packed(**{f"{kind}__{n}": picture() for kind in "ab" for n in range(3)})
        found = preview(io.BytesIO(data), "x.zip")
        assert (found.mapping.image, found.mapping.label) == ("image", "folder")
        assert found.labels == [("a", 3), ("b", 3)]

    def test_counts_with_a_mapping_that_was_chosen(self):
        data = b"text,label,second\na,x,p\nb,x,q\n"
        found = preview(io.BytesIO(data), mapping=Mapping(text="text", label="second"))
        assert found.labels == [("p", 1), ("q", 1)]

    def test_holds_little_of_a_file_of_long_rows(self):
        line = json.dumps({"text": "x" * 200_000, "list": ["y" * 1000] * 100}).encode() + b"\n"
        found = preview(io.BytesIO(line * 500))
        assert found.sampled < 50
        assert not found.complete

    def test_shows_a_thousand_columns_at_most(self):
        lines = (json.dumps({f"c{n}-{row}": 1 for n in range(900)}) for row in range(3))
        assert len(preview(io.BytesIO("\n".join(lines).encode())).columns) == 1000

    def test_refuses_a_file_with_names_only(self):
        with pytest.raises(FormatError, match="no rows"):
            preview(io.BytesIO(b"text,label\n"))


class TestMapped:
    def _made(self, fields, **mapping):
        return mapped(Record(3, fields), Mapping(**mapping))

    def test_everything_in_its_place(self):
        fields = {"t": "a", "u": "b", "l": " x ", "i": 7.0, "m": 1, "n": None}
        item = self._made(fields, text="t", text_b="u", label="l", id="i", metadata=("m", "n"))
        assert (item.text, item.text_b, item.external_id, item.meta) == ("a", "b", "7", {"m": 1})
        assert item.given[0].labels == ("x",)

    @pytest.mark.parametrize(
        ("value", "separator", "labels"),
        [
            ("a|b|a", "|", ("a", "b")),
            ("a|b", "", ("a|b",)),
            (["a", 2, True], "", ("a", "2", "true")),
            (3, "", ("3",)),
            (3.0, "", ("3",)),
            (False, "", ("false",)),
        ],
    )
    def test_labels_of_every_type(self, value, separator, labels):
        item = self._made({"t": "a", "l": value}, text="t", label="l", separator=separator)
        assert item.given[0].labels == labels

    @pytest.mark.parametrize("value", [None, "", "  ", [], "|"])
    def test_no_label(self, value):
        assert self._made({"t": "a", "l": value}, text="t", label="l", separator="|").given == ()

    @pytest.mark.parametrize(
        ("fields", "columns"),
        [
            ({"t": "", "l": "x"}, ["t"]),
            ({"t": " \n", "l": "x"}, ["t"]),
            ({"l": "x"}, ["t"]),
            ({"t": ["a"], "l": "x"}, ["t"]),
            ({"t": "a", "l": "x" * 201}, ["l"]),
            ({"t": "a", "l": [[0, 1]]}, ["l"]),
            ({"t": "", "l": [{}]}, ["t", "l"]),
        ],
    )
    def test_names_every_column_in_the_way(self, fields, columns):
        with pytest.raises(RowError) as refusal:
            self._made(fields, text="t", label="l")
        assert [column for column, _ in refusal.value.faults] == columns

    def test_survives_storage(self):
        mapping = Mapping(text="t", metadata=("a", "b"), separator="|")
        assert Mapping.from_json(json.loads(json.dumps(mapping.to_json()))) == mapping


def test_a_first_member_that_claims_to_lie_at_the_very_end_is_a_damaged_zip():
    def made(comment, offset=None):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("mimetype", "x" * 200)
            archive.writestr("content.xml", "<a/>")
            archive.comment = comment
            if offset is not None:
                archive.filelist[0].header_offset = offset
        return out.getvalue()

    header = made(b"")[:38]  # as it stands before the member, and again in the comment
    data = made(header, len(made(header)) - len(header))
    with pytest.raises(FormatError, match="damaged or cut short"):
        format_of(io.BytesIO(data), "table.ods")
