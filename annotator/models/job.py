"""Background work as a row; the broker only carries its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class JobState(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class JobQuerySet(models.QuerySet["Job"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def live(self) -> Self:
        return self.filter(state__in=[JobState.QUEUED, JobState.RUNNING])

    def waiting(self, *queues: str) -> Self:
        """Those that a free worker of these queues would take now: due, and no twin of them at work."""
        twins = Job.objects.filter(
            ~models.Q(key=""),
            key=models.OuterRef("key"),
            state=JobState.RUNNING,
            lease_until__gte=Now(),
        )
        due = self.filter(queue__in=queues, state=JobState.QUEUED, due_at__lte=Now())
        return due.filter(~models.Exists(twins))


class Job(models.Model):
    """State, attempt, lease, heartbeat, progress and cancel of one piece of background work."""

    kind = models.CharField(max_length=32)
    queue = models.CharField(max_length=16)
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="jobs")
    params = models.JSONField(default=dict)
    # At most one waiting job per key: a burst of wishes costs one job.
    key = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=16, choices=JobState, default=JobState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    rung_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    # When the present part of the work will be done, at the pace of its last minute.
    expected_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=100, blank=True)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    message = models.CharField(max_length=300, blank=True)
    error = models.TextField(blank=True)
    result = models.JSONField(default=dict)
    cancel_requested = models.BooleanField(default=False)
    started_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"],
                name="one_waiting_job_per_key",
                condition=models.Q(state="queued") & ~models.Q(key=""),
            )
        ]
        indexes = [
            models.Index(
                fields=["state", "due_at"],
                name="job_due",
                condition=models.Q(state__in=["queued", "running"]),
            ),
            models.Index(fields=["project", "-id"], name="job_project_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_over(self) -> bool:
        return self.state in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}

    @property
    def seconds_left(self) -> float | None:
        """Time left of the present part of the work, or None while it cannot be told."""
        if self.is_over or self.expected_at is None or self.heartbeat_at is None:
            return None
        left = (self.expected_at - self.heartbeat_at).total_seconds()
        return left if left >= 0 else None  # it takes longer than the minute before
