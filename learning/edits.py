"""How many edits make one text of another: characters inserted, deleted or replaced."""

import unicodedata


def edits(one: str, other: str) -> int:
    """Levenshtein distance in code points, 0 … the length of the longer text.

    A column of the table of distances is kept as the bits of whole numbers. Source: Levenshtein 1966;
    Myers 1999; Hyyrö 2003.
    """
    if one == other:
        return 0
    if not one or not other:
        return max(len(one), len(other))
    places: dict[str, int] = {}
    for at, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << at
    full, last = (1 << len(one)) - 1, 1 << len(one) - 1
    rises, falls, distance = full, 0, len(one)  # by one, from each row to the one below
    for character in other:
        equal = places.get(character, 0)
        straight = (((equal & rises) + rises) ^ rises) | equal | falls
        right_rises, right_falls = falls | (full & ~(straight | rises)), rises & straight
        distance += bool(right_rises & last) - bool(right_falls & last)
        right_rises = (right_rises << 1 | 1) & full
        right_falls = right_falls << 1 & full
        rises = right_falls | (full & ~(straight | right_rises))
        falls = right_rises & straight
    return distance


def apart(one: str, other: str) -> float:
    """Edits as a share of the longer text: 0 equal … 1 nothing in common.

    Spelling of accents and white space do not count.
    """
    a, b = plain(one), plain(other)
    return edits(a, b) / max(len(a), len(b), 1)


def plain(text: str) -> str:
    """The text as it counts: accents spelled one way, a blank for each white space."""
    return " ".join(unicodedata.normalize("NFC", text).split())
