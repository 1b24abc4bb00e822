"""Stretches that look like examples: found among other words, whole, none twice."""

import numpy as np
import pytest

from learning.errors import NotEnoughDataError
from learning.spans import Span
from learning.taggers.likeness import Background, of_span, scored, stretches
from learning.taggers.types import Words

LENGTH = 12


def corpus(texts=200, seed=0):
    """Texts of 12 words in each of which words 4 and 5 are of a type, 8 of another; noise around."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(2, 24))
    vectors = rng.normal(size=(texts * LENGTH, 24))
    vectors[4::LENGTH] += 2 * axes[0]
    vectors[5::LENGTH] += 2 * axes[0]
    vectors[8::LENGTH] += 2 * axes[1]
    starts = np.arange(0, texts * LENGTH + 1, LENGTH)
    first = np.tile(np.arange(LENGTH) * 4, texts)
    return Words(
        starts=starts,
        edges=np.stack([first, first + 3], axis=1),
        vectors=vectors.astype(np.float32),
    )


def hits(words, known, refused=(), most=50, taken=()):
    background = Background.of(words, np.random.default_rng(0))
    examples = np.array([of_span(words, at, span) for at, span in known])
    against = np.array([of_span(words, at, span) for at, span in refused]).reshape(-1, 24)
    direction = background.direction(examples, against)
    return stretches(words, scored(words, direction, background.mean), most, taken)


def test_a_few_examples_find_the_others_with_their_edges():
    found = hits(
        corpus(),
        [(at, Span(16, 23, 0)) for at in range(5)],
        taken=[(at, Span(16, 23, 0)) for at in range(5)],
    )
    assert len(found) == 50
    right = [one.start < 23 and one.end > 16 for one in found]
    assert sum(right) >= 48
    assert sum((one.start, one.end) == (16, 23) for one in found) >= 25
    assert not {one.text for one, own in zip(found, right, strict=True) if own} & set(range(5))
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    places = {word for one in found for word in range(one.first, one.last)}
    assert len(places) == sum(one.last - one.first for one in found), "none in another"


def test_refused_examples_part_two_types():
    words = corpus()
    both = [(at, Span(16, 23, 0)) for at in range(3)] + [(at, Span(32, 35, 0)) for at in range(3)]
    mixed = hits(words, both)
    refused = [(at, Span(32, 35, 0)) for at in range(20, 40)]
    parted = hits(words, both, refused)

    def of_other(found):
        return sum(one.start <= 32 < one.end for one in found)

    assert of_other(mixed) >= 5
    assert of_other(parted) <= of_other(mixed) / 4


def test_words_that_are_not_looked_at_are_never_in_a_stretch():
    words = corpus(20)
    scores = np.full(len(words.vectors), -np.inf, dtype=np.float32)
    scores[[4, 5]] = 3, 2
    (only,) = stretches(words, scores, 10)
    assert (only.text, only.start, only.end, only.score) == (0, 16, 23, 3)


def test_each_stretch_is_told_by_its_likest_example():
    words = corpus()
    background = Background.of(words, np.random.default_rng(0))
    examples = np.array(
        [words.vectors[4::LENGTH].mean(axis=0), words.vectors[8::LENGTH].mean(axis=0)]
    )
    asked = np.array([words.vectors[LENGTH + 8], words.vectors[4]])
    assert background.likest(asked, examples).tolist() == [1, 0]


def test_without_words_nothing_is_searched():
    none = Words(starts=np.zeros(2, int), edges=np.zeros((0, 2), int), vectors=np.zeros((0, 24)))
    with pytest.raises(NotEnoughDataError):
        Background.of(none, np.random.default_rng(0))
    assert of_span(corpus(1), 0, Span(3, 4, 0)) is None, "white space between words"
