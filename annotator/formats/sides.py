"""Which of two texts an answer of a comparison names, whatever a file calls it."""

from __future__ import annotations

import re

# Keys of the labels that a comparison begins with.
FIRST, SECOND, TIE, BAD = "a", "b", "tie", "bad"
_FIRST = re.compile(r"(?:[a-z]+[ _-])?(?:a|1|first|left)|[a-z]+1|chosen")
_SECOND = re.compile(r"(?:[a-z]+[ _-])?(?:b|2|second|right)|[a-z]+2|rejected")
_TIES = {"tie", "tied", "draw", "equal", "equally good", "same", "both good"}
_BAD = {"bad", "both bad", "bothbad", "tie (bothbad)", "tie (both bad)", "neither is good"}


def side_of(name: str, text: str = "", text_b: str = "") -> str:
    """Give the key of the label that an answer names, '' where it names none.

    text, text_b: the columns of the two texts, by whose names an answer may call them.
    """
    called = " ".join(name.split()).casefold()
    for column, side in ((text, FIRST), (text_b, SECOND)):
        if column and called == " ".join(column.split()).casefold():
            return side
    if called in _TIES or called in _BAD:
        return TIE if called in _TIES else BAD
    if _FIRST.fullmatch(called):
        return FIRST
    return SECOND if _SECOND.fullmatch(called) else ""


def speak_of_sides(names: set[str], text: str, text_b: str) -> bool:
    """Say whether names of labels are all sides of two texts, and more than bare letters or numbers."""
    found = {name: side_of(name, text, text_b) for name in names}
    plain = all(len(name.strip()) == 1 for name, side in found.items() if side in (FIRST, SECOND))
    return bool(found) and all(found.values()) and not plain
