"""Which spans of an answer look wrong, and how."""

import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.audit.span_doubts import Fault, doubts, score_of
from learning.spans import Span
from learning.taggers.chain import read
from learning.taggers.types import Words

# "Ana met Bo in Rome": a tagger is sure that Ana, Bo are of column 0 and Rome of column 1.
EDGES = np.array([[0, 3], [4, 7], [8, 10], [11, 13], [14, 18]])
ANA, BO, ROME = Span(0, 3, 0), Span(8, 10, 0), Span(14, 18, 1)


@pytest.fixture
def words() -> Words:
    return Words(starts=np.array([0, 5]), edges=EDGES, vectors=np.zeros((5, 1)))


def asked(words: Words, answer: list[Span]):
    scores = np.zeros((5, 5), dtype=np.float32)
    scores[[0, 1, 2, 3, 4], [1, 0, 1, 0, 3]] = 4
    return doubts(read(scores, words.starts), words, [answer])[0]


def test_an_answer_like_the_tagger_is_likely_right(words: Words) -> None:
    found = asked(words, [ANA, BO, ROME])
    assert [one.instead for one in found if one.given is None and one.score < 0.5] == []
    assert [one.fault for one in found if one.given is not None] == [None] * 3
    assert score_of(found) > 0.8


@pytest.mark.parametrize(
    ("answer", "fault", "given", "instead"),
    [
        ([ANA, Span(8, 10, 1), ROME], Fault.LABEL, Span(8, 10, 1), BO),
        ([ANA, Span(4, 10, 0), ROME], Fault.EDGE, Span(4, 10, 0), BO),
        ([ANA, ROME], Fault.MISSING, None, BO),
        ([ANA, BO, Span(11, 18, 1)], Fault.EDGE, Span(11, 18, 1), ROME),
        ([ANA, BO, ROME, Span(11, 13, 0)], Fault.SPURIOUS, Span(11, 13, 0), None),
    ],
)
def test_tells_what_is_wrong(words, answer, fault, given, instead) -> None:
    worst = asked(words, answer)[0]
    assert (worst.fault, worst.given, worst.instead) == (fault, given, instead)
    assert worst.score < 0.1


def test_rare_labels_are_believed_in_less_and_not_blamed_for_it() -> None:
    n = 40
    words = Words(starts=np.arange(n + 1), edges=np.array([[0, 3]] * n), vectors=np.zeros((n, 1)))
    scores = np.tile(np.array([[2, 0, 0, 0, 0]], dtype=np.float32), (n, 1))
    said = doubts(read(scores, words.starts), words, [[Span(0, 3, 1)]] * n)
    alone = doubts(read(scores[:1], np.array([0, 1])), words.block(slice(0, 1)), [[Span(0, 3, 1)]])
    assert score_of(said[0]) > 2 * score_of(alone[0])


def test_a_span_that_stops_too_soon_is_a_wrong_edge(words: Words) -> None:
    scores = np.zeros((5, 5), dtype=np.float32)
    scores[[0, 1, 2, 3, 4], [1, 2, 0, 0, 3]] = 4  # "Ana met" is one span
    found = doubts(read(scores, words.starts), words, [[ANA, ROME]])[0]
    assert (found[0].fault, found[0].given, found[0].instead) == (Fault.EDGE, ANA, Span(0, 7, 0))
    assert found[0].score < 0.1
    assert all(one.score > 0.5 for one in found[1:])


def test_a_text_without_spans_on_either_side_is_right() -> None:
    empty = Words(
        starts=np.array([0, 0]), edges=np.zeros((0, 2), dtype=int), vectors=np.zeros((0, 1))
    )
    found = doubts(read(np.zeros((0, 5), dtype=np.float32), empty.starts), empty, [[]])
    assert found == [[]]
    assert score_of(found[0]) == 1


def test_an_edge_within_a_word_is_a_wrong_edge_and_no_other_label(words: Words) -> None:
    part = Span(0, 2, 0)
    (place,) = [one for one in asked(words, [part, BO, ROME]) if one.given == part]
    assert (place.fault, place.instead) == (Fault.EDGE, ANA)


AT = st.integers(0, 11)
STRETCHES = st.lists(
    st.tuples(AT, AT, st.integers(0, 2)).map(lambda one: (*sorted(one[:2]), one[2]))
)


@given(STRETCHES, st.integers(0, 10**6))
def test_every_place_is_told_as_by_looking_at_every_two_spans(stretches, seed: int) -> None:
    edges = np.stack([4 * np.arange(12), 4 * np.arange(12) + 3], axis=1)
    words = Words(starts=np.array([0, 12]), edges=edges, vectors=np.zeros((12, 1)))
    scores = np.random.default_rng(seed).normal(0, 2, (12, 7)).astype(np.float32)
    found = read(scores, words.starts)
    runs = found.runs()
    theirs = {
        Span(4 * first, 4 * last + 3, column): probability
        for (first, last, column), probability in zip(
            runs.tolist(), found.probability(runs).tolist(), strict=True
        )
    }
    answer = [Span(4 * first, 4 * last + 3, column) for first, last, column in stretches]
    told = doubts(found, words, [answer])[0]
    assert sorted(one.given for one in told if one.given is not None) == sorted(answer)
    for one in told:
        if one.given is not None:
            met = [own for own in theirs if meet(own, one.given)]
            assert one.instead == max(met, key=lambda own: theirs[own], default=None)
    missing = [one.instead for one in told if one.given is None]
    unmet = [own for own in theirs if not any(meet(own, other) for other in answer)]
    assert set(unmet) <= set(missing)
    assert len(missing) <= len(unmet) + 1


def meet(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end


def test_work_grows_with_the_spans_of_a_text_and_not_with_their_pairs() -> None:
    def calls(spans: int) -> int:
        edges = np.stack([4 * np.arange(2 * spans), 4 * np.arange(2 * spans) + 3], axis=1)
        words = Words(starts=np.array([0, 2 * spans]), edges=edges, vectors=edges)
        scores = np.zeros((2 * spans, 3), dtype=np.float32)
        scores[::2, 1], scores[1::2, 0] = 4, 4
        found = read(scores, words.starts)
        answer = [Span(8 * at, 8 * at + 3, 0) for at in range(0, spans, 2)]  # half are missing
        seen = Counter[str]()
        sys.setprofile(lambda frame, event, arg: seen.update([event]))
        try:
            doubts(found, words, [answer])
        finally:
            sys.setprofile(None)
        return seen["call"]

    assert calls(400) < 2.5 * calls(200)
