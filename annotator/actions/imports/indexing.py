"""The text index, filled after an import so that importing stays fast."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from annotator import jobs
from annotator.models import Item, ItemSearch, Project

CHUNK = 2_000
# Names and numbers of any language are searched for as they are written: no stemming.
CONFIGURATION = "simple"
INDEXED_CHARACTERS = 100_000

_INDEX = """
INSERT INTO annotator_itemsearch (item_id, project_id, vector)
SELECT i.id, i.project_id, to_tsvector(
    'simple', left(concat_ws(' ', i.text, i.text_b, array_to_string(i.candidates, ' '), i.external_id), %(characters)s))
FROM annotator_item i
WHERE i.project_id = %(project)s AND i.number >= %(start)s AND i.number < %(end)s
ON CONFLICT DO NOTHING
"""


def wish_index(project: Project) -> None:
    """Ask that the items which can't be searched yet be indexed; safe to ask twice."""
    with transaction.atomic():
        jobs.enqueue("index", project=project, key=f"index:{project.pk}")


def progress(project: Project) -> tuple[int, int]:
    """(items that can be searched, items there are)."""
    indexed = ItemSearch.objects.filter(project=project, item__removed_at=None)
    return indexed.count(), project.present_count


def run_index(run: jobs.Run) -> dict[str, Any]:
    """Index in batches what has no entry yet; a killed worker's batches stay."""
    project = run.project
    total = project.item_count
    start = _first_missing(project)
    while start < total:
        end = min(start + CHUNK, total)
        with run.fence(), connection.cursor() as cursor:
            cursor.execute(
                _INDEX,
                {
                    "project": project.pk,
                    "start": start,
                    "end": end,
                    "characters": INDEXED_CHARACTERS,
                },
            )
        start = end
        run.progress(start, total, "Indexing the text")
    if Project.objects.filter(pk=project.pk, item_count__gt=total).exists():
        wish_index(project)
    return {"items": total}


def _first_missing(project: Project) -> int:
    missing = Item.objects.filter(project=project, search=None).order_by("number")
    first = missing.values_list("number", flat=True).first()
    return project.item_count if first is None else first
