"""In which order a person is shown an item's texts: drawn by chance, and kept with the answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Self

from annotator.models import Assignment, Project

OWN, SWAPPED = "ab", "ba"


@dataclass(frozen=True, kw_only=True)
class Seat:
    """Who meets which item, and as the how manieth of those that are wanted for it."""

    item: int
    annotator: int
    slot: int

    @classmethod
    def of(cls, lease: Assignment) -> Self:
        return cls(item=lease.item_id, annotator=lease.annotator_id, slot=lease.slot)


def shown(project: Project, lease: Assignment, suggestion: Any = None) -> str:
    """Say "ab" where the item's own order is shown and "ba" where its second text comes first; of
    candidates their numbers, such as "3 1 2".

    Chance decides for the first who is asked about two texts, the second sees them the other way round, and so on in
    turn: two whom the side sways contradict each other then. The same as long as the lease is, and empty where the order does not
    matter. Candidates whose order is suggested are shown in it; `suggestion` is what the person sees of one.
    """
    candidates = len(lease.item.candidates)
    return _suggested(suggestion, candidates) or _drawn(project, Seat.of(lease), candidates)


def noted(
    project: Project, lease: Assignment, annotator_id: int, value: Any, suggestion: Any = None
) -> dict[str, Any] | None:
    """The answer's value with the order that was shown, so that its effect can be measured."""
    count = sum(map(len, value["order"])) if value and "order" in value else 0
    seat = Seat(item=lease.item_id, annotator=annotator_id, slot=lease.slot)
    order = _suggested(suggestion, count) or _drawn(project, seat, count)
    return (value or {}) | {"shown": order} if order else value


def _suggested(suggestion: Any, candidates: int) -> str:
    """The numbers of a suggested order; empty where none is suggested of just these candidates."""
    order = suggestion.get("order") if isinstance(suggestion, dict) else None
    numbers = [one for group in order or [] for one in group]
    if sorted(numbers) != list(range(1, candidates + 1)):
        return ""
    return " ".join(map(str, numbers))


def _drawn(project: Project, seat: Seat, candidates: int) -> str:
    if not project.task.drawn:
        return ""
    if not candidates:
        drawn = blake2b(str(seat.item).encode(), digest_size=1, person=b"sides").digest()
        return SWAPPED if (drawn[0] + seat.slot) & 1 else OWN
    who = f"{seat.item}:{seat.annotator}".encode()
    seed = blake2b(who, digest_size=16, person=b"candidates")
    numbers = list(range(1, candidates + 1))
    random.Random(seed.digest()).shuffle(numbers)  # noqa: S311 - no secret, and the same at each visit
    return " ".join(map(str, numbers))
