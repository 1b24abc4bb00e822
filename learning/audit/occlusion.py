"""Which words of a text moved a label: leave each out and ask again. Letters: p pieces."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learning.types import Floats, require

_WORD = re.compile(r"\S+")
# Probabilities are kept this far from 0 and 1, or a word's share in a sure answer would be infinite.
_EDGE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A stretch of the text, text[start:end]: one word, or several neighbours in a long text."""

    start: int
    end: int


def pieces(text: str, most: int) -> list[Piece]:
    """The words of a text, in at most so many pieces of about equally many words; [] for no word."""
    require(most >= 1, "A text has at least one piece.")
    words = list(_WORD.finditer(text))
    size = math.ceil(len(words) / most)
    return [
        Piece(start=words[at].start(), end=words[min(at + size, len(words)) - 1].end())
        for at in range(0, len(words), size or 1)
    ]


def without(text: str, left_out: Sequence[Piece]) -> list[str]:
    """The text once for each piece, without it."""
    return [(text[: each.start] + text[each.end :]).strip() for each in left_out]


def pushes(whole: float, occluded: Floats | Sequence[float]) -> list[float]:
    """How far each piece pushed a label of probability `whole`, from its (p,) probabilities without.

    In log odds: positive for the label, negative against it. Source: Li, Monroe, Jurafsky 2016
    (representation erasure).
    """
    with_it = np.clip(whole, _EDGE, 1 - _EDGE)
    left = np.clip(np.asarray(occluded, dtype=np.float64), _EDGE, 1 - _EDGE)
    moved = np.log(with_it / (1 - with_it)) - np.log(left / (1 - left))
    return [float(each) for each in moved]
