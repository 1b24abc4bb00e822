"""What follows an answer, away from the person who gave it: seal, decide, train."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.desk import reasking
from annotator.actions.figures import estimating
from annotator.actions.queue import queueing
from annotator.actions.trust import calibrating
from annotator.actions.verdicts import sealing, skills, verdicts
from annotator.models import (
    AnnotationKind,
    AnnotatorKind,
    Job,
    JobState,
    LedgerEntry,
    Project,
    StudentVersion,
)

SETTLE_AFTER_SECONDS = 0.3
# A process that asked for settling this recently need not ask again: the waiting job sees all.
_ASK_AGAIN_SECONDS = 0.25
_asked: dict[int, float] = {}


def wish(project: Project) -> None:
    """Ask that a project's new answers be settled soon; a burst of answers asks once.

    The unsealed ledger entry is the durable wish: what this forgets, the sweeper finds.
    """
    now = time.monotonic()
    if now - _asked.get(project.pk, -1.0) < _ASK_AGAIN_SECONDS:
        return
    _asked[project.pk] = now
    project_id = project.pk
    transaction.on_commit(lambda: _enqueue(project_id))


def _enqueue(project_id: int) -> None:
    with transaction.atomic():
        jobs.enqueue(
            "settle",
            project=Project(pk=project_id),
            key=f"settle:{project_id}",
            due_in_seconds=SETTLE_AFTER_SECONDS,
        )


def find_unsettled() -> int:
    """Ask again for every project with unsealed answers. Returns how many; the sweeper's errand."""
    waiting = LedgerEntry.objects.filter(position=None, project__archived_at=None)
    found = list(waiting.values_list("project_id", flat=True).distinct())
    for project_id in found:
        _enqueue(project_id)
    return len(found)


def run_settle(run: jobs.Run) -> dict[str, Any]:
    """Seal what was committed, derive verdicts, and ask for training when it is due."""
    project = run.project
    position, items = sealing.seal(project, partial(_follow, project))
    run.check()
    wish_training(project)
    skills.wish_after(project, items)
    queueing.wish_refill(project)
    if items:
        calibrating.wish(project)
    if project.training_paused:  # else the figures follow the training
        estimating.wish(project)
    return {"position": position, "items": len(items)}


def _follow(project: Project, items: list[int]) -> None:
    """What a sealed batch brings about, in its own transaction."""
    verdicts.decide(project, items)
    reasking.ask_again(project, items)


def wish_training(project: Project) -> None:
    """Ask for a student when k answers came since the last one, or t seconds after the first."""
    if project.training_paused:
        return
    new = _answers_since_student(project)
    if not new:
        return
    due_now = new >= project.retrain_answers
    wait = 0.0 if due_now else float(project.retrain_seconds)
    with transaction.atomic():
        job = jobs.enqueue("train", project=project, key=f"train:{project.pk}", due_in_seconds=wait)
        if job is None and due_now:
            bring_forward(f"train:{project.pk}")


def _answers_since_student(project: Project) -> int:
    """Words in the ledger behind the newest student, promoted or not; no more than matter.

    A project of many imported votes and no student yet would count them all at each answer.
    """
    newest = StudentVersion.objects.filter(project=project).order_by("-number")
    after = newest.values_list("position", flat=True).first() or 0
    fresh = LedgerEntry.objects.filter(project=project, position__gt=after)
    learnt = fresh.exclude(annotation__kind=AnnotationKind.SKIP).exclude(
        annotation__annotator__kind=AnnotatorKind.TEACHER
    )
    return learnt[: project.retrain_answers].count()


def bring_forward(key: str) -> None:
    """Let the job with this key that waits for later begin now, once the caller's transaction is done."""
    waiting = Job.objects.filter(key=key, state=JobState.QUEUED, due_at__gt=Now())
    for job in waiting.select_for_update(skip_locked=True, no_key=True):
        Job.objects.filter(pk=job.pk).update(due_at=Now(), rung_at=Now())
        transaction.on_commit(partial(jobs.ring, job.pk, job.queue))


def settle_now(project: Project) -> int:
    """Seal and decide within the caller's own time, before a snapshot. Returns the position."""
    position, _ = sealing.seal(project, partial(_follow, project))
    return position
