"""In which order a person is shown an item's texts: drawn by chance, and kept with the answer."""

from __future__ import annotations

import random
from hashlib import blake2b
from typing import Any

from annotator.models import Item, Project

OWN, SWAPPED = "ab", "ba"


def shown(project: Project, item: Item, annotator_id: int, suggestion: Any = None) -> str:
    """Say "ab" where the item's own order is shown and "ba" where its second text comes first; of
    candidates their numbers, such as "3 1 2".

    The same whenever this person meets the item, and empty where the order does not matter. Candidates
    whose order is suggested are shown in it; `suggestion` is what the person sees of one.
    """
    suggested = _suggested(suggestion, len(item.candidates))
    return suggested or _drawn(project, item.pk, annotator_id, len(item.candidates))


def noted(
    project: Project, item_id: int, annotator_id: int, value: Any, suggestion: Any = None
) -> dict[str, Any] | None:
    """The answer's value with the order that was shown, so that its effect can be measured."""
    count = sum(map(len, value["order"])) if value and "order" in value else 0
    order = _suggested(suggestion, count) or _drawn(project, item_id, annotator_id, count)
    return (value or {}) | {"shown": order} if order else value


def _suggested(suggestion: Any, candidates: int) -> str:
    """The numbers of a suggested order; empty where none is suggested of just these candidates."""
    order = suggestion.get("order") if isinstance(suggestion, dict) else None
    numbers = [one for group in order or [] for one in group]
    if sorted(numbers) != list(range(1, candidates + 1)):
        return ""
    return " ".join(map(str, numbers))


def _drawn(project: Project, item_id: int, annotator_id: int, candidates: int) -> str:
    if not project.task.drawn:
        return ""
    drawn = blake2b(f"{item_id}:{annotator_id}".encode(), digest_size=1, person=b"sides").digest()
    if not candidates:
        return SWAPPED if drawn[0] & 1 else OWN
    seed = blake2b(f"{item_id}:{annotator_id}".encode(), digest_size=16, person=b"candidates")
    numbers = list(range(1, candidates + 1))
    random.Random(seed.digest()).shuffle(numbers)  # noqa: S311 - no secret, and the same at each visit
    return " ".join(map(str, numbers))
