"""Whose turn it is on the machine that trains: what people asked for, then projects that used less today.

A training in the background asks before it begins, and again and again while it runs: it gives way as
soon as something that a person asked for, or that follows from it, finds no free worker.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from annotator import jobs
from annotator.models import Job, JobState, Project

QUEUE = "train"
# The kind of job that gives way to every other, and those whose minutes count as a project's.
KIND = "background"
TRAININGS = (KIND, "finetune")
# What has waited for so long finds no other worker.
WAITED_SECONDS = 3.0
LOOK_SECONDS = 1.0
# What a piece of a training lasts at least once it gets on, and what is not worth giving way for: a person
# waits for it, and whoever gives way again and again gets on by as much each time.
PIECE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Today:
    """The project's minutes of the last 24 hours: what it may use, and used."""

    minutes: int
    used: float

    @property
    def left(self) -> float:
        return max(self.minutes - self.used, 0.0)


def today(project: Project) -> Today:
    """What trainings of the last 24 hours took, those that a person asked for among them."""
    day = timezone.now() - timedelta(days=1)
    rows = Job.objects.filter(project=project, kind__in=TRAININGS, started_at__gte=day)
    took = rows.aggregate(took=Sum(Coalesce(F("finished_at"), Now()) - F("started_at")))["took"]
    used = (took or timedelta()).total_seconds() / 60
    return Today(minutes=project.training_minutes, used=used)


def is_turn(job: Job) -> bool:
    """Whether nothing else wants the machine: what people asked for goes first, then projects that
    used less today. A worker begins a job that was due later beside the one it does, so that what it
    has in work counts too; and what another worker trains for the same project."""
    at_work = Job.objects.filter(
        queue=QUEUE, state=JobState.RUNNING, lease_until__gte=Now()
    ).exclude(pk=job.pk)
    mine_too = Q(kind__in=TRAININGS, project=job.project_id or 0)
    if at_work.filter(Q(worker=job.worker) | mine_too).exists():
        return False
    waiting = Job.objects.waiting(QUEUE)
    if waiting.exclude(kind=KIND).exists():
        return False
    if job.project is None:
        return True
    mine = (today(job.project).used, job.project_id or 0)
    others = waiting.filter(~Q(project=job.project), project__archived_at=None)
    return all(
        (today(other.project).used, other.project_id or 0) > mine
        for other in others.select_related("project")
        if other.project is not None
    )


def is_waited_for(job: Job) -> bool:
    """Whether a job of another kind finds no worker but the one that does this training. Of several trainings
    in the background those that began first give way, as many as wait."""
    lately = Now() - timedelta(seconds=WAITED_SECONDS)
    waiting = Job.objects.waiting(QUEUE).exclude(kind=KIND).filter(due_at__lte=lately).count()
    if not waiting:
        return False
    at_work = Job.objects.filter(
        queue=QUEUE, kind=KIND, state=JobState.RUNNING, lease_until__gte=Now()
    )
    return waiting > at_work.filter(started_at__lt=job.started_at).count()


@dataclass(kw_only=True)
class Turn:
    """A training in the background that gives way.

    spent: seconds that pieces of it before this one took. is_first: nothing gave way before.
    """

    run: jobs.Run
    spent: float = 0.0
    is_first: bool = True
    _got_on: float | None = None
    _looked: float = 0.0

    SPENT: ClassVar[str] = "spent"

    @classmethod
    def of(cls, run: jobs.Run) -> Turn:
        spent = run.params.get(cls.SPENT)
        return cls(run=run, spent=spent or 0.0, is_first=spent is None)

    def heed(self, done: int, *, keeps: bool) -> None:
        """Raise PauseError when others go first. done: how far the work is, 0 while it loads a model.

        Not in the first seconds behind that, nor in the last ones of a part of the work. What keeps nothing
        of its work, and begins anew, gives way once: it takes a minute or so, and else might never end.
        """
        from learning.errors import PauseError

        now = time.monotonic()
        if self._got_on is None and (done or not keeps):
            self._got_on = now
        if now - self._looked < LOOK_SECONDS or not (keeps or self.is_first):
            return
        self._looked = now
        if self._got_on is None or now - self._got_on < PIECE_SECONDS:
            return
        left = self.run.pace.seconds_left(now)
        is_nearly_done = left is not None and 0 <= left < PIECE_SECONDS
        if not is_nearly_done and is_waited_for(self.run.job):
            raise PauseError
