"""How people are asked: what the settings for gold items, entry, further voices and shares may be."""

from __future__ import annotations

from annotator.errors import InvalidError
from annotator.models import GoldItem, Project

GOLD_AT_MOST = 0.5


def check(project: Project) -> None:
    """Raise InvalidError with the field that cannot be."""
    if project.sure_at and not 0.5 <= project.sure_at < 1:
        raise InvalidError(
            "Another person is asked below a belief of 50 to 99 %; 0 never asks.", field="sure_at"
        )
    if not 1 <= project.voices_at_most <= 100:
        raise InvalidError("Ask 1 to 100 people about an item.", field="voices_at_most")
    if not 0 < project.share_at_most <= 1:
        raise InvalidError("One person's share lies above 0 and up to 1.", field="share_at_most")
    if not 0 <= project.gold_share <= GOLD_AT_MOST:
        raise InvalidError("At most every second item is gold.", field="gold_share")
    if not 0 <= project.entry_pass <= 1:
        raise InvalidError("The share that lets in lies between 0 and 1.", field="entry_pass")
    _check_gold(project)


def _check_gold(project: Project) -> None:
    """What asks gold items needs some."""
    wanted = max(project.entry_items, 1 if project.gold_share else 0)
    there = GoldItem.objects.standing().filter(project=project).count() if project.pk else 0
    if wanted > there:
        field = "entry_items" if project.entry_items > there else "gold_share"
        raise InvalidError(
            f"There are {there:,} gold items, and this takes {wanted:,}. Choose them "
            "first, under Annotators, Gold items.",
            field=field,
        )
