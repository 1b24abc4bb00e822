"""Spans that a model quotes: found exactly in the text, or dropped and counted."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import ShapeError
from learning.spans import Span
from learning.spans.scores import metrics
from learning.spans.words import words_of
from learning.teachers.answers import read_answers
from learning.teachers.asking import ask
from learning.teachers.prompting import answer_format, first_prompt, write_request
from learning.teachers.quoting import LONGEST_BEFORE, Candidate, locate, quoted
from learning.teachers.recorded import Recorded
from learning.teachers.types import Example, LabelText, Means, TeacherItem, TeacherSchema

SCHEMA = TeacherSchema(
    labels=(LabelText(id=11, name="Disease"), LabelText(id=12, name="Drug")),
    multi_label=True,
    quoted=True,
)
TEXT = "Flu is no cold. A cold passes; the flu 🤧 stays, says Dr. Cold."


def found(*candidates: Candidate, text: str = TEXT) -> tuple[list[str], int]:
    located = locate(candidates, text)
    return [text[span.start : span.end] for span, _ in located.spans], located.dropped


def one(quote: str, before: str = "", *, column: int = 0, holds: bool = True) -> Candidate:
    return Candidate(quote=quote, before=before, column=column, holds=holds)


def read(candidates, text=TEXT):
    request = write_request(
        first_prompt(SCHEMA), SCHEMA, [TeacherItem(number=5, text=text)], draw=lambda n: "ab" * n
    )
    content = json.dumps({"answers": [{"item": "ababab", "candidates": candidates}]})
    return read_answers(content, request, SCHEMA, texts={5: text})


class TestLocating:
    @given(st.text(alphabet="ab é🤧\u0301.", min_size=1, max_size=40), st.data())
    def test_finds_whatever_words_of_a_text_are_quoted_where_it_finds_anything(self, text, data):
        words = words_of(text).tolist()
        if not words:
            return
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, len(words) - 1))
        span = Span(words[first][0], words[last][1], 1)
        candidate = quoted(span, text)
        assert len(candidate.before) <= LONGEST_BEFORE
        located = locate([candidate], text)
        assert located.dropped == (not located.spans)
        assert all(text[s.start : s.end] == candidate.quote for s, _ in located.spans)
        if text.count(candidate.quote) == 1:
            assert [s for s, _ in located.spans] == [span]

    def test_tells_repeated_words_apart_by_what_stands_before_them(self):
        located = locate([one("cold", "A")], TEXT)
        assert [span for span, _ in located.spans] == [Span(18, 22, 0)]

    def test_takes_all_places_of_words_that_are_quoted_as_often_as_they_stand_there(self):
        assert found(one("cold"), one("cold")) == (["cold", "cold"], 0)

    def test_guesses_no_place(self):
        assert found(one("cold")) == ([], 1)
        assert found(one("cold", "the")) == ([], 1)

    def test_drops_what_is_not_in_the_text_letter_by_letter(self):
        assert found(one("influenza"), one("FLU"), one(""), one("Flu")) == (["Flu"], 3)

    def test_means_whole_words_where_there_are_some(self):
        assert found(one("cold"), text="scolded by a cold") == (["cold"], 0)
        assert locate([one("cold")], "scolded by a cold").spans[0][0].start == 13

    def test_counts_code_points(self):
        assert locate([one("stays")], TEXT).spans[0][0] == Span(41, 46, 0)

    def test_keeps_rejected_candidates_out_and_drops_what_is_said_both_ways(self):
        assert found(one("Flu", holds=False), one("passes")) == (["passes"], 0)
        assert found(one("Flu"), one("Flu", holds=False)) == ([], 1)


class TestReading:
    def test_gives_spans_with_their_confidence_and_how_likely_each_label_occurs(self):
        said = read(
            [
                {"quote": "Flu", "before": "", "label": "11", "verdict": True, "confidence": 0.9},
                {"quote": "Cold", "before": "", "label": "11", "verdict": True, "confidence": 0.7},
                {"quote": "passes", "before": "", "label": "12", "verdict": False},
            ]
        ).answers["ababab"]
        assert [(TEXT[s.start : s.end], p) for s, p in said.spans or ()] == [
            ("Flu", 0.9),
            ("Cold", 0.7),
        ]
        assert said.distribution is not None
        assert said.distribution.tolist() == pytest.approx([0.9, 0.0])
        assert said.confidence == 0.7

    def test_takes_nothing_found_for_an_answer_and_null_for_none(self):
        assert read([]).answers["ababab"].spans == ()
        assert read(None).answers["ababab"].columns is None

    @pytest.mark.parametrize(
        "candidate",
        [
            {"quote": "Flu", "label": "99", "verdict": True},
            {"quote": "Flu", "label": "11"},
            {"quote": 3, "label": "11", "verdict": True},
            "Flu",
        ],
    )
    def test_refuses_candidates_that_are_not_of_the_form_asked_for(self, candidate):
        assert read([candidate]).answers == {}
        assert read([candidate]).problem


class TestPrompts:
    def test_hold_labels_to_the_list_and_show_solved_spans_inside_their_fence(self):
        example = Example(
            item=TeacherItem(number=1, text="A cold."), labels=(11,), spans=(Span(2, 6, 11),)
        )
        request = write_request(
            first_prompt(SCHEMA), SCHEMA, [TeacherItem(number=5, text=TEXT)], [example]
        )
        assert '"quote": "cold", "label": "11", "verdict": true' in request.user
        form = json.dumps(answer_format(first_prompt(SCHEMA), SCHEMA))
        assert '"enum": ["11", "12"]' in form
        assert "letter by letter" in request.system

    def test_are_of_several_labels(self):
        with pytest.raises(ShapeError):
            TeacherSchema(labels=SCHEMA.labels, quoted=True)


def test_recorded_spans_are_given_back_by_place_or_by_quote_and_others_are_dropped():
    spans = [
        {"start": 0, "end": 3, "label": "Disease"},
        {"start": 60, "end": 99, "label": "Disease"},
        {"quote": "cold", "before": "A", "label": "Disease"},
        {"quote": "pox", "label": "Drug"},
    ]
    items = [TeacherItem(number=1, text=TEXT), TeacherItem(number=2, text=TEXT)]
    records = [{"number": 1, "spans": spans}, {"number": 2, "label": "Disease"}]
    teacher = Recorded().ready(Means(records=records))
    first, second = ask(teacher, items, SCHEMA)
    assert [span for span, _ in first.spans or ()] == [Span(0, 3, 0), Span(18, 22, 0)]
    assert first.dropped == 2
    assert second.abstained


@pytest.mark.dataset
@pytest.mark.parametrize(
    ("run", "exact", "near"),
    [("zero-shot", 0.30, 0.40), ("one-shot", 0.35, 0.42), ("few-shot", 0.33, 0.45)],
)
def test_what_a_real_model_marked_is_found_again_from_its_quotes(datasets, run, exact, near):
    with gzip.open(datasets / "ncbi_disease_gpt" / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    items, records, truth = [], [], []
    for number, row in enumerate(rows):
        said = next((one for one in row["llm"] if one["model"] == f"gpt-3.5 {run}"), None)
        if said is None:
            continue
        text, gold, told = _in_characters(row["tokens"], row["spans"], said["spans"])
        items.append(TeacherItem(number=number, text=text))
        quotes = [quoted(span, text) for span in told]
        records.append(
            {
                "number": number,
                "spans": [{"quote": q.quote, "before": q.before, "label": 11} for q in quotes],
            }
        )
        truth.append(gold)
    answers = list(ask(Recorded().ready(Means(records=records)), items, SCHEMA))
    marked = [[span for span, _ in answer.spans or ()] for answer in answers]
    dropped = sum(answer.dropped for answer in answers)
    found = metrics(truth, marked)
    assert abs(found["span_f1"] - exact) < 0.02
    assert found["near_f1"] > near
    assert dropped < 0.01 * sum(map(len, marked))


def _in_characters(tokens, *marked):
    """The text of tokens, and spans of tokens counted in its characters."""
    starts, at = [], 0
    for token in tokens:
        starts.append(at)
        at += len(token) + 1
    spans = [
        [
            Span(starts[one["start"]], starts[one["end"] - 1] + len(tokens[one["end"] - 1]), 0)
            for one in each
        ]
        for each in marked
    ]
    return " ".join(tokens), *spans
