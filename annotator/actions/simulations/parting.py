"""Which labelled items a replay learns from and which it is tested on, by content alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from annotator.actions.simulations import labelled
from annotator.errors import InvalidError

FEWEST_ITEMS = 50
# Audit items are the test part once so many are answered; they stand for the whole pool.
FEWEST_AUDIT_ITEMS = 200
# More than these tell nothing more about a strategy, and every round predicts all of them.
MOST_ITEMS = 50_000
AUDIT, SPLIT = "audit", "split"
# Where there are enough items, a split keeps this many back: ±10 points at the very worst.
WANTED_TESTS = 100
LARGEST_TEST_SHARE = 0.4


def test_share(items: int) -> float:
    """A fifth of the items, more where that is few, two fifths at most."""
    return max(labelled.TEST_SHARE, min(LARGEST_TEST_SHARE, WANTED_TESTS / max(items, 1)))


@dataclass(frozen=True, kw_only=True)
class Answered:
    """Items with the columns of their labels; hashes name contents, questions are those of a form.

    values: of each item where answers are more than labels, with columns for labels; else none.
    """

    columns: list[list[int]]
    hashes: list[bytes]
    names: tuple[str, ...]
    questions: list[dict[str, Any]] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def differ(self, places: Sequence[int]) -> bool:
        """Whether there is something to learn: two labels, or two values."""
        if self.values:
            return any(self.values[place] != self.values[places[0]] for place in places)
        return len({column for place in places for column in self.columns[place]}) > 1


@dataclass(frozen=True, kw_only=True)
class Parted:
    """Which items are replayed (places in the answered ones) and which of them are tested on."""

    answered: Answered
    places: list[int]
    held_out: list[bool]
    facts: dict[str, Any]

    @property
    def pool(self) -> list[int]:
        """Places of what is labelled, not tested on."""
        return [p for p, held in zip(self.places, self.held_out, strict=True) if not held]


def part(answered: Answered, *, audit: Sequence[int], where: str) -> Parted:
    """Keep a test part back, equal contents always on one side. Raises InvalidError for too few.

    audit: places of the audit items; with enough of them they are the test part, and their
    duplicates are left out of the pool.
    """
    _require_enough(answered, where)
    tests = set(audit)
    contents = {answered.hashes[place] for place in tests}
    rest = [place for place, content in enumerate(answered.hashes) if content not in contents]
    source = AUDIT
    if len(tests) < FEWEST_AUDIT_ITEMS or len(rest) < FEWEST_ITEMS:
        source, rest = SPLIT, list(range(len(answered.hashes)))
    places = _drawn(answered.hashes, rest)
    if source == SPLIT:
        tests = _kept_back(answered.hashes, places)
        places = [place for place in places if place not in tests]
    if not tests or not answered.differ(places):
        raise InvalidError(
            f"Too few different items are answered in {where} to keep some for testing."
        )
    every = sorted([*places, *tests])
    facts = {
        "items": len(every),
        "pool": len(places),
        "tested": len(tests),
        "labels": len(answered.names),
        "test_part": source,
        "duplicates_left_out": 0
        if source == SPLIT
        else len(answered.hashes) - len(rest) - len(tests),
        "not_drawn": max(len(rest) - MOST_ITEMS, 0),
    }
    held_out = [place in tests for place in every]
    return Parted(answered=answered, places=every, held_out=held_out, facts=facts)


def _require_enough(answered: Answered, where: str) -> None:
    have = len(answered.columns)
    if have < FEWEST_ITEMS:
        raise InvalidError(
            f"A simulation needs at least {FEWEST_ITEMS:,} items with a label; {where} has {have:,}."
        )
    if not answered.differ(range(have)):
        what = "answers" if answered.values else "labels"
        raise InvalidError(f"A simulation needs two different {what}; {where} has fewer.")


def _kept_back(hashes: list[bytes], places: list[int]) -> set[int]:
    """The share that a split tests on: whole groups of equal contents, in the order of their hashes.

    A content that occurs so often that its group would not fit stays in the pool.
    """
    groups: dict[bytes, list[int]] = {}
    for place in places:
        groups.setdefault(hashes[place], []).append(place)
    left = round(test_share(len(places)) * len(places))
    kept: set[int] = set()
    for content in sorted(groups):
        if len(groups[content]) <= left:
            kept.update(groups[content])
            left -= len(groups[content])
    return kept


def _drawn(hashes: list[bytes], places: list[int]) -> list[int]:
    """These places, or a uniform draw of them by content when they are more than are replayed."""
    if len(places) <= MOST_ITEMS:
        return places
    # Not by the bytes that decide the part: those below the share would all be tests.
    order = sorted(places, key=lambda place: (hashes[place][::-1], place))
    return sorted(order[:MOST_ITEMS])
