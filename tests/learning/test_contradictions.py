"""Labels and marks that contradict each other, found by how the two go together in other answers."""

import numpy as np
import pytest

from learning.audit.contradictions import FEWEST, MOST_SHARE, contradictions
from learning.types import Part

YES, NO, PRODUCT, PROBLEM = range(4)
ALWAYS = (Part(columns=(YES, NO)), Part(columns=(PRODUCT, PROBLEM), several=True))
GATED = (ALWAYS[0], Part(columns=(PRODUCT, PROBLEM), several=True, after=(YES,)))


def answers(n, rng):
    """Half say yes and mark a problem, half say no and none; a product is marked at random."""
    said = np.zeros((n, 4))
    yes = np.arange(n) % 2 == 0
    said[yes, YES] = said[~yes, NO] = 1
    said[yes, PROBLEM] = 1
    said[:, PRODUCT] = rng.random(n) < 0.5
    return said


@pytest.mark.parametrize("row", [0, 1])
def test_a_planted_contradiction_is_found_and_told_with_its_counts(row):
    said = answers(60, np.random.default_rng(3))
    said[row, PROBLEM] = 1 - said[row, PROBLEM]
    found = contradictions(said, ALWAYS, [1])
    assert [at for at, each in enumerate(found) if each] == [row]
    worst = found[row][0]
    assert (worst.label, worst.marks) == ((YES, NO)[row], (PROBLEM,))
    assert worst.there == bool(row)
    assert (worst.same, worst.others, worst.same_without, worst.without) == (0, 29, 30, 30)
    assert worst.score == pytest.approx(1 / 31)


def test_yes_with_nothing_marked_is_one_where_only_yes_is_asked_for_marks():
    said = answers(60, np.random.default_rng(4))
    said[said[:, NO] > 0, PRODUCT] = 0
    said[2, PRODUCT:] = 0
    found = contradictions(said, GATED, [1])
    assert [at for at, each in enumerate(found) if each] == [2]
    assert any(one.marks == (PRODUCT, PROBLEM) and not one.there for one in found[2])


def test_one_who_was_asked_and_marked_the_rarer_thing_alone_contradicts_nothing():
    said = answers(400, np.random.default_rng(8))
    said[said[:, NO] > 0, PRODUCT:] = 0  # not asked
    yes = np.flatnonzero(said[:, YES])
    said[yes[:20], PRODUCT:] = (1, 0)
    said[yes[20:], PRODUCT:] = (0, 1)
    assert not any(contradictions(said, GATED, [1]))


def test_what_is_rare_under_every_label_is_no_contradiction():
    said = answers(200, np.random.default_rng(5))
    said[:, PRODUCT] = 0
    said[[10, 12], PRODUCT] = 1
    assert not any(contradictions(said, ALWAYS, [1]))


def test_labels_and_marks_that_have_nothing_to_do_with_each_other_are_left_alone():
    false = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        said = np.zeros((80, 4))
        yes = rng.random(80) < 0.5
        said[yes, YES] = said[~yes, NO] = 1
        said[:, PRODUCT:] = rng.random((80, 2)) < (0.1, 0.9)
        false += any(contradictions(said, ALWAYS, [1]))
    assert false <= 2, "at ALPHA over all pairs, of 40 draws"


def test_too_few_answers_say_nothing():
    said = answers(2 * FEWEST, np.random.default_rng(6))
    said[0, PROBLEM] = 0
    assert not any(contradictions(said, ALWAYS, [1]))
    assert 1 / (FEWEST + 2) <= MOST_SHARE
    assert contradictions(np.zeros((0, 4)), ALWAYS, [1]) == []
