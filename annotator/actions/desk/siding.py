"""Which of an item's two texts a person is shown first: drawn by chance, and kept with the answer."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from annotator.models import Project

OWN, SWAPPED = "ab", "ba"


def shown(project: Project, item_id: int, annotator_id: int) -> str:
    """Say "ab" where the item's own order is shown and "ba" where its second text comes first.

    The same whenever this person meets the item, and empty where texts have no sides.
    """
    if not project.task.sided:
        return ""
    drawn = blake2b(f"{item_id}:{annotator_id}".encode(), digest_size=1, person=b"sides")
    return SWAPPED if drawn.digest()[0] & 1 else OWN


def noted(project: Project, item_id: int, annotator_id: int) -> dict[str, Any] | None:
    """What is kept beside an answer's labels, so that the effect of the order can be measured."""
    order = shown(project, item_id, annotator_id)
    return {"shown": order} if order else None
