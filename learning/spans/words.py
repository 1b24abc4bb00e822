"""Words of a text: the steps in which students and people mark spans."""

import re
import unicodedata
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Scripts that put no spaces between words: each letter is a step of its own.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
JOINERS = "\u200c\u200d"
# What changes the sign before it without being a mark: skin tones, and the rarer variation selectors.
MODIFIERS = "\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef"
LAST_MARK = 0x1EFFF


def words_of(text: str) -> NDArray[np.int64]:
    """(w, 2) start and end of each word, in order; white space lies between words.

    A word is a run of letters, digits and underscores with their combining marks; any other sign is a
    word by itself, an emoji together with what is joined to it.
    """
    found = [match.span() for match in _pattern().finditer(text)]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    marks = _marks()
    letter = rf"(?:(?![{UNSPACED}])\w)"
    return re.compile(
        rf"{letter}(?:{letter}|[{marks}{JOINERS}])*|[{JOINERS}]?\S(?:[{marks}]|\u200d\S)*"
    )


def _marks() -> str:
    """Every combining mark of Unicode as ranges for a character class."""
    ranges: list[list[int]] = []
    for point in range(0x300, LAST_MARK):
        if unicodedata.category(chr(point))[0] != "M":
            continue
        if ranges and ranges[-1][1] == point - 1:
            ranges[-1][1] = point
        else:
            ranges.append([point, point])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges) + MODIFIERS
