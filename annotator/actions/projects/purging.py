"""Remove a deleted project for good: rows through the one audited function, then its files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.errors import ConflictError
from annotator.models import Job, JobState, Project, Snapshot

# Tables that refer to a project, in an order in which each may be emptied; the ledger is first.
_TABLES = (
    "annotator_seeding",
    "annotator_golditem",
    "annotator_canary",
    "annotator_double",
    "annotator_acceptance",
    "annotator_recordedanswer",
    "annotator_teacheranswer",
    "annotator_teachercache",
    "annotator_spending",
    "annotator_assignment",
    "annotator_pick",
    "annotator_suggestion",
    "annotator_flag",
    "annotator_reviewcase",
    "annotator_verdict",
    "annotator_ledgerbatch",
    "annotator_itemsearch",
    "annotator_item",
)


def run_purge(run: jobs.Run) -> dict[str, Any]:
    """Purge an archived project. Raises nothing when it was restored or is gone already."""
    project = Project.objects.filter(pk=run.params["project"]).exclude(archived_at=None).first()
    if project is None:
        return {"purged": False}
    stored = list(Snapshot.objects.filter(project=project).values_list("stored_name", flat=True))
    files = [project.batches, project.recordings, project.predicted_files]
    uploaded = [name for rows in files for name in rows.values_list("stored_name", flat=True)]
    with run.fence(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        # Parts the purge from an owner who restores the project at this moment.
        deleted = Project.objects.exclude(archived_at=None).select_for_update()
        if not deleted.filter(pk=project.pk).exists():
            return {"purged": False}
        cursor.execute("SELECT annotator_purge(%s, %s)", [f"job {run.job.pk}", project.pk])
        annotations = cursor.fetchone()[0]
        for table in _TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [project.pk])  # noqa: S608
        Project.objects.filter(pk=project.pk).update(current_student=None)
        project.delete()
    _remove_files(run.params["project"], stored, uploaded)
    return {"purged": True, "annotations": annotations}


def purge_now(project: Project) -> int:
    """Purge a deleted project without waiting out the week. Returns how many annotations went.

    Raises ConflictError for one that was not deleted, or that a worker is just purging.
    """
    if project.archived_at is None:
        raise ConflictError("Only a deleted project is purged. Delete it first.")
    key = f"purge:{project.pk}"
    with transaction.atomic():
        jobs.enqueue("purge", params={"project": project.pk}, key=key)
        waiting = Job.objects.filter(key=key, state=JobState.QUEUED)
        waiting.update(due_at=Now())
        job = waiting.get()
    jobs.execute(job.pk)
    job.refresh_from_db()
    if job.state != JobState.DONE:
        raise ConflictError(job.error or "A worker is purging this project just now.")
    return int(job.result.get("annotations", 0))


def _remove_files(project_id: int, snapshots: list[str], uploaded: list[str]) -> None:
    data = Path(settings.DATA_DIR)
    for kind in ("matrices", "media", "students", "simulations", "predictions"):
        shutil.rmtree(data / kind / str(project_id), ignore_errors=True)
    for name in filter(None, snapshots):
        (data / "snapshots" / name).unlink(missing_ok=True)
    for name in uploaded:
        uploads.remove(name)
