"""Excel and OpenDocument tables, read by a child with ceilings."""

import datetime as dt
import io
import signal
import subprocess
import zipfile

import pytest
import xlsxwriter

from annotator.formats import FormatError, Limits
from annotator.formats.preview import preview
from annotator.formats.sniffing import format_of
from annotator.formats.spreadsheet import Spreadsheet, beginnings
from tests.annotator.formats.helpers import bad_rows, fields, problems, read

ODS = """<?xml version="1.0" encoding="UTF-8"?><office:document-content office:version="1.3"
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><office:automatic-styles/><office:body><office:spreadsheet><table:table table:name="Tickets"><table:table-row>{names}</table:table-row><table:table-row>{cells}</table:table-row>\
</table:table></office:spreadsheet></office:body></office:document-content>"""


MANIFEST = """<?xml version="1.0" encoding="UTF-8"?><manifest:manifest manifest:version="1.3"
 xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry
 manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>
</manifest:manifest>"""


def book_of(**tables):
    """An .xlsx with these sheets, each a list of rows."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in tables.items():
            sheet = book.add_worksheet(name)
            for place, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    sheet.write(place, column, cell, day if isinstance(cell, dt.date) else None)
    return out.getvalue()


def test_reads_the_rows_below_the_names_and_counts_as_the_sheet_does():
    content = book_of(
        A=[[], ["id", "text", "label"], [1, "One", "x"], [], [3, "Three\nlines", "y"]]
    )
    rows = read("spreadsheet", content)
    assert fields(rows) == [
        {"id": 1, "text": "One", "label": "x"},
        {"id": 3, "text": "Three\nlines", "label": "y"},
    ]
    assert [row.row for row in rows] == [3, 5]


def test_turns_every_kind_of_cell_into_one_that_json_has():
    content = book_of(
        A=[
            ["whole", "part", "yes", "day", "formula", "none", "zero"],
            [4, 2.5, True, dt.date(2026, 1, 2), "=1+1", None, 0],
        ]
    )
    (row,) = fields(read("spreadsheet", content))
    assert row == {
        "whole": 4, "part": 2.5, "yes": True, "day": "2026-01-02", "formula": 0, "none": "", "zero": 0,
    }  # fmt: skip
    assert type(row["whole"]) is int


def test_reads_the_first_sheet_that_holds_something_unless_another_is_named():
    content = book_of(Empty=[], First=[["text"], ["a"]], Other=[["text"], ["b"]])
    assert fields(read("spreadsheet", content)) == [{"text": "a"}]
    assert fields(read("spreadsheet", content, sheet="Other")) == [{"text": "b"}]
    assert list(beginnings(io.BytesIO(content), 5)) == ["First", "Other"]
    with pytest.raises(FormatError, match="no sheet called “None”"):
        read("spreadsheet", content, sheet="None")
    with pytest.raises(FormatError, match="No sheet of the file holds anything"):
        read("spreadsheet", book_of(A=[]))


def test_reads_open_document_tables():
    cell = '<table:table-cell office:value-type="string"><text:p>{}</text:p></table:table-cell>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        names, cells = ("".join(map(cell.format, row)) for row in (["text", "label"], ["é", "x"]))
        archive.writestr("content.xml", ODS.format(names=names, cells=cells))
        archive.writestr("META-INF/manifest.xml", MANIFEST)
    assert format_of(io.BytesIO(out.getvalue()), "t.ods") == "spreadsheet"
    assert fields(read("spreadsheet", out.getvalue())) == [{"text": "é", "label": "x"}]


def test_a_name_that_comes_twice_and_a_cell_too_long_are_told_with_their_row():
    content = book_of(A=[["text", "text"], ["ok", ""], ["x" * 200, ""]])
    rows = read("spreadsheet", content, limits=Limits(field_characters=100))
    assert bad_rows(rows) == [(1, "text"), (3, "text")]
    told = "The column name “text” comes twice; column 2 is read as “column 2”."
    assert problems(rows)[0].message == told


def test_what_stands_in_a_cell_merged_over_rows_stands_in_each_of_them():
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([["text", "topic"], ["a"], ["b"], [], ["c"], ["d", "Login"]]):
            sheet.write_row(row + 1, 2, cells)
        sheet.merge_range(2, 3, 5, 3, "Cost")
    found = [{"text": text, "topic": "Cost"} for text in "abc"] + [{"text": "d", "topic": "Login"}]
    assert fields(read("spreadsheet", out.getvalue())) == found
    begun = beginnings(io.BytesIO(out.getvalue()), 9)["Sheet1"]
    assert fields(Spreadsheet().records(begun.rows)) == found


def test_a_title_above_the_names_of_the_columns_is_told():
    rows = [["text", "topic"], ["a", "x"]]
    titled = preview(io.BytesIO(book_of(A=[["Report of May"], *rows])), "a.xlsx")
    assert "“Report of May”. If that is a title" in titled.notes[0]
    assert preview(io.BytesIO(book_of(A=rows)), "a.xlsx").notes == []
    assert preview(io.BytesIO(b"text\na\nb\n"), "a.csv").notes == []


def test_a_file_whose_rows_are_all_bad_is_told_with_their_faults():
    found = preview(io.BytesIO(b"text,topic\na\n"), "a.csv")
    assert (found.rows, found.notes) == ([], [])
    assert [problem.row for problem in found.problems] == [2]


def test_a_column_without_a_name_takes_nobody_elses():
    content = book_of(A=[["column 2", "", "text"], ["one", "two", "x"]])
    (row,) = fields(read("spreadsheet", content))
    assert row == {"column 2": "one", "column 2*": "two", "text": "x"}
    content = book_of(A=[["text", "", "column 2"], ["x", "one", "two"]])
    (row,) = fields(read("spreadsheet", content))
    assert row == {"text": "x", "column 2*": "one", "column 2": "two"}


def test_is_known_by_its_content_and_looked_at_before_it_is_read():
    content = book_of(A=[["body", "topic"], *[[f"Ticket {n}", "ab"[n % 2]] for n in range(30)]])
    assert format_of(io.BytesIO(content), "tickets.csv") == "spreadsheet"
    found = preview(io.BytesIO(content), "tickets.xlsx")
    assert (found.mapping.text, found.mapping.label) == ("body", "topic")
    assert found.labels == [("a", 15), ("b", 15)]
    assert found.notes == []


def test_too_many_columns_are_refused():
    with pytest.raises(FormatError, match="1,200 columns; at most 1,000"):
        read("spreadsheet", book_of(A=[[f"c{n}" for n in range(1_200)]]))


@pytest.mark.parametrize(
    "content",
    [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4_000, book_of(A=[["text"], ["a"]])[:-300]],
    ids=["an old file that holds no table", "cut short"],
)
def test_a_damaged_file_is_refused_with_a_sentence(content):
    with pytest.raises(FormatError, match=r"damaged or locked with a password: .+\."):
        read("spreadsheet", content)


def test_a_cell_in_the_last_corner_of_the_sheet_ends_the_child_and_not_the_reader():
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "text")
        sheet.write(1_048_575, 900, "far away")
    with pytest.raises(FormatError, match="within the memory and time"):
        read("spreadsheet", out.getvalue())


def test_one_reading_tells_how_every_sheet_begins():
    rows = [["text"], ["a"], [], ["b"], ["c"]]
    content = book_of(Long=rows, Empty=[], Wide=[[f"c{n}" for n in range(1_200)]], Short=rows[:2])
    found = beginnings(io.BytesIO(content), 3)
    assert list(found) == ["Long", "Wide", "Short"]
    assert (found["Long"].rows, found["Long"].whole) == ([["text"], ["a"], [], ["b"]], False)
    assert (found["Short"].rows, found["Short"].whole) == (rows[:2], True)
    assert found["Wide"] is None
    whole = Spreadsheet().read(io.BytesIO(content))
    known = Spreadsheet().records(found["Long"].rows)
    assert list(known) == list(whole)[:2]


def test_sheets_before_one_that_is_too_large_are_known():
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        book.add_worksheet("Fine").write(0, 0, "text")
        sheet = book.add_worksheet("Far")
        sheet.write(0, 0, "text")
        sheet.write(1_048_575, 900, "far away")
    found = beginnings(io.BytesIO(out.getvalue()), 10)
    assert found["Fine"].rows == [["text"]]
    assert found.get("Far") is None


def test_a_sheet_of_very_long_cells_is_cut_and_said_to_go_on():
    content = book_of(A=[["text"], *[["x" * 32_000] for _ in range(400)]])
    found = beginnings(io.BytesIO(content), 2_001)["A"]
    assert (len(found.rows) < 300, found.whole) == (True, False)
    looked = preview(io.BytesIO(content), "a.xlsx", beginning=found)
    assert not looked.complete


def test_of_a_workbook_of_long_sheets_no_more_is_kept_than_of_one() -> None:
    long = [["text"], *[["x" * 32_000] for _ in range(260)]]
    found = beginnings(io.BytesIO(book_of(First=long, Second=long, Third=[["text"], ["a"]])), 2_001)
    assert list(found) == ["First", "Second", "Third"]
    assert found["First"] is not None
    assert (found["Second"], found["Third"]) == (None, None)


def test_the_child_is_gone_when_reading_stops(monkeypatch):
    made = []
    real = subprocess.Popen

    def noted(*arguments, **named):
        made.append(real(*arguments, **named))
        return made[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    from annotator.formats import FORMATS

    content = book_of(A=[["text"], *[[f"row {n}"] for n in range(20_000)]])
    rows = FORMATS.create("spreadsheet").read(io.BytesIO(content))
    next(rows)
    rows.close()
    assert made[0].returncode == -signal.SIGKILL


def test_a_zip_of_images_in_a_folder_called_word_is_no_office_file():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("word/1.png", b"x")
        archive.writestr("ppt/2.png", b"x")
    assert format_of(io.BytesIO(out.getvalue()), "shapes.zip") == "images"


def test_an_opendocument_text_is_refused_as_what_it_is():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", "<a/>")
    with pytest.raises(FormatError, match="holds no table"):
        format_of(io.BytesIO(out.getvalue()), "letter.odt")
