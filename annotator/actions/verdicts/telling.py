"""Tell webhooks which verdicts changed: those that differ before and after they were derived anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from annotator import outbox
from annotator.models import Item, Label, Project, Verdict

EVENT = "verdict.decided"
COMPARED = ("labels", "value", "state", "source", "known")


@contextmanager
def changes(project: Project, item_ids: Sequence[int]) -> Iterator[None]:
    """Around what derives the verdicts of these items, in its transaction."""
    if not outbox.wanted(project.pk, EVENT):
        yield
        return
    before = _read(item_ids)
    yield
    after = _read(item_ids)
    changed = [pk for pk in item_ids if before.get(pk) != after.get(pk)]
    if changed:
        outbox.note_each(project.pk, EVENT, _entries(project, changed, after))


def _read(item_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = Verdict.objects.filter(item_id__in=item_ids).values("item_id", *COMPARED)
    return {row["item_id"]: row for row in rows}


def _entries(
    project: Project, item_ids: Sequence[int], after: dict[int, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Ids, labels by their keys, where it comes from; `value` only says that there is more."""
    named = {pk for row in after.values() for pk in row["labels"]}
    keys = dict(Label.objects.filter(project=project, pk__in=named).values_list("pk", "key"))
    items = dict(Item.objects.filter(pk__in=item_ids).values_list("pk", "external_id"))
    told = []
    for pk in item_ids:
        entry: dict[str, Any] = {"item": pk, "external_id": items.get(pk, ""), "state": "withdrawn"}
        if (row := after.get(pk)) is not None:
            entry |= {
                "state": row["state"],
                "source": row["source"],
                "labels": [keys[label] for label in row["labels"] if label in keys],
                "has_value": row["value"] is not None,
            }
        told.append(entry)
    return told
