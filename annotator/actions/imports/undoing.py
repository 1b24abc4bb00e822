"""Undo an import while no person has answered an item of it.

The ledger is never rewritten: the import's answers are retracted by rows of their own, and its items
keep their numbers, because each is a row of every matrix. They are closed and off every screen.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.db.models import DateTimeField, F, Func
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.figures import estimating
from annotator.actions.imports import marking
from annotator.actions.queue import auditing
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError
from annotator.models import (
    Annotation,
    AnnotatorKind,
    BatchState,
    Flag,
    FlagKind,
    ImportBatch,
    Item,
    Job,
    Project,
    User,
)

# Beyond every key of the secret order, so that no audit cut reaches a removed item.
LAST = 9.0

_RETRACT = """
INSERT INTO annotator_annotation (
    uuid, project_id, item_id, annotator_id, previous_id, kind, stream, labels, comment, reason,
    extra, blind, created_at
)
SELECT gen_random_uuid(), a.project_id, a.item_id, a.annotator_id, a.id, 'retraction', a.stream,
       '{}', '', '', false, false, now()
FROM annotator_annotation a
JOIN annotator_item i ON i.id = a.item_id
WHERE i.project_id = %(project)s AND i.batch_id = %(batch)s AND a.kind = 'answer'
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY i.number, a.id
"""
_RELEASE = """
UPDATE annotator_assignment a SET state = 'released', finished_at = now()
FROM annotator_item i
WHERE i.id = a.item_id AND i.project_id = %(project)s AND i.batch_id = %(batch)s
  AND a.state = 'leased'
"""
_EMPTIED = (
    "annotator_suggestion",
    "annotator_pick",
    "annotator_itemsearch",
    "annotator_flag",
    "annotator_reviewcase",
)


def undo_import(batch: ImportBatch, user: User | None = None) -> Job:
    """Ask that an import be undone. Raises ConflictError once a person has answered or flagged."""
    _check(batch)
    with transaction.atomic():
        job = jobs.enqueue(
            "undo",
            project=batch.project,
            params={"batch": batch.pk},
            key=f"undo:{batch.pk}",
            started_by=user,
        )
    if job is None:
        raise ConflictError("This import is being undone already.")
    return job


def run_undo(run: jobs.Run) -> dict[str, Any]:
    """Undo an import in one transaction; done twice, the second finds nothing to do."""
    with run.fence(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        # Parts the undo from an import and from another undo: both change the counters.
        project = Project.objects.select_for_update(no_key=True).get(pk=run.project.pk)
        batch = ImportBatch.objects.select_for_update().get(pk=run.params["batch"])
        if batch.state == BatchState.UNDONE:
            return {"batch": batch.pk, "removed": 0}
        # Parts the undo from a person who is just being given one of the items.
        cursor.execute(
            "SELECT 1 FROM annotator_item WHERE project_id = %s AND batch_id = %s ORDER BY id FOR UPDATE",
            [project.pk, batch.pk],
        )
        _check(batch)
        removed = _remove(cursor, project, batch)
        project.removed_count = F("removed_count") + removed
        project.save(update_fields=["removed_count"])
        project.refresh_from_db()
        auditing.recut(project)
        settling.wish(project)
        if project.current_student_id:
            estimating.wish(project)
        ImportBatch.objects.filter(pk=batch.pk).update(state=BatchState.UNDONE, finished_at=Now())
    return {"batch": batch.pk, "removed": removed}


def _check(batch: ImportBatch) -> None:
    batch.refresh_from_db(fields=["state"])
    if batch.state != BatchState.DONE:
        raise ConflictError("Only a finished import can be undone.")
    said = Annotation.objects.filter(item__batch=batch, annotator__kind=AnnotatorKind.PERSON)
    items = said.values("item").distinct().count()
    if items:
        what = "an item" if items == 1 else f"{items:,} items"
        raise ConflictError(
            f"People have answered {what} of this import, so it can no longer be undone."
        )
    if Flag.objects.filter(item__batch=batch, kind=FlagKind.PERSON).exists():
        raise ConflictError("Items of this import are flagged, so it can no longer be undone.")


def _remove(cursor: Any, project: Project, batch: ImportBatch) -> int:
    values = {"project": project.pk, "batch": batch.pk}
    if marked_by := batch.report.get("marked_by"):
        marking.take_back(project, marked_by)
    cursor.execute(_RETRACT, values)
    cursor.execute(_RELEASE, values)
    for table in _EMPTIED:
        cursor.execute(
            f"DELETE FROM {table} WHERE item_id IN (SELECT id FROM annotator_item "  # noqa: S608
            "WHERE project_id = %(project)s AND batch_id = %(batch)s)",
            values,
        )
    items = Item.objects.filter(project=project, batch=batch)
    # The clock, not the transaction's beginning: it is compared with the moment of a snapshot, which
    # waited for the same lock.
    clock = Func(function="clock_timestamp", output_field=DateTimeField())
    return items.update(open=False, order_key=LAST, part="", removed_at=clock)
