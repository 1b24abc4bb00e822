"""From the scores of words to what a tagger says of texts."""

import numpy as np
from numpy.typing import NDArray

from learning.taggers.chain import Read
from learning.taggers.types import Tagged, Words
from learning.types import Ints

# Words that are less likely than this to be in a span say nothing about where one might be.
HARDLY = 0.02


def tagged(found: Read, words: Words) -> Tagged:
    """What a reading of the words amounts to, text by text."""
    runs = found.runs()
    home = np.searchsorted(words.starts, runs[:, 0], side="right") - 1
    edges = np.stack([words.edges[runs[:, 0], 0], words.edges[runs[:, 1], 1]], axis=1)
    return Tagged(
        starts=np.searchsorted(home, np.arange(words.texts + 1)).astype(np.int64),
        edges=np.asarray(edges, dtype=np.int64),
        column=runs[:, 2],
        probability=found.probability(runs),
        present=_present(found, words.starts),
        margins=margins_of(found.marginals, words.starts),
    )


def margins_of(marginals: NDArray[np.float32], starts: Ints) -> NDArray[np.float32]:
    """(n,) the mean margin of the words of each text, weighted by how likely each is in a span.

    A word's margin is the lead of its likeliest tag; 1 where no word is at all likely in a span.
    """
    if not len(marginals):
        return np.ones(len(starts) - 1, dtype=np.float32)
    top = np.sort(np.partition(marginals, -2, axis=1)[:, -2:], axis=1)
    margin = top[:, 1] - top[:, 0]
    weight = 1 - marginals[:, 0]
    weight = np.where(weight < HARDLY, 0, weight)
    part, whole = _by_text(weight * margin, starts), _by_text(weight, starts)
    mean = np.ones(len(part))
    np.divide(part, whole, out=mean, where=whole > 0)
    return mean.astype(np.float32)


def _present(found: Read, starts: Ints) -> NDArray[np.float32]:
    """(n, k) how likely a span of each label begins somewhere."""
    begins = np.clip(found.marginals[:, 1::2].astype(np.float64), 0, 1 - 1e-7)
    absent = np.stack([_by_text(np.log1p(-column), starts) for column in begins.T], axis=1)
    return (1 - np.exp(absent)).astype(np.float32)


def _by_text(values: NDArray[np.floating], starts: Ints) -> NDArray[np.float64]:
    """(N,) summed to (n,); 0 for a text without words."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])
