"""Regions of a map, and the words that set each apart, so that a map can be read."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from learning.selection.kmeans import assign, kmeans
from learning.types import Ints, require

MOST = 36
ROUNDS = 30
WORDS = 3
STEM = 5  # two words that begin with the same letters say the same twice
LONGEST = 30
# What more than this share of all texts say, and more than one region by itself, is how people write rather
# than what about: “the”, “what”.
COMMON = 0.25
_WORD = re.compile(r"[^\W\d_][\w'’-]*[^\W_]")


def count_for(items: int) -> int:
    """How many regions a map of so many items has: 3 of 100, 21 of 4,000, 36 of 12,000 and more."""
    return int(np.clip(round(items**0.5 / 3), 1, MOST))


def part(xy: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(n, 2) finite places -> (k, 2) middles of at most `count` regions. Source: Lloyd 1982."""
    require(bool(np.isfinite(xy).all()), "Places must be finite.")
    distinct = len(np.unique(xy, axis=0))
    return kmeans(xy, max(1, min(count, distinct)), ROUNDS, rng)


def region_of(xy: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int16]:
    """(n,) the region of each of (n, 2) places, that with the nearest middle; −1 without a place."""
    found = np.full(len(xy), -1, dtype=np.int16)
    there = np.flatnonzero(np.isfinite(xy).all(axis=1))
    if len(there) and len(centres):
        points = xy[there]
        squares = np.einsum("nd,nd->n", points, points)
        found[there] = assign(points, centres, squares)[0]
    return found


def words_of(text: str) -> set[str]:
    """The words of a text that a name may be made of: letters first, two at least, lower case."""
    return {found for found in _WORD.findall(text.lower()) if len(found) <= LONGEST}


def name(texts: Sequence[str], regions: Ints, count: int, fewest: int = 3) -> list[list[str]]:
    """For each of `count` regions up to WORDS words by which its texts differ most from all texts.

    texts, regions: n of each; a text counts a word once. A word's weight is its part in the
    divergence of the region from the whole, p ln(p / q), with p the share of the region's texts that
    have it and q that of all. A word in fewer than `fewest` texts of the region names nothing, and one
    that is common everywhere (COMMON) only where nothing else does.
    Source: Kullback, Leibler 1951.
    """
    require(len(texts) == len(regions), "Each text needs a region.")
    everywhere: Counter[str] = Counter()
    within: list[Counter[str]] = [Counter() for _ in range(count)]
    sizes = np.zeros(count, dtype=np.int64)
    for text, region in zip(texts, regions, strict=True):
        if region < 0:
            continue
        found = words_of(text)
        everywhere.update(found)
        within[int(region)].update(found)
        sizes[int(region)] += 1
    total = int(sizes.sum())
    return [
        _best(counted, int(size), everywhere, total, fewest, max(COMMON, 1 / count) * total)
        for counted, size in zip(within, sizes, strict=True)
    ]


def _best(
    counted: Counter[str],
    size: int,
    everywhere: Counter[str],
    total: int,
    fewest: int,
    common: float,
) -> list[str]:
    weights = {
        word: times / size * float(np.log(times / size * total / everywhere[word]))
        for word, times in counted.items()
        if times >= min(fewest, size)
    }
    chosen: list[str] = []
    telling = [word for word, weight in weights.items() if weight > 0]
    telling.sort(key=lambda each: (everywhere[each] > common, -weights[each], each))
    for word in telling:
        if len(chosen) == WORDS or (chosen and everywhere[word] > common):
            break
        if all(word[:STEM] != other[:STEM] for other in chosen):
            chosen.append(word)
    return chosen
