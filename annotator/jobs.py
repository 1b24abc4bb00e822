"""The only door to Celery: write a Job row, ring the bell after commit.

A message carries a job id and may be lost, doubled or late; the row decides. A worker claims a job
with one conditional UPDATE, keeps its lease alive by a heartbeat, and passes a fence before every
result it writes, so that a worker which slept past its lease can publish nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.db import DatabaseError, IntegrityError, InterfaceError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from annotator import outbox
from annotator.errors import AnnotatorError
from annotator.job_kinds import KINDS
from annotator.models import Job, JobState
from annotator.pace import Pace
from learning.errors import LearningError

if TYPE_CHECKING:
    from annotator.models import Project, User

logger = logging.getLogger(__name__)

LEASE_SECONDS = 30
HEARTBEAT_SECONDS = 5
RING_AGAIN_SECONDS = 10
BELLS_A_SWEEP = 500
MAX_ATTEMPTS = 5
TRIES = 5
PROGRESS_EVERY_SECONDS = 0.3
# Beside a job's id, the key of the advisory lock that parts a fence from a claim.
FENCE_LOCK = 7_001
# Beside the hash of a key, the lock that parts two claims of jobs with that key.
KEY_LOCK = 7_006


class CancelledError(AnnotatorError):
    code = "cancelled"
    status = 409


class FencedError(AnnotatorError):
    """Another attempt owns the job; this one must write nothing more."""

    code = "fenced"
    status = 409


def enqueue(
    kind: str,
    *,
    project: Project | None = None,
    params: dict[str, Any] | None = None,
    key: str = "",
    due_in_seconds: float = 0.0,
    started_by: User | None = None,
) -> Job | None:
    """Write a job row in the caller's transaction and ring after commit. With a `key`, at most one
    such job waits: returns None when one already does."""
    job = Job(
        kind=kind,
        queue=KINDS[kind].queue,
        project=project,
        params=params or {},
        key=key,
        due_at=Now() + timedelta(seconds=due_in_seconds),
        rung_at=Now() + timedelta(seconds=due_in_seconds),
        started_by=started_by,
    )
    if not key:
        job.save(force_insert=True)
    elif not _insert_unless_waiting(job):
        return None
    transaction.on_commit(partial(ring, job.pk, job.queue, due_in_seconds))
    return job


def _insert_unless_waiting(job: Job) -> bool:
    for tries_left in reversed(range(TRIES)):
        if _hold_waiting(job.key):
            return False
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:  # another wish came first: lean on it, unless it is taken already
            if not tries_left:
                raise
            continue
        return True
    return False


def _hold_waiting(key: str) -> bool:
    """Whether a job with this key waits; if so, it is not taken before the caller commits.

    The lock parts the wish from a worker, which would else do the job without what it is about. It
    is shared: wishes never wait for one another.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM annotator_job WHERE key = %s AND state = 'queued' FOR KEY SHARE", [key]
        )
        return cursor.fetchone() is not None


def ring(job_id: int, queue: str, due_in_seconds: float = 0.0) -> None:
    """Tell a worker that a job waits. A broken broker is logged only: the sweeper rings again."""
    try:
        current_app.send_task(
            "annotator.run_job",
            kwargs={"job_id": job_id},
            queue=queue,
            countdown=due_in_seconds or None,
            retry=False,
            ignore_result=True,
        )
    except (BrokerError, OSError) as error:
        logger.warning("broker unreachable, job %s waits for the sweeper: %s", job_id, error)


def request_cancel(job: Job) -> None:
    """Ask a job to stop: a waiting one stops at once, a running one at its next report."""
    waiting = Job.objects.filter(pk=job.pk, state=JobState.QUEUED)
    told = "Cancelled before it began"
    ended = waiting.update(state=JobState.CANCELLED, finished_at=Now(), message=told)
    if ended and (forget := KINDS[job.kind].forget):
        transaction.on_commit(partial(_named(forget), job))
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(cancel_requested=True)


def claim(job_id: int) -> Job | None:
    """Take a job that is due or whose worker is gone; None when it is not ours to take."""
    with transaction.atomic():
        if not _try_lock(job_id):  # its present owner is writing a result right now
            return None
        takeable = Q(state=JobState.QUEUED, due_at__lte=Now()) | Q(
            state=JobState.RUNNING, lease_until__lt=Now()
        )
        job = Job.objects.select_for_update().filter(takeable, pk=job_id).first()
        if job is None or _twin_is_running(job):
            return None
        if job.attempt >= MAX_ATTEMPTS:
            _give_up(job)
            return None
        Job.objects.filter(pk=job.pk).update(
            state=JobState.RUNNING,
            attempt=F("attempt") + 1,
            lease_until=Now() + timedelta(seconds=LEASE_SECONDS),
            heartbeat_at=Now(),
            started_at=Now(),
            expected_at=None,
            worker=_this_worker(),
            error="",
        )
        job.refresh_from_db()
        return job


def _this_worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"[:100]


def _try_lock(job_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_try_advisory_xact_lock(%s, %s)", [FENCE_LOCK, job_id & 0x7FFFFFFF]
        )
        row = cursor.fetchone()
    return bool(row and row[0])


def _twin_is_running(job: Job) -> bool:
    """One job per key at a time: training twice at once would only waste a core."""
    if not job.key:
        return False
    with connection.cursor() as cursor:
        # Parts a worker that takes an orphan over from one that takes its waiting twin.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [KEY_LOCK, job.key])
    twins = Job.objects.filter(key=job.key, state=JobState.RUNNING, lease_until__gte=Now())
    return twins.exclude(pk=job.pk).exists()


def _give_up(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(
        state=JobState.FAILED,
        finished_at=Now(),
        error=f"Its worker died {job.attempt} times. Look into the worker's log, then try again.",
    )
    _tell_of_failure(job)


@dataclass
class Run:
    """One attempt at a job, as the action that does the work sees it."""

    job: Job
    pace: Pace = field(default_factory=Pace)
    _written_at: float = 0.0
    _cancelled: threading.Event = field(default_factory=threading.Event)
    _lost: threading.Event = field(default_factory=threading.Event)

    @property
    def params(self) -> dict[str, Any]:
        params: dict[str, Any] = self.job.params
        return params

    @property
    def project(self) -> Project:
        """The job's project. Raises CancelledError when it was archived or purged meanwhile."""
        from annotator.models import Project

        project = Project.objects.active().filter(pk=self.job.project_id or 0).first()
        if project is None:
            raise CancelledError("The project was deleted while this job waited or ran.")
        return project

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Report how far the work is. Raises CancelledError or FencedError when it must stop."""
        self.check()
        now = time.monotonic()
        self.pace.note(done, total, now)
        if now - self._written_at < PROGRESS_EVERY_SECONDS and done < total:
            return
        self._written_at = now
        left = self.pace.seconds_left(now)
        expected = None if left is None else Now() + timedelta(seconds=left)
        self._beat(done=done, total=total, message=message[:300], expected_at=expected)

    def check(self) -> None:
        if self._lost.is_set():
            raise FencedError("Another worker took this job over.")
        if self._cancelled.is_set():
            raise CancelledError("Cancelled.")

    def heed(self) -> None:
        """Look whether it is to stop, which `check` knows since the last beat only."""
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            self._cancelled.set()
            raise CancelledError("Cancelled.")

    @contextlib.contextmanager
    def fence(self) -> Iterator[None]:
        """A transaction in which this attempt, and no other, may write results.

        The advisory lock parts this attempt from a worker which would claim the job meanwhile;
        the row stays free for the heartbeat.
        """
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_advisory_xact_lock(%s, %s)",
                    [FENCE_LOCK, self.job.pk & 0x7FFFFFFF],
                )
            if not self._mine().exists():
                raise FencedError("Another worker took this job over.")
            yield

    def _mine(self) -> Any:
        return Job.objects.filter(pk=self.job.pk, attempt=self.job.attempt, state=JobState.RUNNING)

    def _beat(self, **values: object) -> None:
        mine = self._mine().update(
            heartbeat_at=Now(), lease_until=Now() + timedelta(seconds=LEASE_SECONDS), **values
        )
        if not mine:
            self._lost.set()
            raise FencedError("Another worker took this job over.")
        self.heed()


@contextlib.contextmanager
def heartbeat(run: Run) -> Iterator[None]:
    """Keep the lease alive from a thread of its own while the work goes on."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(HEARTBEAT_SECONDS):
            try:
                run._beat()
            except (CancelledError, FencedError):
                pass  # told inside; the work sees it at its next report or fence
            except (DatabaseError, InterfaceError):
                connection.close()  # away for a moment: the next beat connects anew
        connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{run.job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=HEARTBEAT_SECONDS)


def execute(job_id: int) -> None:
    """Claim and do a job; the worker's whole duty. Refusals end it with their sentence."""
    job = claim(job_id)
    if job is None:
        return
    run = Run(job)
    started = time.monotonic()
    try:
        with heartbeat(run):
            result = _action(job.kind)(run)
    except FencedError:
        logger.info("job %s attempt %s lost its lease", job.pk, job.attempt)
        return
    except CancelledError as refusal:
        finish(job, JobState.CANCELLED, error=refusal.detail)
        return
    except AnnotatorError as refusal:
        finish(job, JobState.FAILED, error=refusal.detail)
        return
    except LearningError as refusal:
        finish(job, JobState.FAILED, error=str(refusal))
        return
    finish(job, JobState.DONE, result=result or {})
    logger.info("job %s %s done in %.2f s", job.pk, job.kind, time.monotonic() - started)


def finish(
    job: Job, state: JobState, *, error: str = "", result: dict[str, Any] | None = None
) -> None:
    """End this attempt of a job, then ring for its waiting twin if there is one."""
    mine = Job.objects.filter(pk=job.pk, attempt=job.attempt, state=JobState.RUNNING)
    with transaction.atomic():
        ended = mine.update(
            state=state, error=error, result=result or {}, finished_at=Now(), lease_until=None
        )
        if ended and state == JobState.FAILED:
            _tell_of_failure(job)
    if job.key:
        for twin in Job.objects.filter(key=job.key, state=JobState.QUEUED, due_at__lte=Now()):
            ring(twin.pk, twin.queue)


def fail(job_id: int, error: str) -> None:
    """Record that a job broke on something nobody foresaw; called by the task's failure hook.

    Only for the process that has it: one that lost its lease ends no other attempt.
    """
    mine = Job.objects.filter(pk=job_id, state=JobState.RUNNING, worker=_this_worker())
    with transaction.atomic():
        job = mine.select_for_update(no_key=True).first()
        if job is not None:
            mine.update(state=JobState.FAILED, error=error, finished_at=Now(), lease_until=None)
            _tell_of_failure(job)


def _tell_of_failure(job: Job) -> None:
    """Webhooks learn that it failed; why may quote what was uploaded, and is read with a token."""
    told = {"job": job.pk, "kind": job.kind, "attempt": job.attempt, "path": f"jobs/{job.pk}"}
    outbox.note(job.project_id, "job.failed", told)


def _action(kind: str) -> Callable[[Run], dict[str, Any] | None]:
    return _named(KINDS[kind].action)


def _named(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def sweep() -> int:
    """Ring again for what is due and was forgotten. Returns how many bells were rung."""
    long_ago = timezone.now() - timedelta(seconds=RING_AGAIN_SECONDS)
    waiting = Q(state=JobState.QUEUED, due_at__lte=Now())
    orphaned = Q(state=JobState.RUNNING, lease_until__lt=Now())
    unheard = Q(rung_at=None) | Q(rung_at__lt=long_ago)
    silent = Job.objects.filter(waiting | orphaned).filter(unheard)
    # Those that wait longest for a bell: else many old ones would have them all, again and again.
    longest = silent.order_by(F("rung_at").asc(nulls_first=True), "due_at", "pk")[:BELLS_A_SWEEP]
    forgotten = sorted(longest, key=lambda job: (job.due_at, job.pk))
    Job.objects.filter(pk__in=[job.pk for job in forgotten]).update(rung_at=Now())
    for job in forgotten:
        ring(job.pk, job.queue)
    return len(forgotten)
