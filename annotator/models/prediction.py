"""Files of a caller's own that a student labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Project
from annotator.models.student import StudentVersion

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class PredictionState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


LIVE = (PredictionState.WAITING, PredictionState.RUNNING)


class PredictedFileQuerySet(models.QuerySet["PredictedFile"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def live(self) -> Self:
        return self.filter(state__in=LIVE)


class PredictedFile(models.Model):
    """One uploaded file, the student that labels it, and the file that comes of it. Its rows are no
    items: nothing of it is imported."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="predicted_files")
    student = models.ForeignKey(StudentVersion, models.SET_NULL, null=True, related_name="+")
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(
        max_length=16, choices=PredictionState, default=PredictionState.WAITING
    )
    file_name = models.CharField(max_length=255)
    stored_name = models.CharField(max_length=100)
    # How it is read and written: {"reader", "text", "text_b", "format", "soft"}; of images both texts are "".
    settings = models.JSONField(default=dict)
    # Known once the file was read through: its columns, and how many rows.
    columns = models.JSONField(default=list)
    rows = models.PositiveIntegerField(null=True)
    report = models.JSONField(default=dict)
    result_name = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = PredictedFileQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="predicted_file_latest")]

    def __str__(self) -> str:
        return f"predictions for {self.file_name}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE
