"""Parquet, read by a child with ceilings."""

import datetime as dt
import decimal
import io
import json
import signal
import subprocess

import pytest

from annotator.formats import FORMATS, Field, FormatError, Limits
from tests.annotator.formats.helpers import bad_rows, fields, problems, read

pa = pytest.importorskip(
    "pyarrow", reason="pyarrow is a requirement; its absence is a broken install"
)
pq = pytest.importorskip("pyarrow.parquet")


def file_of(table, **options):
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def test_reads_every_row_group():
    table = pa.table({"text": [f"row {n}" for n in range(2500)], "n": list(range(2500))})
    rows = read("parquet", file_of(table, row_group_size=700))
    assert fields(rows) == table.to_pylist()
    assert [row.row for row in rows] == list(range(1, 2501))


def test_turns_every_type_into_one_that_json_has():
    table = pa.table(
        {
            "time": [dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)],
            "day": [dt.date(2026, 1, 2)],
            "price": [decimal.Decimal("1.50")],
            "parts": [["a", "b"]],
            "thing": [{"x": 1, "y": None}],
            "missing": pa.array([None], pa.string()),
            "nan": [float("nan")],
            "bytes": [b"text"],
            "large": [2**62],
        }
    )
    assert fields(read("parquet", file_of(table))) == [
        {
            "time": "2026-01-02T03:04:00+00:00",
            "day": "2026-01-02",
            "price": "1.50",
            "parts": ["a", "b"],
            "thing": {"x": 1, "y": None},
            "missing": None,
            "nan": None,
            "bytes": "text",
            "large": 2**62,
        }
    ]


def test_names_bad_rows_and_reads_on():
    table = pa.table(
        {
            "text": pa.array([b"ok", b"\xff\xfe", b"nul\0", b"fine"], pa.binary()),
            "x": [1.0, 2.0, 3.0, float("inf")],
        }
    )
    rows = read("parquet", file_of(table))
    assert bad_rows(rows) == [(2, "text"), (3, "text"), (4, "x")]
    assert [row["text"] for row in fields(rows)] == ["ok"]


def test_a_field_that_is_too_long_costs_one_row():
    rows = read("parquet", file_of(pa.table({"text": ["ok", "x" * 2_000_000, "fine"]})))
    assert bad_rows(rows) == [(2, "text")]


def test_text_columns_that_hold_no_text():
    text = pa.Array.from_buffers(
        pa.string(),
        2,
        [None, pa.array([0, 2, 4], pa.int32()).buffers()[1], pa.py_buffer(b"ok\xff\xfe")],
    )
    rows = read("parquet", file_of(pa.table({"text": text})))
    assert bad_rows(rows) == [(2, "text")]
    assert "UTF-8" in problems(rows)[0].message


@pytest.mark.parametrize("cut", [4, 200, -1, -6, -30])
def test_refuses_a_damaged_file(cut):
    data = file_of(pa.table({"text": ["a", "b"] * 100}))
    with pytest.raises(FormatError, match="damaged"):
        read("parquet", data[:cut])


def test_refuses_too_many_columns():
    table = pa.table({f"c{number}": [1] for number in range(30)})
    with pytest.raises(FormatError, match="30 columns"):
        read("parquet", file_of(table), limits=Limits(columns=20))


def test_refuses_a_footer_of_a_bomb():
    table = pa.table({"text": ["x" * 1000] * 50_000})
    with pytest.raises(FormatError, match="bomb"):
        read("parquet", file_of(table, use_dictionary=False, compression="zstd"))


def test_reads_a_real_file_in_place(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_bytes(file_of(pa.table({"text": ["a"]})))
    with path.open("rb") as stream:
        assert fields(list(FORMATS["parquet"]().read(stream))) == [{"text": "a"}]


def test_leaving_early_ends_the_child(monkeypatch):
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    data = file_of(pa.table({"text": [f"row {n}" for n in range(50_000)]}))
    rows = FORMATS["parquet"]().read(io.BytesIO(data))
    next(rows)
    rows.close()
    assert [child.returncode for child in started] == [-signal.SIGKILL]


def test_writes_the_same_bytes_from_a_stream_of_records():
    fields_ = [
        Field("text"),
        Field("labels", "texts"),
        Field("soft", "json"),
        Field("n", "integer"),
    ]
    records = [
        {"text": "ä", "labels": ["a"], "soft": {"a": 0.5, "b": 0.5}, "n": n} for n in range(25_000)
    ]
    outs = [io.BytesIO(), io.BytesIO()]
    for out in outs:
        assert FORMATS["parquet"]().write(iter(records), fields_, out) == 25_000
    assert outs[0].getvalue() == outs[1].getvalue()
    table = pq.read_table(io.BytesIO(outs[0].getvalue()))
    assert table.num_rows == 25_000
    assert table.to_pylist()[0] == {
        "text": "ä",
        "labels": ["a"],
        "soft": '{"a":0.5,"b":0.5}',
        "n": 0,
    }


def told_to_datasets(table, features):
    about = json.dumps({"info": {"features": features}})
    return file_of(table.replace_schema_metadata({"huggingface": about}))


def test_class_numbers_are_read_by_the_names_that_datasets_keeps():
    tags = {"feature": {"names": ["O", "B-PER", "I-PER"], "_type": "ClassLabel"}, "_type": "List"}
    marked = pa.table(
        {"tokens": [["Ada", "Lovelace", "met"], ["Bob"]], "ner_tags": [[1, 2, 0], [0]]}
    )
    rows = read("parquet", told_to_datasets(marked, {"ner_tags": tags}))
    assert fields(rows) == [{"text": "Ada Lovelace met"}, {"text": "Bob"}]
    assert [row.given[0].spans for row in rows] == [((0, 12, "PER"),), ()]
    labelled = pa.table({"text": ["a", "b", "c"], "label": [1, -1, 7]})
    names = {"label": {"names": ["no", "yes"], "_type": "ClassLabel"}}
    rows = read("parquet", told_to_datasets(labelled, names))
    assert fields(rows) == [{"text": "a", "label": "yes"}, {"text": "b", "label": None}]
    assert problems(rows)[0].message == "The class 7 is none of the 2 that are named."


@pytest.mark.parametrize("features", [None, [], {"n": {"_type": "ClassLabel"}}, {"n": [[[{}]]]}])
def test_what_datasets_keeps_may_be_anything(features):
    assert fields(read("parquet", told_to_datasets(pa.table({"n": [1]}), features))) == [{"n": 1}]
