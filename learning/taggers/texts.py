"""What a tagger says of texts that are in no pool: typed ones, and rows of a file."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from learning.spans.words import words_of
from learning.taggers import FittedTagger
from learning.taggers.pool import joined, text_blocks
from learning.taggers.types import Tagged, WordVectors

if TYPE_CHECKING:
    from learning.encoders import WordReader

# Characters whose words are held at once, but for one longer text.
CHARACTERS = 100_000


def tag_texts(
    fitted: FittedTagger, texts: Sequence[str], reader: "WordReader | None" = None
) -> Tagged:
    """Tag texts of any length, block by block.

    reader: encodes the words of a tagger that `needs` them, as those that it learnt from were encoded;
    None for one that reads texts.
    """
    ends = np.cumsum([0, *map(len, texts)])
    said = []
    for block in text_blocks(ends, CHARACTERS):
        some = list(texts[block])
        words = unread(some) if reader is None else reader.encode(some)
        said.append(fitted.tag(words.words, some))
    return joined(said, fitted.labels)


def unread(texts: Sequence[str]) -> WordVectors:
    """The words of texts with vectors of no dimension, for taggers that look at none."""
    edges = [words_of(text) for text in texts]
    counts = np.array([len(each) for each in edges], dtype=np.int64)
    return WordVectors(
        counts=counts,
        edges=np.concatenate([*edges, np.zeros((0, 2), dtype=np.int64)]),
        vectors=np.zeros((int(counts.sum()), 0), dtype=np.float32),
    )
