"""What is written is what is read, for any Unicode and any dialect."""

import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from annotator.formats import FORMATS, Field
from annotator.formats.dialect import dialect_of
from annotator.formats.text import text_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
NASTY = st.text(
    st.sampled_from("a,;|\t\"'\\\r\n\x0b\x0c\x1c\x85\u2028\ufeff =+é🚀\u0301\u202e"), max_size=20
)
CELLS = TEXTS | NASTY
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | CELLS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CELLS, inner, max_size=3),
    max_leaves=6,
)
TABLES = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), max_size=8)
)


def round_trip(format, records, fields, writing, reading):
    out = io.BytesIO()
    FORMATS.create(format, writing).write(records, fields, out)
    again = io.BytesIO()
    FORMATS.create(format, writing).write(records, fields, again)
    assert out.getvalue() == again.getvalue()
    out.seek(0)
    return list(FORMATS.create(format, reading).read(out))


@given(
    table=TABLES,
    delimiter=st.sampled_from([",", ";", "\t", "|", "\x1f"]),
    quote=st.sampled_from(['"', "'", "`"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_csv_of_any_dialect(table, delimiter, quote, encoding):
    width = len(table[0]) if table else 1
    names = [f"column-{place}" for place in range(width)]
    records = [dict(zip(names, row, strict=True)) for row in table]
    options = {"delimiter": delimiter, "quote": quote, "encoding": encoding, "formula_safe": False}
    rows = round_trip("csv", records, [Field(name) for name in names], options, options)
    assert [row.fields for row in rows] == records


@given(table=TABLES.filter(lambda table: table and len(table[0]) > 1))
def test_csv_as_found_out(table):
    names = [f"column-{place}" for place in range(len(table[0]))]
    records = [dict(zip(names, row, strict=True)) for row in table]
    fields = [Field(name) for name in names]
    rows = round_trip("csv", records, fields, {"formula_safe": False}, {})
    assert [row.fields for row in rows] == records


FORMULAS = st.text(st.sampled_from("'=+-@\t\r1a"), max_size=5)
TELLING = st.fixed_dictionaries(
    {"text": FORMULAS | CELLS, "label": FORMULAS, "content_hash": st.just("7f"), "state": CELLS}
)


@given(records=st.lists(TELLING, min_size=1, max_size=6), safe=st.booleans())
@example(records=[{"text": "'=1", "label": "-1", "content_hash": "7f", "state": "''@"}], safe=True)
@example(records=[{"text": "'=1", "label": "-1", "content_hash": "7f", "state": "''@"}], safe=False)
def test_an_export_of_ours_comes_back_as_it_was_with_and_without_apostrophes(records, safe):
    rows = [{**record, "voices": "-3"} for record in records]
    fields = [Field(name) for name in rows[0]]
    found = round_trip("csv", rows, fields, {"formula_safe": safe}, {})
    assert [row.fields for row in found] == rows


@given(records=st.lists(st.fixed_dictionaries({"a": VALUES, "ü": VALUES}), max_size=6))
def test_jsonl(records):
    rows = round_trip("jsonl", records, [Field("a", "json"), Field("ü", "json")], {}, {})
    assert [row.fields for row in rows] == records


@given(
    values=st.lists(st.dictionaries(CELLS, VALUES, max_size=4), max_size=6), indent=st.booleans()
)
def test_json_list(values, indent):
    import json

    text = json.dumps(values, ensure_ascii=indent, indent=2 if indent else None)
    rows = list(FORMATS["json"]().read(io.BytesIO(text.encode())))
    assert [row.fields for row in rows] == values


@given(
    records=st.lists(
        st.fixed_dictionaries(
            {
                "text": st.none() | CELLS,
                "n": st.none() | st.integers(-(2**63), 2**63 - 1),
                "x": st.none() | st.floats(allow_nan=False, allow_infinity=False),
                "flag": st.none() | st.booleans(),
                "texts": st.none() | st.lists(CELLS, max_size=3),
            }
        ),
        max_size=5,
    )
)
@settings(max_examples=5, deadline=None)  # a child process reads each
def test_parquet(records):
    kinds = {"text": "text", "n": "integer", "x": "number", "flag": "flag", "texts": "texts"}
    fields = [Field(name, kind) for name, kind in kinds.items()]
    rows = round_trip("parquet", records, fields, {}, {})
    assert [row.fields for row in rows] == records


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(data):
    from annotator.formats import FormatError
    from annotator.formats.preview import preview

    refusal = ""
    try:
        found = preview(io.BytesIO(data), "file.csv")
    except FormatError as error:
        refusal = str(error)
    assert refusal.endswith((".", "?")) if refusal else found.format in FORMATS


@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_text_keeps_every_character(text, encoding):
    with text_of(io.BytesIO(text.encode(encoding)), encoding) as opened:
        assert opened.read() == text


@given(head=NASTY)
def test_any_head_has_a_dialect(head):
    assert dialect_of(head).delimiter
