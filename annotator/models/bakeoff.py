"""Comparisons of encoders on a project's own labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class BakeOffQuerySet(models.QuerySet["BakeOff"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class BakeOff(models.Model):
    """Several encoders on the same labelled items and draws; its job says how far it is."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="bakeoffs")
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    # [{"encoder", "params", "label"}], and for each place in it, as a text, what was found: {"scores":
    # by draw, "seconds": per 1,000 items, "dimensions"} or {"error"}.
    candidates = models.JSONField(default=list)
    results = models.JSONField(default=dict)
    # Frozen when it begins: [[item number, group of equal contents, [label ids]]].
    items = models.JSONField(default=list)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = BakeOffQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="bakeoff_latest")]

    def __str__(self) -> str:
        return f"bake-off {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.job is not None and not self.job.is_over

    def result(self, place: int) -> dict[str, Any] | None:
        """What was found of a candidate, or None so far."""
        found: dict[str, Any] | None = self.results.get(str(place))
        return found
