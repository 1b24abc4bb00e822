"""What each student version says of the audit sample, kept so that versions can be compared on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from annotator.models.people import Can
from annotator.models.project import Project
from annotator.models.student import StudentVersion

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class AuditSheetQuerySet(models.QuerySet["AuditSheet"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class AuditSheet(models.Model):
    """One version's word on the audit items, answered or not, written when it was trained.

    Its files may go; the sheet stays, so that an old version is judged on items answered later.
    """

    version = models.OneToOneField(
        StudentVersion, models.CASCADE, primary_key=True, related_name="sheet"
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="audit_sheets")
    # Item numbers in the secret order; beside each the label ids said of it, and the doubt 0…1.
    numbers = ArrayField(models.PositiveIntegerField(), default=list)
    said = models.JSONField(default=list)
    doubts = ArrayField(models.FloatField(), default=list)
    # What is said of each in full, where answers are more than labels.
    values = models.JSONField(null=True)
    # Evaluation and calibration items known when it was trained: surely none of its own.
    held = ArrayField(models.PositiveIntegerField(), default=list)
    # The figures of this version, and the ledger position at which they were computed.
    figures = models.JSONField(null=True)
    position = models.PositiveBigIntegerField(default=0)
    computed_at = models.DateTimeField(null=True)

    objects = AuditSheetQuerySet.as_manager()

    def __str__(self) -> str:
        return f"audit sheet of student {self.version_id}"


class SetCalibrationQuerySet(models.QuerySet["SetCalibration"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class SetCalibration(models.Model):
    """How one version's answer sets were calibrated, and how often they have held since."""

    version = models.OneToOneField(
        StudentVersion, models.CASCADE, primary_key=True, related_name="sets"
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="set_calibrations")
    method = models.CharField(max_length=32)
    coverage = models.FloatField()
    # Answered calibration items that the version never learned from.
    items = models.PositiveIntegerField(default=0)
    # The thresholds as `learning` writes them; null while there are too few items for a promise.
    thresholds = models.JSONField(null=True)
    figures = models.JSONField(default=dict)
    position = models.PositiveBigIntegerField(default=0)
    computed_at = models.DateTimeField(auto_now=True)

    objects = SetCalibrationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"answer sets of student {self.version_id}"
