"""Immutable exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class SnapshotState(models.TextChoices):
    WRITING = "writing", "Being written"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class SnapshotQuerySet(models.QuerySet["Snapshot"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Snapshot(models.Model):
    """An export fixed at a ledger position: the same bytes each time, with a manifest."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="snapshots")
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=16, choices=SnapshotState, default=SnapshotState.WRITING)
    position = models.PositiveBigIntegerField(default=0)
    # Items with a number below this were in the project when it was taken.
    item_count = models.PositiveIntegerField(default=0)
    options = models.JSONField(default=dict)
    manifest = models.JSONField(default=dict)
    stored_name = models.CharField(max_length=100, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SnapshotQuerySet.as_manager()

    def __str__(self) -> str:
        return f"snapshot {self.pk}"
