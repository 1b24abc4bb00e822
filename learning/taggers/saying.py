"""From the scores of words to what a tagger says of texts."""

import numpy as np
from numpy.typing import NDArray

from learning.taggers.chain import Read
from learning.taggers.types import Tagged, Words
from learning.types import Ints

# Words whose tag is more certain than this are in no doubt, however many there are.
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
    """(n,) 1 / (1 + w), w how many of a text's words are expected to have a wrong tag: 1 where none is.

    So a text that settles several doubts comes before one that settles one. Source: ours; least
    confidence summed over the words, Culotta, McCallum 2005 divide instead.
    """
    wrong = 1 - marginals.max(axis=1, initial=0.0)
    expected = _by_text(np.where(wrong < HARDLY, 0, wrong), starts)
    return (1 / (1 + expected)).astype(np.float32)


def _present(found: Read, starts: Ints) -> NDArray[np.float32]:
    """(n, k) how likely a span of each label begins somewhere."""
    begins = np.clip(found.marginals[:, 1::2].astype(np.float64), 0, 1 - 1e-7)
    absent = np.stack([_by_text(np.log1p(-column), starts) for column in begins.T], axis=1)
    return (1 - np.exp(absent)).astype(np.float32)


def _by_text(values: NDArray[np.floating], starts: Ints) -> NDArray[np.float64]:
    """(N,) summed to (n,); 0 for a text without words."""
    sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    return np.asarray(sums[starts[1:]] - sums[starts[:-1]])
