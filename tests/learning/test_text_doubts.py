"""Texts that look wrong, by what other voices wrote."""

import pytest

from learning.audit.text_doubts import doubts, work

SAID = "the cat sat on the mat"


def test_a_text_is_as_doubtful_as_the_others_are_far_from_it():
    written = [[SAID, SAID], [SAID, SAID, "9999"], [SAID, "the cat sat on a mat"], [SAID]]
    same, overruled, near, alone = doubts([SAID] * 4, written)
    assert (same.score, same.far, same.other) == (1, 0, 0)
    assert overruled.score == pytest.approx(0.5), "one of the two others wrote something else"
    assert (overruled.voices, overruled.other) == (3, 1)
    assert near.far == pytest.approx(3 / 22)
    assert near.score == pytest.approx(1 - 3 / 22)
    assert (alone.score, alone.voices) == (1, 1)


def test_where_all_are_close_a_small_difference_is_unusual():
    ninth = "the cat sat on a mat"
    written = [[SAID, SAID]] * 30 + [[SAID, ninth]]
    among_equal = doubts([SAID] * 31, written)[-1]
    assert among_equal.score < 0.4
    assert among_equal.usual == 0
    among_different = doubts([SAID] * 31, [[SAID, ninth]] * 31)[-1]
    assert among_different.score == pytest.approx(1 - 3 / 22)


def test_a_text_that_a_reviewer_wrote_is_compared_with_every_voice():
    (found,) = doubts([SAID], [["9999", SAID[:11]]])
    assert found.far == pytest.approx((1 + 0.5) / 2)
    assert (found.voices, found.other) == (2, 2)
    assert doubts([SAID], [[]])[0].score == 1


def test_spelling_of_accents_and_white_space_count_for_nothing():
    assert doubts(["caf\u00e9  noir"], [["cafe\u0301 noir", "caf\u00e9 noir"]])[0].far == 0


def test_equal_texts_cost_nothing_to_compare():
    assert work("abcd", ["abcd", "abc", "xy"]) == 4 * 3 + 4 * 2
