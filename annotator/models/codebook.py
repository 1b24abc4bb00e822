"""The codebook's history: what labels and guidelines said before, who changed it, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Label, Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class CodebookChangeQuerySet(models.QuerySet["CodebookChange"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class CodebookChange(models.Model):
    """A line of the codebook's history: of a label, or of the guidelines where it names none."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="codebook_changes")
    label = models.ForeignKey(Label, models.CASCADE, null=True, related_name="changes")
    name_before = models.CharField(max_length=Label.LONGEST_NAME, blank=True)
    name_after = models.CharField(max_length=Label.LONGEST_NAME, blank=True)
    before = models.TextField(blank=True)
    after = models.TextField(blank=True)
    # Said by whoever changed it; a clearer wording of the same is no other meaning.
    means_else = models.BooleanField(default=False)
    # Items that were put before reviewers for it.
    asked = models.PositiveIntegerField(default=0)
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    objects = CodebookChangeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="codebook_change_latest")]

    def __str__(self) -> str:
        return self.name_after or "guidelines"
