"""Votes on spans, and how far voices agree on them."""

import numpy as np
import pytest

from learning.consensus import CONSENSUS
from learning.consensus.candidates import SpanAnswer, candidates_of, settle, votes_of
from learning.consensus.span_agreement import Marked, span_f1, word_alpha
from learning.spans import Span
from learning.spans.words import words_of

CITY, TOWN, YORK = Span(8, 21, 1), Span(8, 21, 2), Span(8, 16, 1)
MAYOR = Span(30, 35, 2)


def said(*answers: list[Span], weights: tuple[float, ...] = ()) -> list[SpanAnswer]:
    given = weights or (1.0,) * len(answers)
    return [
        SpanAnswer(annotator=voice, spans=spans, weight=weight)
        for voice, (spans, weight) in enumerate(zip(answers, given, strict=True), 7)
    ]


def verdict(answers: list[SpanAnswer], method: str = "weighted-majority"):
    return settle(CONSENSUS.create(method), [answers])[0]


@pytest.mark.parametrize("method", CONSENSUS)
class TestEveryMethod:
    def test_one_voice_is_the_verdict(self, method: str) -> None:
        for spans in ([CITY, Span(8, 12, 2), MAYOR], []):
            found = verdict(said(spans), method)
            assert found.spans == sorted(spans)
            assert not found.tied

    def test_equal_answers_are_the_verdict(self, method: str) -> None:
        found = verdict(said([CITY, MAYOR], [MAYOR, CITY], [CITY, MAYOR]), method)
        assert found.spans == [CITY, MAYOR]
        assert not found.tied
        assert min(found.probabilities) > 0.9


class TestVotes:
    def test_most_voices_decide_span_by_span(self) -> None:
        found = verdict(said([CITY, MAYOR], [CITY], [CITY]))
        assert found.spans == [CITY]
        assert found.probabilities == [1]
        assert found.doubtful == [(MAYOR, pytest.approx(1 / 3))]
        assert not found.tied

    def test_edges_go_to_the_most(self) -> None:
        found = verdict(said([CITY], [YORK], [YORK]))
        assert found.spans == [YORK]
        assert found.probabilities == [1], "all of them marked something there"

    def test_so_do_labels(self) -> None:
        assert verdict(said([CITY], [TOWN], [TOWN])).spans == [TOWN]
        assert verdict(said([CITY], [TOWN], weights=(2, 1))).spans == [CITY]

    @pytest.mark.parametrize("other", [[YORK], [TOWN], []])
    def test_two_voices_that_differ_are_a_tie(self, other: list[Span]) -> None:
        assert verdict(said([CITY], other)).tied

    def test_a_voice_has_one_mark_in_a_candidate(self) -> None:
        nested = [CITY, Span(8, 11, 1)]
        found = candidates_of(said(nested, nested, [CITY]))
        assert sorted(len(one.marks) for one in found) == [2, 3]
        assert verdict(said(nested, nested, [CITY])).spans == sorted(nested)

    def test_marks_of_different_labels_that_hardly_overlap_are_two(self) -> None:
        assert len(candidates_of(said([CITY], [Span(18, 40, 2)]))) == 2
        assert len(candidates_of(said([CITY], [Span(18, 40, 1)]))) == 1

    def test_learns_who_marks_what_is_not_there(self) -> None:
        items = [said([MAYOR], [MAYOR], [MAYOR, Span(0, 3, 1)]) for _ in range(30)]
        method = CONSENSUS.create("dawid-skene")
        votes, asked = votes_of(items)
        assert votes.items == len(asked) == 60
        skills = method.fit(votes)
        first, _, last = said([MAYOR], [], [MAYOR, Span(0, 3, 1)])
        assert verdict([first, last]).tied
        found = settle(method, [[first, last]], skills)[0]
        assert found.spans == [MAYOR]
        assert not found.tied

    def test_what_is_known_teaches(self) -> None:
        votes, _ = votes_of([said([CITY], [])], truth=[[CITY, MAYOR]])
        assert votes.truth is not None
        assert votes.truth[:, 0].tolist() == [True, True]
        assert votes.answers[:, 0].tolist() == [1, 0, 0, 0]
        assert votes.settled is not None
        assert votes.settled.all()


class TestAgreement:
    WORDS = words_of("in the New York City the mayor spoke")

    def items(self, *answers: list[Span], times: int = 12) -> list[Marked]:
        return [Marked(words=self.WORDS, answers=answers)] * times

    def test_equal_answers_agree_in_full(self) -> None:
        same = self.items([CITY], [CITY])
        rng = np.random.default_rng(1)
        assert span_f1(same, rng).value == word_alpha(same, rng).value == 1
        assert span_f1(same).same == 1

    def test_counts_what_differs(self) -> None:
        items = self.items([CITY, MAYOR], [YORK, MAYOR])
        exact, near = span_f1(items), span_f1(items, near=True)
        assert exact.value == 0.5
        assert near.value == pytest.approx((8 / 13 + 1) / 2)
        alpha = word_alpha(items)
        # 8 words by two voices: one differs; 9 times there is no label, 5 times the city's, twice 2.
        expected = 1 - sum(12 * n * (12 * n - 1) for n in (9, 5, 2)) / (192 * 191)
        assert alpha.value == pytest.approx(1 - (1 / 8) / expected)

    def test_intervals_hold_the_value_and_need_items(self) -> None:
        rng = np.random.default_rng(1)
        mixed = self.items([CITY], [CITY]) + self.items([CITY], [])
        found = span_f1(mixed, rng)
        assert found.low is not None
        assert found.high is not None
        assert found.low < (found.value or 0) < found.high
        assert span_f1(self.items([CITY], [], times=3), rng).low is None
        assert span_f1([], rng).value is None
        assert word_alpha(self.items([], [])).value is None, "nobody could have differed"


def test_what_is_known_of_an_item_answers_each_of_its_questions():
    """Of three candidates one is true, one is not, and one item's truth is not known."""
    one, other, third = Span(0, 4, 1), Span(10, 14, 1), Span(0, 4, 2)
    items = [[SpanAnswer(annotator=7, spans=[one])], [SpanAnswer(annotator=7, spans=[third])]]
    votes, asked = votes_of(items, truth=[[other], None])
    marked = [span for _, candidate in asked for span in candidate.marks.values()]
    assert votes.truth is not None
    assert votes.settled is not None
    told = dict(zip(marked, votes.truth[:, 0].tolist(), strict=True))
    assert told == {one: False, other: True, third: False}
    assert dict(zip(marked, votes.settled.tolist(), strict=True)) == {
        one: True,
        other: True,
        third: False,
    }
    assert dict(zip(marked, votes.answers[:, 0].tolist(), strict=True)) == {
        one: 1,
        other: 0,
        third: 1,
    }
