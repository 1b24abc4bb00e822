"""What tells an error in spans is learnt from errors that are planted into the same answers."""

import numpy as np

from learning.audit.planted_spans import FEWEST, planted, spoilt, weighed
from learning.audit.span_doubts import GIVEN, Doubt, Fault, doubts, score_of
from learning.spans import Span
from learning.taggers.chain import Read, read
from learning.taggers.types import Words

TEXTS, LABELS = 120, 2
WORDS = np.array([[0, 3], [4, 7], [8, 11], [12, 15], [16, 19]])
KNOWN, UNKNOWN = 0, 1  # a label that the tagger knows, and one of which it sees nothing
ANSWER = [Span(0, 3, KNOWN), Span(16, 19, UNKNOWN)]


def seen(rng: np.random.Generator) -> tuple[Read, Words]:
    """The tagger's word on texts that all have one span of each label."""
    words = Words(
        starts=np.arange(TEXTS + 1) * 5,
        edges=np.tile(WORDS, (TEXTS, 1)),
        vectors=np.zeros((TEXTS * 5, 1)),
    )
    scores = rng.normal(0, 0.5, (TEXTS, 5, 1 + 2 * LABELS))
    scores[:, :, 0] += 4
    scores[:, 0, 1] += 8
    scores[:, 4, 3] += rng.normal(0, 1, TEXTS)
    return read(scores.reshape(TEXTS * 5, -1).astype(np.float32), words.starts), words


def looked_at(answers: list[list[Span]]) -> tuple[list[list[Doubt]], list[list[Doubt]]]:
    """Places by the tagger alone, and weighed."""
    rng = np.random.default_rng(3)
    found, words = seen(rng)
    places = doubts(found, words, answers)
    return places, weighed(places, planted(found, words, answers, LABELS, rng))


def wrong_ones_first(places: list[list[Doubt]], wrong: list[int]) -> float:
    """The share of wrong answers among as many that look worst."""
    worst = np.argsort([score_of(own) for own in places], kind="stable")[: len(wrong)]
    return len(set(worst.tolist()) & set(wrong)) / len(wrong)


def test_a_label_that_the_tagger_knows_badly_does_not_hide_errors_in_another() -> None:
    wrong = list(range(0, TEXTS, 10))
    answers = [ANSWER[1:] if at in wrong else ANSWER for at in range(TEXTS)]
    alone, told = looked_at(answers)
    assert wrong_ones_first(told, wrong) >= wrong_ones_first(alone, wrong) + 0.1


def test_scores_stay_shares_the_most_doubtful_place_comes_first_and_the_taggers_word_is_kept() -> (
    None
):
    alone, told = looked_at([ANSWER] * TEXTS)
    for before, after in zip(alone, told, strict=True):
        scores = [one.score for one in after]
        assert scores == sorted(scores)
        assert all(0 <= score <= 1 for score in scores)
        assert sorted(one.said for one in after) == sorted(one.score for one in before)
    assert [own[0].score for own in told] != [own[0].score for own in alone]


def test_with_few_errors_to_learn_from_the_tagger_alone_is_heard() -> None:
    places, _ = looked_at([ANSWER] * TEXTS)
    few = [own[0] for own in places][: FEWEST - 1]
    assert weighed(places, few) == places
    assert weighed([], few * 2) == []


def test_equal_draws_give_equal_scores() -> None:
    assert looked_at([ANSWER] * TEXTS)[1] == looked_at([ANSWER] * TEXTS)[1]


def test_each_planted_error_is_a_place_that_was_not_in_the_answer() -> None:
    rng = np.random.default_rng(5)
    found, words = seen(rng)
    errors = planted(found, words, [ANSWER] * TEXTS, LABELS, rng)
    assert len(errors) > TEXTS
    assert not [one for one in errors if one.given in ANSWER]
    lacking = [one for one in errors if one.given is None]
    assert lacking
    assert all(one.fault == Fault.MISSING for one in lacking)


def test_texts_without_words_or_spans_are_left_alone() -> None:
    words = Words(starts=np.array([0, 0, 1]), edges=np.array([[0, 3]]), vectors=np.zeros((1, 1)))
    found = read(np.zeros((1, 5), dtype=np.float32), words.starts)
    assert len(planted(found, words, [[], []], LABELS, np.random.default_rng(0))) <= 4


def test_a_spoilt_span_lies_in_the_text_and_differs_where_it_can() -> None:
    rng = np.random.default_rng(1)
    made = [spoilt(ANSWER[0], WORDS, LABELS, rng) for _ in range(200)]
    assert {None, Span(0, 3, UNKNOWN), Span(0, 7, KNOWN)} == set(made)


def test_with_one_label_there_is_no_other_to_give() -> None:
    rng = np.random.default_rng(1)
    assert {spoilt(ANSWER[0], WORDS, 1, rng) for _ in range(50)} == {None, Span(0, 7, KNOWN)}


def test_a_span_whose_edges_have_nowhere_to_go_is_not_spoilt_by_moving_them() -> None:
    without_words, one_word = np.zeros((0, 2), dtype=int), np.array([[0, 4]])
    within = Span(0, 2, KNOWN)  # a part of the only word
    for words in (without_words, one_word):
        made = {spoilt(within, words, 1, np.random.default_rng(seed)) for seed in range(9)}
        assert made == {None, within}


def test_a_trait_that_all_answers_share_tells_nothing_of_errors() -> None:
    def place(score: float, trait: float) -> Doubt:
        return Doubt(
            fault=Fault.LABEL,
            given=ANSWER[0],
            instead=None,
            score=score,
            said=score,
            traits=(trait,) * GIVEN,
        )

    places = [[place(0.9 - 0.001 * at, 0.1)] for at in range(60)]  # whose spread is 1e-17, not 0
    same, other = ([place(0.2, trait)] * 60 for trait in (0.1, 0.3))
    assert weighed(places, other) == weighed(places, same)
    assert score_of(weighed(places, other)[0]) > 0.9
