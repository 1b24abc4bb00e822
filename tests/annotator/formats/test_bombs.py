"""Files made to fill memory: refused, or read within 300 MB. Each is read by a process of its own."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image

READER = Path(__file__).with_name("bomb_reader.py")
ROOT = Path(__file__).parents[3]
MOST_MEGABYTES = 300


def outcome_of(path):
    done = subprocess.run(
        [sys.executable, str(READER), str(path)],
        capture_output=True, text=True, check=True, timeout=60, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    outcome = json.loads(done.stdout)
    assert outcome["megabytes"] < MOST_MEGABYTES
    return outcome


def test_a_line_of_a_hundred_megabytes(tmp_path):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "ok"}\n{"text": "')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n{"text": "fine"}\n')
    outcome = outcome_of(path)
    assert outcome["records"] == 2
    assert outcome["problems"][0][0] == 2


def test_a_quotation_mark_open_for_ten_megabytes(tmp_path):
    path = tmp_path / "open.csv"
    with path.open("wb") as file:
        file.write(b'text,label\n"never closed,a\n')
        for _ in range(10):
            file.write(b"just a line,of text\n" * 50_000)
    outcome = outcome_of(path)
    assert outcome["problems"][0][0] == 2


def test_a_million_columns(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_bytes(b"," * 999_999 + b"\n" + b"," * 999_999 + b"\n")
    assert "columns" in outcome_of(path)["refused"]


def test_half_a_million_columns_below_good_names(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_bytes(b"text,label\n" + b"a," * 500_000 + b"\nok,a\n")
    outcome = outcome_of(path)
    assert (outcome["records"], outcome["problems"][0][0]) == (1, 2)


@pytest.mark.parametrize("name", ["deep.jsonl", "deep.json"])
def test_nesting_of_a_hundred_thousand(tmp_path, name):
    path = tmp_path / name
    deep = b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    path.write_bytes(b"[" + deep + b"]" if name.endswith(".json") else deep)
    outcome = outcome_of(path)
    assert outcome["records"] == 0
    assert "nested" in outcome["problems"][0][1]


def test_a_gigabyte_of_zeros_in_gzip(tmp_path):
    path = tmp_path / "zeros.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"text,label\n")
        for _ in range(1000):
            file.write(b"0" * 1_000_000)
    assert "bomb" in outcome_of(path)["refused"]


def test_a_gigabyte_of_rows_in_gzip(tmp_path):
    path = tmp_path / "rows.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(b"text,label\n")
        for _ in range(1000):
            file.write(b"0000000,1\n" * 100_000)
    assert "bomb" in outcome_of(path)["refused"]


def test_a_zip_of_zeros(tmp_path):
    path = tmp_path / "zeros.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(f"{number}.png", b"\0" * 50_000_000)
    assert "bomb" in outcome_of(path)["refused"]


def test_members_that_overlap(tmp_path):
    """The quine-free bomb: a thousand entries of the directory name the same bytes."""
    member = io.BytesIO()
    with zipfile.ZipFile(member, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(range(256)) * 1000)
    data = member.getvalue()
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    count = 1000
    tail = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, (end - start) * count, start, 0)
    path = tmp_path / "overlap.zip"
    path.write_bytes(data[:start] + data[start:end] * count + tail)
    assert "bomb" in outcome_of(path)["refused"]


def test_an_image_of_four_hundred_megapixels(tmp_path):
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    path = tmp_path / "pixels.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("large.png", out.getvalue())
    outcome = outcome_of(path)
    assert outcome["records"] == 0
    assert "pixels" in outcome["problems"][0][1]


@pytest.mark.parametrize("characters", [2_000_000, 200_000])
def test_a_dictionary_of_parquet(tmp_path, characters):
    """One long text that a million rows name: 100 kB that unpack to 200 GB or 2 TB."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    places = pa.array([0] * 1_000_000, pa.int32())
    text = pa.DictionaryArray.from_arrays(places, pa.array(["x" * characters]))
    path = tmp_path / "dictionary.parquet"
    pq.write_table(pa.table({"text": text}), path)
    assert outcome_of(path)["refused"]


def test_a_footer_of_parquet_that_lies(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "lies.parquet"
    pq.write_table(pa.table({"text": ["abc"] * 1000}), path)
    data = bytearray(path.read_bytes())
    length = struct.unpack("<I", data[-8:-4])[0]
    data[-8 - length : -8] = b"\xff" * length
    path.write_bytes(data)
    assert "damaged" in outcome_of(path)["refused"]
