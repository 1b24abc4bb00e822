"""CSV and TSV as people really send them."""

import io

import pytest

from annotator.formats import FORMATS, Field, FormatError
from annotator.formats.text import ENCODINGS
from learning.errors import ParameterError
from tests.annotator.formats.helpers import bad_rows, fields, problems, read


class TestReads:
    def test_mixed_line_ends_and_quoted_newlines(self):
        data = b'text,label\r\n"two\nlines",a\nplain,b\rlast,"c"'
        assert fields(read("csv", data)) == [
            {"text": "two\nlines", "label": "a"},
            {"text": "plain", "label": "b"},
            {"text": "last", "label": "c"},
        ]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_finds_the_delimiter(self, delimiter):
        lines = ["text,label", "a red car,x", "a blue car; yes | no,y"]
        data = "\n".join(line.replace(",", delimiter, 1) for line in lines).encode()
        if delimiter in ";|":
            data = data.replace(b"a blue car; yes | no", b'"a blue car; yes | no"')
        assert [row["label"] for row in fields(read("csv", data))] == ["x", "y"]

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
    def test_finds_the_encoding(self, encoding):
        data = "text,label\nGrüße aus Köln 🚀,städte\n".encode(encoding)
        assert fields(read("csv", data)) == [{"text": "Grüße aus Köln 🚀", "label": "städte"}]

    def test_takes_a_stated_encoding(self):
        data = "text,label\nGrüße,ä\n".encode("windows-1252")
        assert fields(read("csv", data, encoding="windows-1252")) == [
            {"text": "Grüße", "label": "ä"}
        ]

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_every_encoding_that_is_offered(self, encoding):
        data = b"text,label\nplain,a\n".decode().encode(encoding)
        assert fields(read("csv", data, encoding=encoding)) == [{"text": "plain", "label": "a"}]

    def test_lines_without_a_delimiter_are_one_cell(self):
        rows = fields(read("csv", b"remarks\nwith, a comma\nwithout\nwith, two, more\n"))
        assert [row["remarks"] for row in rows] == ["with, a comma", "without", "with, two, more"]

    def test_a_table_of_tabs_may_use_quotation_marks_as_text(self):
        data = b'text\tlabel\n"Hello" he said\tx\n"open\ty\nplain\tz\n' * 3
        assert fields(read("tsv", data))[:2] == [
            {"text": '"Hello" he said', "label": "x"},
            {"text": '"open', "label": "y"},
        ]

    def test_single_quotation_marks(self):
        data = b"text,label\n'one, two',a\n'three, four',b\n'it''s',c\n"
        assert [row["text"] for row in fields(read("csv", data))] == [
            "one, two", "three, four", "it's",
        ]  # fmt: skip

    def test_backslashes_before_quotation_marks(self):
        data = b'text,label\n"he said \\"no, no\\"",a\n"she said \\"yes, yes\\"",b\n'
        assert fields(read("csv", data))[0]["text"] == 'he said "no, no"'

    def test_without_a_line_of_names(self):
        rows = fields(read("csv", b"a,1\nb,2\n", header=False))
        assert rows == [
            {"column 1": "a", "column 2": "1"},
            {"column 1": "b", "column 2": "2"},
        ]

    def test_gzip(self):
        import gzip

        assert fields(read("csv", gzip.compress(b"text,label\na,b\n"))) == [
            {"text": "a", "label": "b"}
        ]

    def test_row_numbers_are_a_spreadsheets(self):
        rows = read("csv", b"text,label\n\none,a\n")
        assert rows[0].row == 3

    def test_leaves_the_stream_open(self):
        stream = io.BytesIO(b"text,label\na,b\n")
        list(FORMATS["csv"]().read(stream))
        assert not stream.closed


class TestNamesBadRows:
    def test_and_reads_on(self):
        data = b'text,label\nok,a\nonly one\n"x"y,b\n\xffbad,c\nnul\0,d\nfine,e\none,two,three\n'
        rows = read("csv", data, delimiter=",", quote='"')
        assert bad_rows(rows) == [(3, "label"), (4, ""), (5, "text"), (6, "text"), (8, "")]
        assert [row["text"] for row in fields(rows)] == ["ok", "fine"]
        told = [problem.message for problem in problems(rows)]
        assert "0xFF" in told[2]
        assert "NUL" in told[3]

    def test_names_every_bad_column_of_a_row(self):
        rows = read("csv", b"text,label\n\xff,\xfe\n")
        assert bad_rows(rows) == [(2, "text"), (2, "label")]

    def test_a_quotation_mark_that_is_never_closed(self):
        rows = read("csv", b'text,label\na,b\n"open,c\nd,e\n', delimiter=",", quote='"')
        assert bad_rows(rows) == [(3, "")]
        assert "never closed" in problems(rows)[0].message

    def test_a_row_of_ten_megabytes(self):
        data = b"text,label\nok,a\n" + b"x" * 10_000_000 + b",b\nfine,c\n"
        rows = read("csv", data)
        assert bad_rows(rows) == [(3, "")]
        assert [row["text"] for row in fields(rows)] == ["ok", "fine"]

    def test_a_field_that_is_too_long(self):
        rows = read("csv", b"text,label\n" + b"x" * 300_000 + b",b\nfine,c\n")
        assert bad_rows(rows) == [(2, "text")]

    def test_a_column_name_that_comes_twice(self):
        rows = read("csv", b"text,text\na,b\n")
        assert bad_rows(rows) == [(1, "text")]
        assert fields(rows) == [{"text": "a", "column 2": "b"}]

    def test_half_a_character_at_the_end(self):
        rows = read("csv", "text,label\na,b\n".encode("utf-16") + b"\x41")
        assert bad_rows(rows) == [(3, "label")]
        assert fields(rows) == [{"text": "a", "label": "b"}]

    def test_half_of_a_surrogate_pair(self):
        data = "text,label\na,b\n\ud800,c\n".encode("utf-16-le", "surrogatepass")
        rows = read("csv", b"\xff\xfe" + data)
        assert bad_rows(rows) == [(3, "text")]
        assert "surrogate" in problems(rows)[0].message


class TestRefuses:
    def test_a_million_columns(self):
        with pytest.raises(FormatError, match="1,000,000 columns"):
            read("csv", b"," * 999_999 + b"\n")

    @pytest.mark.parametrize(
        "encoding", ["klingon", "zlib", "base64", "rot13", "idna", "unicode_escape", "utf-7", "\0"]
    )
    def test_an_encoding_that_is_none_or_no_mere_encoding(self, encoding):
        with pytest.raises(FormatError, match="encoding"):
            read("csv", b"a,b\n1,2\n", encoding=encoding)

    @pytest.mark.parametrize(
        "options",
        [
            {"delimiter": "ab"},
            {"delimiter": "\n"},
            {"quote": "''"},
            {"quote": "\r"},
            {"delimiter": "|", "quote": "|"},
            {"limits": {"columns": 10**9}},
        ],
    )
    def test_marks_that_tell_no_cells_apart(self, options):
        with pytest.raises(ParameterError):
            read("csv", b"a,b\n1,2\n", **options)

    def test_a_text_where_names_should_be(self):
        with pytest.raises(FormatError, match="line of names"):
            read("csv", b"x" * 600 + b"\nsecond\n")


class TestWrites:
    def _written(self, records, **options):
        out = io.BytesIO()
        FORMATS.create("csv", options).write(
            records, [Field("text"), Field("n", "number"), Field("all", "texts")], out
        )
        return out.getvalue()

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_no_text_that_a_spreadsheet_would_run(self, start):
        data = self._written([{"text": f"{start}cmd()", "n": 1, "all": []}])
        [row] = fields(read("csv", data))
        assert row["text"] == f"'{start}cmd()"

    def test_apostrophes_of_others_are_theirs(self):
        assert fields(read("csv", b"text,n\n'=1,2\n")) == [{"text": "'=1", "n": "2"}]

    def test_the_text_itself_when_asked(self):
        data = self._written([{"text": "=1+1", "n": 1, "all": []}], formula_safe=False)
        assert fields(read("csv", data))[0]["text"] == "=1+1"

    def test_numbers_and_lists_as_json(self):
        data = self._written([{"text": "a", "n": -0.5, "all": ["x", "y"]}])
        assert data == b'text,n,all\r\na,-0.5,"[""x"",""y""]"\r\n'

    def test_nothing_for_none(self):
        assert self._written([{"text": None, "n": None, "all": None}]).endswith(b"\r\n,,\r\n")
