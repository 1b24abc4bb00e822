"""Pairs of places in two sequences, each place once."""

from collections.abc import Iterable

Pair = tuple[int, int, float]


def one_to_one(near: Iterable[Pair]) -> list[Pair]:
    """Of (place, other place, likeness) the pairs that greedy matching takes, the most alike first."""
    found: list[Pair] = []
    taken: set[int] = set()
    others: set[int] = set()
    for at, to, share in sorted(near, key=lambda pair: (-pair[2], pair[0], pair[1])):
        if at not in taken and to not in others:
            taken.add(at)
            others.add(to)
            found.append((at, to, share))
    return found
