"""What holds for every format that is read or written."""

import dataclasses
import io
import json
from pathlib import Path

import pytest

from annotator.actions.exports.export_options import EXTENSIONS
from annotator.formats import FORMATS, WRITERS, Field, FormatError, Problem, Record
from annotator.web.exports import PURPOSES
from learning.errors import ParameterError
from learning.registry import parameters_of

DOCS = Path(__file__).parents[2] / "docs" / "import-export.md"
TABLE = [
    *(Field("text"), Field("label"), Field("n", "integer"), Field("names", "texts")),
    Field("spans", "json"),
]
MARKED = [{"start": 0, "end": 6, "label": "a", "text": "second"}]
ROWS = [
    {"text": "=first “one”", "label": "a", "n": 1, "names": ["x", "y"], "spans": []},
    {"text": "second\nline", "label": None, "n": None, "names": [], "spans": MARKED},
]
PICTURES = [
    {"image": name, "width": 8, "height": 6, "boxes": [{"label": "a"} | dict.fromkeys("xywh", 0.5)]}
    for name in ("a.png", "b.png")
]
readers = pytest.mark.parametrize("name", list(FORMATS))
writers = pytest.mark.parametrize("name", list(WRITERS))
everyone = pytest.mark.parametrize(
    "plugin", [*map(FORMATS.__getitem__, FORMATS), *map(WRITERS.__getitem__, WRITERS)]
)


@everyone
def test_is_a_frozen_keyword_only_dataclass(plugin):
    assert dataclasses.is_dataclass(plugin)
    assert plugin.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(plugin))


@everyone
def test_has_parameters_that_json_can_hold(plugin):
    made = plugin()
    assert json.loads(json.dumps(parameters_of(made))) == parameters_of(made)


@everyone
def test_says_its_idea_in_a_sentence(plugin):
    assert plugin.__doc__.split("\n")[0].endswith((".", ":")) or "Source:" in plugin.__doc__


@readers
def test_is_in_the_documentation(name):
    assert f"| `{name}` |" in DOCS.read_text(encoding="utf-8")


@readers
def test_refuses_an_unknown_parameter(name):
    with pytest.raises(ParameterError):
        FORMATS.create(name, {"colour": "blue"})


def test_each_export_format_has_an_ending_and_says_what_it_is_for():
    assert set(WRITERS) == set(EXTENSIONS) == set(PURPOSES)


def rows_for(name):
    """Rows that the format has a place for."""
    return ROWS if "text" in getattr(WRITERS[name], "item_kinds", ("text",)) else PICTURES


@readers
@pytest.mark.parametrize("data", [b"", b"\x00\xff\xfe\x00" * 50, b"PK\x05\x06", b"[", b"{", b'"'])
def test_reads_or_refuses_rubbish_and_leaves_the_stream_open(name, data):
    stream = io.BytesIO(data)
    refusal, rows = "A sentence", []
    try:
        rows = list(FORMATS.create(name).read(stream))
    except FormatError as error:
        refusal = str(error)
    assert refusal[0].isupper()
    assert all(isinstance(row, Record | Problem) for row in rows)
    assert not stream.closed


@writers
def test_writes_the_same_bytes_twice_and_leaves_the_stream_open(name):
    outs = [io.BytesIO(), io.BytesIO()]
    counts = [WRITERS.create(name).write(iter(rows_for(name)), TABLE, out) for out in outs]
    assert counts == [2, 2]
    assert outs[0].getvalue() == outs[1].getvalue() != b""


@pytest.mark.parametrize(
    "name", [name for name in WRITERS if getattr(WRITERS[name], "exact", True)]
)
def test_what_it_writes_its_reader_reads(name):
    out = io.BytesIO()
    WRITERS.create(name).write(ROWS, TABLE, out)
    out.seek(0)
    texts = [row.fields["text"].lstrip("'") for row in FORMATS.create(name).read(out)]
    assert texts == [row["text"] for row in ROWS]


@writers
def test_writes_no_rows_too(name):
    out = io.BytesIO()
    assert WRITERS.create(name).write([], TABLE, out) == 0
    out.seek(0)
    assert name not in FORMATS or list(FORMATS.create(name).read(out)) == []
