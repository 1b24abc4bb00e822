"""Spans: reading values, words and tags, and how alike two answers are."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.errors import ShapeError
from learning.spans import Span, spans_of, value_of
from learning.spans.scores import exact_f1, f1_interval, metrics, micro_f1, near_counts, near_f1
from learning.spans.tags import runs_of, spans_of_tags, tags_of
from learning.spans.words import words_of
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.spans import Spans

TEXT = "Ana met Bo in Zu\u0308rich 👩\u200d💻."


def value(*spans: tuple[int, int, int]) -> dict:
    return {"spans": [dict(zip(("start", "end", "label"), one, strict=True)) for one in spans]}


class TestReading:
    def test_sorts_and_keeps_each_span_once_and_lets_them_overlap(self) -> None:
        read = Spans().read(
            value((8, 10, 2), (0, 3, 1), (8, 10, 2), (0, 10, 2)), Content(TEXT), {1, 2}
        )
        assert spans_of(read) == [(0, 3, 1), (0, 10, 2), (8, 10, 2)]
        assert Spans().labels_of(read) == [1, 2]
        assert Spans().read({"spans": []}, Content(""), ()) == {"spans": []}

    def test_counts_code_points(self) -> None:
        assert len(TEXT) == 26
        assert Spans().read(value((22, 25, 1)), Content(TEXT), {1}) == value((22, 25, 1))

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (None, "nothing else"),
            ({"spans": [], "labels": []}, "nothing else"),
            ({"spans": {}}, "list"),
            ({"spans": [[0, 3, 1]]}, "Span 1 must have"),
            (value((0, 3, 1), (0, 99, 1)), "Span 2 goes from 0 to 99; the text has 26"),
            (value((-1, 3, 1)), "Span 1 goes from -1"),
            (value((3, 3, 1)), "Span 1 is empty"),
            (value((0, 3, 9)), "label 9"),
            (value((0, True, 1)), "end must be a whole number"),
            (value((0, 3.0, 1)), "end must be a whole number"),
            (value((0, 3, "1")), "label must be a whole number"),
        ],
    )
    def test_refuses_with_the_span_and_its_fault(self, given: object, words: str) -> None:
        with pytest.raises(ShapeError, match=words):
            Spans().read(given, Content(TEXT), {1})


class TestWords:
    def test_keeps_marks_and_joined_signs_together(self) -> None:
        words = [TEXT[start:end] for start, end in words_of(TEXT)]
        assert words == ["Ana", "met", "Bo", "in", "Zu\u0308rich", "👩\u200d💻", "."]

    def test_steps_through_scripts_without_spaces(self) -> None:
        assert [("日本語 ok"[a:b]) for a, b in words_of("日本語 ok")] == ["日", "本", "語", "ok"]

    @given(st.text(max_size=40))
    def test_words_lie_in_order_and_leave_only_white_space(self, text: str) -> None:
        words = words_of(text)
        assert "".join(text[a:b] for a, b in words) == "".join(text.split())
        assert all(a < b for a, b in words)
        assert (words[1:, 0] >= words[:-1, 1]).all()


@st.composite
def apart(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """A text, and spans on edges of its words that share none."""
    text = draw(st.text("ab .,é日👍\u0301\n", max_size=30))
    words = words_of(text)
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=8)))
    return text, [
        Span(int(words[first, 0]), int(words[last - 1, 1]), draw(st.integers(0, 3)))
        for first, last in pairwise(cuts)
        if draw(st.booleans())
    ]


class TestTags:
    @given(apart())
    def test_decoding_what_was_encoded_gives_the_same_spans(self, case: tuple) -> None:
        text, spans = case
        words = words_of(text)
        assert spans_of_tags(tags_of(spans, words), words) == spans

    def test_of_spans_that_share_a_word_the_longest_is_kept(self) -> None:
        words = words_of("new york city hall")
        spans = [Span(0, 8, 0), Span(0, 13, 1), Span(9, 18, 0), Span(14, 18, 2)]
        assert spans_of_tags(tags_of(spans, words), words) == [Span(0, 13, 1), Span(14, 18, 2)]

    def test_a_part_of_a_word_takes_the_word_and_white_space_nothing(self) -> None:
        words = words_of("ab  cd")
        assert tags_of([Span(1, 2, 0), Span(2, 4, 1)], words).tolist() == [1, 0]

    def test_going_on_with_nothing_begins_a_span(self) -> None:
        assert runs_of([2, 2, 4, 0, 4]) == [(0, 2, 0), (2, 3, 1), (4, 5, 1)]


class TestScores:
    A, B = Span(0, 10, 1), Span(20, 25, 1)

    def test_exact_and_near(self) -> None:
        shifted = Span(5, 15, 1)
        assert exact_f1([self.A, self.B], [shifted, self.B]) == 0.5
        assert near_f1([self.A, self.B], [shifted, self.B]) == pytest.approx((1 + 1 / 3) / 2)
        assert near_f1([self.A], [Span(0, 10, 2)]) == 0
        assert exact_f1([], []) == near_f1([], []) == 1
        assert exact_f1([], [self.A]) == near_f1([self.A], []) == 0

    def test_a_span_meets_one_other_at_most(self) -> None:
        halves = [Span(0, 5, 1), Span(5, 10, 1)]
        assert near_f1([self.A], halves) == pytest.approx(2 * 0.5 / 3)

    def test_distance_takes_edges_as_the_task_says(self) -> None:
        one, other = value_of([self.A]), value_of([Span(0, 5, 1)])
        columns = Columns(label_ids=(1, 2))
        assert Spans().distance(one, other, columns) == 1
        assert Spans(edges="near").distance(one, other, columns) == pytest.approx(0.5)

    def test_an_interval_holds_the_figure_and_says_that_few_items_say_little(self) -> None:
        rng = np.random.default_rng(0)
        low, high = f1_interval(np.array([[1, 1, 1]] * 10), rng)
        assert (round(low, 2), high) == (0.72, 1)
        mixed = np.array([[1, 1, 2], [0, 1, 0], [2, 2, 2]] * 60)
        low, high = f1_interval(mixed, rng)
        assert low < micro_f1(mixed) < high
        assert high - low < 0.2
        assert f1_interval(np.zeros((0, 3), dtype=int), rng) == (0, 1)

    def test_rows_may_stand_for_several_items_and_pairs_count_by_their_overlap(self) -> None:
        table, times = np.array([[1, 1, 2], [0, 1, 0]]), np.array([40, 20])
        each = np.repeat(table, times, axis=0)
        assert micro_f1(table, times) == micro_f1(each)
        assert f1_interval(table, np.random.default_rng(0), times=times) == pytest.approx(
            f1_interval(each, np.random.default_rng(0)), abs=0.02
        )
        shifted = Span(5, 15, 1)
        near = near_counts([[self.A, self.B]], [[shifted, self.B]])
        assert near.tolist() == [[pytest.approx(1 + 1 / 3), 2, 2]]

    def test_metrics_over_all_spans(self) -> None:
        truth, said = [[self.A, self.B], []], [[self.A], [self.B]]
        found = metrics(truth, said)
        assert found["span_f1"] == found["span_precision"] == found["span_recall"] == 0.5
        assert found["exact_items"] == 0
        assert metrics(truth, truth)[Spans.headline] == 1
        assert metrics([[]], [[]])["span_f1"] == 1
