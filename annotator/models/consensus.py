"""What answers of several voices to the same items tell about the voices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models

from annotator.models.annotation import Annotator
from annotator.models.people import Can
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class ConsensusFitQuerySet(models.QuerySet["ConsensusFit"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class ConsensusFit(models.Model):
    """The latest fit of a project's consensus method, and how far its voices agree."""

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="consensus_fit"
    )
    # The method whose skills these are; empty while too few items can teach one.
    method = models.CharField(max_length=32, blank=True)
    # The ledger position up to which answers were read, and how many items had something to compare.
    position = models.PositiveBigIntegerField(default=0)
    items = models.PositiveIntegerField(default=0)
    # What the method learnt, but for the voices, whose rows are `Skill`.
    model = models.JSONField(default=dict)
    agreement = models.JSONField(default=dict)
    fitted_at = models.DateTimeField()

    objects = ConsensusFitQuerySet.as_manager()

    def __str__(self) -> str:
        return f"consensus of project {self.project_id} at {self.position}"


class SkillQuerySet(models.QuerySet["Skill"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Skill(models.Model):
    """What a voice's answers to items with something to compare say about it."""

    annotator = models.OneToOneField(
        Annotator, models.CASCADE, primary_key=True, related_name="skill"
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="skills")
    # The share of `votes` answers that were probably right, with its 95 % interval; null without any.
    accuracy = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    votes = models.PositiveIntegerField(default=0)
    record = models.JSONField(default=dict)

    objects = SkillQuerySet.as_manager()

    def __str__(self) -> str:
        return f"skill of {self.annotator_id}"
