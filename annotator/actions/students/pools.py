"""What the student that serves says of the pool: of items that came after it too, and again where that was removed.

A student that reads vectors does so in a moment, where it is asked; one that reads texts or images takes as long as
encoding them, in a job of the queue that trains, so that no head and no answer waits for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import current_encoding, open_matrix, students_folder
from annotator.actions.students.pool_items import count_of, pool_of
from annotator.actions.students.recipes import encoder_of, reads_items
from annotator.models import Encoding, Project, Shape, StudentVersion


def catch_up(run: jobs.Run, project: Project, encoding: Encoding) -> bool:
    """Let the student that serves speak of all items. False where it does already, cannot, or does so in a job of
    its own, which chooses the queue anew at its end."""
    version = project.current_student
    if version is None or not version.folder or not _lags(project, version, encoding):
        return False
    if reads_items(version.kind):
        wish(project)
        return False
    _speak(run, project, version, encoding)
    return True


def wish(project: Project) -> None:
    """Ask that the student which serves reads the pool; safe to ask twice."""
    with transaction.atomic():
        jobs.enqueue("pool", project=project, key=f"pool:{project.pk}")


def run_pool(run: jobs.Run) -> dict[str, Any]:
    """Let a student of texts or images read what it has not read, then choose the queue by it."""
    project = Project.objects.select_related("current_student").get(pk=run.project.pk)
    version, encoding = project.current_student, current_encoding(project)
    if version is None or encoding is None or not version.folder:
        return {"read": 0}
    if not _lags(project, version, encoding):
        return {"read": 0}
    _speak(run, project, version, encoding)
    with transaction.atomic():
        jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    return {"read": project.item_count, "student": version.number}


def is_whole(version: StudentVersion) -> bool:
    """Whether what the version says of the pool is there, be it of fewer items than there are now."""
    from learning.storage import MANIFEST

    return bool(version.folder) and (_pool(version) / MANIFEST).is_file()


def _pool(version: StudentVersion) -> Path:
    return students_folder(version.project_id) / version.folder / "pool"


def _lags(project: Project, version: StudentVersion, encoding: Encoding) -> bool:
    """Whether it says nothing of some items, and could. What has no vector yet is not chosen from: the training
    that comes when it has one asks again."""
    from learning.students.predictions import read_predictions

    items = count_of(project)
    if items > encoding.rows or project.shape == Shape.RANKING:
        return False
    if not reads_items(version.kind) and encoder_of(version) != (encoding.encoder, encoding.params):
        return False  # it reads other vectors than these
    return not is_whole(version) or read_predictions(_pool(version)).rows < items


def _speak(run: jobs.Run, project: Project, version: StudentVersion, encoding: Encoding) -> None:
    from learning import students, taggers
    from learning.students.predictions import write_predictions
    from learning.taggers.pool import write_tagged

    folder = students_folder(project.pk) / version.folder

    def report(done: int, total: int) -> None:
        run.progress(done, total, "Predicting")

    if project.shape == Shape.SPANS:
        words = reading_words.read(run, encoding)
        texts = pool_of(project) if reads_items(version.kind) else None
        write_tagged(folder / "pool", taggers.load(folder), words, report, texts)
        return
    items = pool_of(project) if reads_items(version.kind) else open_matrix(encoding).view()
    write_predictions(folder / "pool", students.load(folder), items, report)
