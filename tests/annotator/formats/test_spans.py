"""Marked places as other tools write them: read, written, and the same after both."""

import gzip
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator.formats import FORMATS, WRITERS, Field, Record
from annotator.formats.preview import preview
from annotator.formats.records import Limits
from annotator.formats.sniffing import format_of
from annotator.formats.spans import units
from tests.annotator.formats.helpers import bad_rows, problems, read

TEXT = "👩‍💻 Ada met Bob in Rome."
ADA, ROME = (4, 7, "Person"), (19, 23, "Place")
FIELDS = [Field("id"), Field("text"), Field("labels", "texts"), Field("spans", "json")]
TOOLS = ("label-studio", "doccano", "prodigy", "argilla", "spacy", "docbin")


def line(**content):
    return json.dumps({"text": TEXT, **content}).encode() + b"\n"


def spans_of(rows):
    return [row.given[0].spans if row.given else None for row in rows if isinstance(row, Record)]


def written(format, rows):
    out = io.BytesIO()
    WRITERS.create(format).write(rows, FIELDS, out)
    out.seek(0)
    return out


def row(text, spans):
    named = None
    if spans is not None:
        named = [dict(zip(("start", "end", "label"), one, strict=True)) for one in spans]
    labels = None if spans is None else sorted({label for _, _, label in spans})
    return {"id": "a", "text": text, "labels": labels, "spans": named, "meta": {}}


class TestReading:
    @pytest.mark.parametrize(
        ("format", "content"),
        [
            ("doccano", {"label": [ADA, ROME]}),
            (
                "doccano",
                {"entities": [{"id": 1, "start_offset": 4, "end_offset": 7, "label": "Person"},
                              {"id": 2, "start_offset": 19, "end_offset": 23, "label": "Place"}],
                 "relations": []},
            ),
            ("spacy", {"entities": [ADA, ROME]}),
            (
                "prodigy",
                {"spans": [{"start": 4, "end": 7, "label": "Person", "token_start": 1},
                           {"start": 19, "end": 23, "label": "Place"}],
                 "tokens": [], "answer": "accept", "_input_hash": 7},
            ),
        ],
    )  # fmt: skip
    def test_each_tools_lines_are_known_by_their_keys_and_read(self, format, content):
        data = line(**content)
        assert format_of(io.BytesIO(data)) == format
        assert spans_of(read(format, data)) == [(ADA, ROME)]

    def test_label_studio_counts_utf_16_units_and_the_words_tell(self):
        def task(start, end, quote):
            value = {"start": start, "end": end, "text": quote, "labels": ["Person"]}
            part = {"from_name": "ner", "to_name": "text", "type": "labels", "value": value}
            return {"data": {"text": TEXT}, "annotations": [{"result": [part]}]}

        in_units = task(units(TEXT, 4), units(TEXT, 7), "Ada")
        rows = read(
            "label-studio", json.dumps([in_units, task(4, 7, "Ada"), task(0, 2, "Eve")]).encode()
        )
        assert spans_of(rows) == [(ADA,), (ADA,)]
        assert bad_rows(rows) == [(3, "ner")]
        assert "does not read “Eve”" in problems(rows)[0].message

    def test_prodigy_rejections_are_no_answers_and_bare_tasks_are_predictions(self):
        spans = [{"start": 4, "end": 7, "label": "Person"}]
        data = (
            line(spans=spans, answer="reject") + line(spans=spans) + line(spans=[], answer="accept")
        )
        rejected, bare, empty = read("prodigy", data)
        assert rejected.given == ()
        assert (bare.given[0].kind, bare.given[0].spans) == ("prediction", (ADA,))
        assert empty.given[0].spans == ()

    @pytest.mark.parametrize(
        "tags", ["B-Person I-Person O B-Place", "I-Person I-Person O I-Place",
                 "B-Person E-Person O S-Place"],
    )  # fmt: skip
    def test_conll_in_every_way_of_tagging(self, tags):
        tokens = zip(("Ada", "Lovelace", "saw", "Rome"), tags.split(), strict=True)
        lines = "".join(f"{token} NNP O {tag}\n" for token, tag in tokens)
        data = f"-DOCSTART- -X- O O\n\n{lines}\nNothing . O O\n".encode()
        assert format_of(io.BytesIO(data), "train.txt") == "conll"
        rows = read("conll", data)
        assert [one.fields["text"] for one in rows] == ["Ada Lovelace saw Rome", "Nothing"]
        assert spans_of(rows) == [((0, 12, "Person"), (17, 21, "Place")), ()]

    def test_tokens_with_tags_become_a_text_with_spans(self):
        data = json.dumps({"id": "w", "tokens": ["Ada", "👍", "in", "Old", "Rome"],
                           "ner_tags": ["B-Person", "O", "O", "B-Place", "I-Place"]}).encode()  # fmt: skip
        assert format_of(io.BytesIO(data)) == "tokens"
        (row,) = read("tokens", data)
        assert row.fields == {"text": "Ada 👍 in Old Rome", "id": "w"}
        assert spans_of([row]) == [((0, 3, "Person"), (9, 17, "Place"))]
        bad = {"tokens": ["a", "b"], "ner_tags": [0, 3]}
        assert bad_rows(read("tokens", json.dumps(bad).encode())) == [(1, "ner_tags")]

    @pytest.mark.dataset
    @pytest.mark.parametrize("name", ["wnut17/dev", "deft/dev", "ncbi_disease_gpt/dev"])
    def test_data_sets_of_tokens_mark_what_they_say_they_do(self, name, datasets):
        path = datasets / f"{name}.jsonl.gz"
        with path.open("rb") as stream:
            assert format_of(stream, path.name) == "tokens"
            rows = list(FORMATS.create("tokens").read(stream))
        with gzip.open(path, "rt") as lines:
            for row, line in zip(rows, map(json.loads, lines), strict=True):
                words = [" ".join(line["tokens"][s["start"] : s["end"]]) for s in line["spans"]]
                text = row.fields["text"]
                assert [text[start:end] for start, end, _ in row.given[0].spans] == words

    def test_conll_names_the_line_that_has_no_tag(self):
        rows = read("conll", b"Ada X O B-P\nmet X\n\nBob X O B-P\n")
        assert bad_rows(rows) == [(1, "tag")]
        assert "Line 2" in problems(rows)[0].message

    def test_conll_tells_a_line_that_is_too_long_and_does_not_cut_its_sentence(self):
        data = b"Ada X O B-P\n" + b"x" * 60 + b" X O I-P\nmet X O O\n\nBob X O B-P\n"
        reader = FORMATS.create("conll", {"limits": Limits(row_characters=50)})
        bad, good = reader.read(io.BytesIO(data))
        assert (bad.row, bad.message) == (1, "Line 2 is too long.")
        assert (good.row, good.fields["text"]) == (5, "Bob")

    def test_a_column_of_spans_is_found_in_any_format(self):
        content = json.dumps({"body": TEXT, "spans": [{"start": 4, "end": 7, "label": "Person"}]})
        found = preview(io.BytesIO(content.encode()), "own.jsonl")
        assert (found.format, found.mapping.label) == ("jsonl", "spans")
        assert found.labels == [("Person", 1)]
        assert [column.examples for column in found.columns] == [(TEXT,), ("Person 4–7",)]

    @pytest.mark.parametrize("bad", [[["a", 3, "P"]], [[0, 3, ""]], [[0, 3, "P"], "Person"]])
    def test_what_is_no_span_is_a_bad_row(self, bad):
        assert bad_rows(read("spacy", line(entities=bad))) == [(1, "entities")]


TEXTS = st.text(st.sampled_from("ab 👍🏽é\u0301ש\n.,"), min_size=1, max_size=30).filter(str.strip)


@st.composite
def marked_texts(draw):
    text = draw(TEXTS)
    places = draw(st.lists(st.tuples(*[st.integers(0, len(text))] * 2), max_size=4))
    labels = st.sampled_from(["Person", "Place"])
    spans = {(min(at), max(at), draw(labels)) for at in places if at[0] != at[1]}
    return text, tuple(sorted(spans))


class TestRoundTrips:
    @pytest.mark.parametrize("format", TOOLS)
    @settings(max_examples=40)
    @given(items=st.lists(marked_texts(), min_size=1, max_size=3))
    def test_what_a_tools_writer_writes_its_reader_reads(self, format, items):
        out = written(format, [row(text, spans) for text, spans in items])
        rows = list(FORMATS.create(format).read(out))
        assert [one.fields["text"] for one in rows] == [text for text, _ in items]
        # doccano's empty list does not tell whether somebody looked.
        empty = None if format == "doccano" else ()
        assert spans_of(rows) == [spans or empty for _, spans in items]

    @pytest.mark.parametrize("format", ["conll", "tokens"])
    @settings(max_examples=40)
    @given(
        words=st.lists(st.sampled_from(["Ada", "met", "👍", "שלום"]), min_size=2, max_size=8),
           cut=st.integers(1, 7), label=st.sampled_from(["Person", "Place"]))  # fmt: skip
    def test_tokens_and_spans_that_lie_apart_are_kept(self, format, words, cut, label):
        text = " ".join(words)
        first = len(" ".join(words[: min(cut, len(words) - 1)]))
        spans = ((0, first, label), (first + 1, len(text), "Place"))
        (back,) = read(format, written(format, [row(text, spans)]).getvalue())
        assert (back.fields["text"], back.given[0].spans) == (text, spans)

    def test_conll_writes_the_longer_of_two_that_overlap(self):
        out = written(
            "conll", [row("Ada Lovelace", ((0, 3, "A"), (0, 12, "B"))), row("none", None)]
        )
        assert out.getvalue().decode() == (
            "-DOCSTART- -X- O O\n\nAda -X- _ B-B\nLovelace -X- _ I-B\n\n"
        )

    @pytest.mark.parametrize("format", TOOLS)
    def test_items_without_a_verdict_come_without_an_answer(self, format):
        out = written(format, [row(TEXT, None)])
        assert spans_of(FORMATS.create(format).read(out)) == [None]
