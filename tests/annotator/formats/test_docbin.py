"""spaCy's binary file, byte by byte: what spaCy 3.8 wrote is read, and what is damaged is refused."""

import base64
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.formats import FormatError, Limits
from annotator.formats.docbin import BEGINS, ENT_IOB, ENT_TYPE, ORTH, number_of
from annotator.formats.msgpack import packed, unpacked
from annotator.formats.sniffing import format_of
from tests.annotator.formats.helpers import read

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])) | st.binary(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=3), inner, max_size=20),
    max_leaves=30,
)  # fmt: skip
WRITTEN_BY_SPACY = """
eJzrXF6WWlScmZ+32EDPcGliSUlR8WRHX79lJfnZqXnFRxkb/phYeHGVzt7CzAABNYwQ+o6TRXKA7bNjTAyoIGq/YeYv9yVp
6OLJm25P1t23RhNdfOOeKdP6PytlwMxfJCoaUaHY9HoLh8/1V7WzcxnRxBcdWuPz5mb9elzmoAkzwMxBF5/W8eiT35z+V+ji
hfFXF0Vv3n4ZXXxuRW4Rz87GNnRxqy9WDY7BCUvRxWHuRBfnEzXWLfjeU4Au3s6ILgIBy4oLEpNTi48IMIIAAwMjGDIwMi7P
Sc1LL8koPiLCDlTGBMXMUHp5cUlRZl568R0G8QUL9RY7piQucXEMcV3uXnR42+H5qUt98/NSKxf7pZYv8stfFuAaFOzvtzQg
B2jTksj8ouzFiUD1SYnJ2UuSE4tTl6QklqQuT4foXJSZtzg3tWRpLtiAPKABeflLyvOLUpZUAjUC1ZcUT21oaFoWlJpWmpdy
2v4DxBtL/UsyUotOw3zV0LA0LScxvXhq46aMxOL40rzsvPzyvHiIXw/RQPDwaiCdF59elF9aUDz1COOEI0WNR7Kbl+Ql5qYu
Kk6GpPyGpSBFxZOOaKDHwusmxYoIUdFFUC4s8XFgqoQAxhoQAVXJAlI5EWgLyFowAgBy1fbo
"""


def test_what_spacy_wrote_is_read():
    data = base64.b64decode(WRITTEN_BY_SPACY)
    assert format_of(io.BytesIO(data), "train.spacy") == "docbin"
    entities, groups, cats, nothing, unknown = read("docbin", data)
    assert entities.fields == {"text": "Ada met Größe in New York."}
    assert entities.given[0].spans == ((0, 3, "PERSON"), (17, 25, "Place"))
    assert groups.given[0].spans == ((0, 8, "Place"), (4, 8, "PERSON"))
    assert cats.given[0].labels == ("Refund",)
    assert nothing.given == ()
    assert unknown.fields == {"text": "case DATE"}


@pytest.mark.parametrize("cut", [20, 200, -1])
def test_a_damaged_file_is_refused(cut):
    with pytest.raises(FormatError, match="damaged"):
        read("docbin", base64.b64decode(WRITTEN_BY_SPACY)[:cut])


def test_texts_have_the_numbers_that_spacy_gives_them():
    assert number_of("coffee") == 3197928453018144401
    assert number_of("Größe & Passform") == 4504003128899659681
    assert (number_of(""), number_of("PERSON")) == (0, 380)


@given(value=VALUES)
def test_what_is_packed_is_unpacked(value):
    assert unpacked(packed(value)) == value


@given(data=st.binary(max_size=60))
def test_any_bytes_are_unpacked_or_refused(data):
    refused = False
    try:
        unpacked(data)
    except ValueError:
        refused = True
    assert refused in (True, False)


def test_lists_in_lists_and_counts_that_lie_are_refused():
    for data in (b"\x91" * 100, struct.pack(">BI", 0xDD, 1 << 31), b"\xc1", b"\x81\x90\xc0"):
        with pytest.raises(ValueError, match=r"\w"):
            unpacked(data)


def docbin(*words, label="Place", groups=b"", **more):
    """A file of one document, whose first word is an entity."""
    places = [BEGINS] + [2] * (len(words) - 1)
    tokens = [
        (number_of(word), place, number_of(label if place == BEGINS else ""))
        for word, place in zip(words, places, strict=True)
    ]
    told = {
        "version": "0.1",
        "attrs": [ORTH, ENT_IOB, ENT_TYPE],
        "tokens": b"".join(struct.pack("<QQQ", *one) for one in tokens),
        "spaces": b"\1" * len(words),
        "lengths": struct.pack("<i", len(words)),
        "strings": sorted({*words, label}),
        "cats": [{}],
        "span_groups": [groups],
    }
    return zlib.compress(packed(told | more))


def test_a_word_named_again_and_again_is_a_bad_row_and_no_text_of_gigabytes():
    (problem,) = read("docbin", docbin(*["x" * 200_000] * 3_000))
    assert (problem.row, problem.column) == (1, "text")
    assert "600,000,000 characters" in problem.message


def test_a_small_file_of_endless_lists_is_refused(monkeypatch):
    monkeypatch.setattr("annotator.formats.msgpack.MOST_LISTS", 10_000)
    data = docbin("Rome", strings=[[]] * (2 << 20))
    with pytest.raises(FormatError, match="200 times its size"):
        read("docbin", data)
    with pytest.raises(FormatError, match="holds too much"):
        read("docbin", data, limits=Limits(inflation=10_000))


def test_texts_that_come_again_are_kept_once():
    one, other = unpacked(packed([{"Refund": 1.0}, {"Refund": 0.0}]))
    assert next(iter(one)) is next(iter(other))


def test_an_empty_group_of_spans_gives_way_to_the_entities():
    empty = packed({packed({"name": "ruler", "attrs": {}, "spans": []}): ["ruler"]})
    (record,) = read("docbin", docbin("Rome", "fell", groups=empty))
    assert record.given[0].spans == ((0, 4, "Place"),)
