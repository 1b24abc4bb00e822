"""The short queue of picks, and the leases people hold on items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

from annotator.models.annotation import Annotator, Stream
from annotator.models.item import Item
from annotator.models.people import Can, id_of
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class Pick(models.Model):
    """One place in the queue: an item waiting for one more person (one row per wanted answer)."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="picks")
    item = models.ForeignKey(Item, models.CASCADE, related_name="picks")
    slot = models.PositiveSmallIntegerField(default=0)
    rank = models.PositiveIntegerField()
    reason = models.CharField(max_length=300, blank=True)
    probability = models.FloatField(null=True)
    # The student's likeliest labels: [[label id, probability], …], at most five.
    suggestion = models.JSONField(default=list)
    # Far in the past while nobody holds it; written when leased so that a second reader skips it.
    leased_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "slot"], name="one_pick_per_slot"),
        ]
        indexes = [models.Index(fields=["project", "rank"], name="pick_rank")]

    def __str__(self) -> str:
        return f"pick {self.rank} of project {self.project_id}"


class AssignmentState(models.TextChoices):
    LEASED = "leased", "Leased"
    ANSWERED = "answered", "Answered"
    SKIPPED = "skipped", "Skipped"
    RELEASED = "released", "Released"
    EXPIRED = "expired", "Expired"


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def for_user(self, user: Viewer, can: Can = Can.LABEL) -> Self:
        """A person's own assignments: nobody works on somebody else's lease."""
        return self.filter(
            annotator__user_id=id_of(user), project__in=Project.objects.for_user(user, can)
        )


class Assignment(models.Model):
    """A lease: this item is with this annotator until a time. Kept as the record of the draw."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="assignments")
    item = models.ForeignKey(Item, models.CASCADE, related_name="assignments")
    annotator = models.ForeignKey(Annotator, models.CASCADE, related_name="assignments")
    # Which of the item's wanted answers this lease is for.
    slot = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=16, choices=AssignmentState, default=AssignmentState.LEASED)
    stream = models.CharField(max_length=16, choices=Stream, default=Stream.ACTIVE)
    reason = models.CharField(max_length=300, blank=True)
    probability = models.FloatField(null=True)
    suggestion = models.JSONField(default=list)
    # Any open item, because the queue was empty.
    fallback = models.BooleanField(default=False)
    leased_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    objects = AssignmentQuerySet.as_manager()

    class Meta:
        constraints = [
            # Two people who ask at the same moment never get the same wanted answer.
            models.UniqueConstraint(
                fields=["item", "slot"],
                name="one_live_lease_or_answer_per_slot",
                condition=models.Q(state__in=["leased", "answered"]),
            ),
            # Nobody meets an item twice.
            models.UniqueConstraint(
                fields=["item", "annotator"],
                name="one_meeting_per_voice",
                condition=models.Q(state__in=["leased", "answered", "skipped"]),
            ),
        ]
        indexes = [
            models.Index(
                fields=["annotator", "id"],
                name="assignment_live",
                condition=models.Q(state="leased"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} lease of item {self.item_id}"
