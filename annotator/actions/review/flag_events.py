"""Tell webhooks of new flags."""

from __future__ import annotations

from collections.abc import Iterable

from annotator import outbox
from annotator.models import Flag, FlagKind

# Whether a detector or chance asks is not told: no reviewer may know it before they answer.
BY = {FlagKind.PERSON: "person", FlagKind.DEFINITION: "codebook"}


def opened(project_id: int, flags: Iterable[Flag]) -> None:
    """Tell of these flags, in the transaction that raised them."""
    told = [
        {"flag": flag.pk, "item": flag.item_id, "by": BY.get(FlagKind(flag.kind), "machine")}
        for flag in flags
    ]
    outbox.note_each(project_id, "flag.opened", told)
