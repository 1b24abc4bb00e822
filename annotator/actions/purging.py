"""Remove a deleted project for good: rows through the one audited function, then its files."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from annotator import jobs
from annotator.models import Project, Snapshot

# Tables that refer to a project, in an order in which each may be emptied; the ledger is first.
_TABLES = (
    "annotator_assignment",
    "annotator_pick",
    "annotator_suggestion",
    "annotator_flag",
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
    uploads = list(project.batches.values_list("stored_name", flat=True))
    with run.fence(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SELECT annotator_purge(%s, %s)", [f"job {run.job.pk}", project.pk])
        annotations = cursor.fetchone()[0]
        for table in _TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE project_id = %s", [project.pk])  # noqa: S608
        Project.objects.filter(pk=project.pk).update(current_student=None)
        project.delete()
    _remove_files(run.params["project"], stored, uploads)
    return {"purged": True, "annotations": annotations}


def _remove_files(project_id: int, snapshots: list[str], uploads: list[str]) -> None:
    data = Path(settings.DATA_DIR)
    for kind in ("matrices", "media", "students"):
        shutil.rmtree(data / kind / str(project_id), ignore_errors=True)
    for folder, names in (("snapshots", snapshots), ("uploads", uploads)):
        for name in filter(None, names):
            (data / folder / name).unlink(missing_ok=True)
