"""The short queue of picks, and the leases people hold on items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from annotator.models.annotation import Annotator, Stream
from annotator.models.item import Item
from annotator.models.people import Can, User, id_of
from annotator.models.project import Label, Project

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
    # The student's likeliest labels: [[label id, probability], …], at most ten.
    suggestion = models.JSONField(default=list)
    # The labels that hold with a stated coverage: {"coverage": 0.9, "sure": [label id, …],
    # "maybe": [label id, …]}, likeliest first; null where there is no promise.
    label_set = models.JSONField(null=True)
    # How many labels are left to decide between, all counted.
    set_size = models.PositiveIntegerField(null=True)
    # The one label that is asked about; without it the whole answer is.
    question = models.ForeignKey(Label, models.CASCADE, null=True, db_index=False, related_name="+")
    # Far in the past while nobody holds it; written when leased so that a second reader skips it.
    leased_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "slot"], name="one_pick_per_slot"),
        ]
        indexes = [models.Index(fields=["project", "rank"], name="pick_rank")]

    def __str__(self) -> str:
        return f"pick {self.rank} of project {self.project_id}"


class SeedingQuerySet(models.QuerySet["Seeding"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def standing(self) -> Self:
        """Wishes that nobody took back."""
        return self.filter(ended_at=None)


class Seeding(models.Model):
    """A lead's wish that people are asked about these items next: hits of a search, or an example's
    likes; or what a person said of stretches that look like a label."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="seedings")
    # What was searched for, or "" where the items are like an example.
    query = models.CharField(max_length=300, blank=True)
    example = models.ForeignKey(Item, models.SET_NULL, null=True, db_index=False, related_name="+")
    # Item numbers, best first.
    numbers = ArrayField(models.PositiveIntegerField(), default=list)
    # Of a search by type: [item number, start, end] of what is one and of what is not.
    label = models.ForeignKey("Label", models.CASCADE, null=True, db_index=False, related_name="+")
    kept = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    refused = models.JSONField(default=list, db_default=models.Value([], models.JSONField()))
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    # What was said of stretches is forgotten; one that has only ended is remembered.
    taken_back_at = models.DateTimeField(null=True)

    objects = SeedingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["project", "-id"],
                name="seeding_standing",
                condition=models.Q(ended_at=None),
            )
        ]

    def __str__(self) -> str:
        return f"seeding of {len(self.numbers)} items"


class GoldItemQuerySet(models.QuerySet["GoldItem"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def standing(self) -> Self:
        """Those that are asked; what was asked of others stays for the figures."""
        return self.filter(ended_at=None, item__removed_at=None)


class GoldItem(models.Model):
    """An item whose answer a lead declared known, mixed in to see how well people answer."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="gold_items")
    item = models.OneToOneField(Item, models.CASCADE, related_name="gold")
    labels = ArrayField(models.BigIntegerField(), default=list)
    # Why this is the answer; read after it in the entry round.
    note = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    objects = GoldItemQuerySet.as_manager()

    def __str__(self) -> str:
        return f"gold item {self.item_id}"


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
    # The one label that is asked about. Such a lease has places of its own beside the whole answers.
    question = models.ForeignKey(Label, models.CASCADE, null=True, db_index=False, related_name="+")
    # Which of the item's wanted answers this lease is for.
    slot = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=16, choices=AssignmentState, default=AssignmentState.LEASED)
    stream = models.CharField(max_length=16, choices=Stream, default=Stream.ACTIVE)
    reason = models.CharField(max_length=300, blank=True)
    probability = models.FloatField(null=True)
    suggestion = models.JSONField(default=list)
    # As of the pick: what the person was shown.
    label_set = models.JSONField(null=True)
    set_size = models.PositiveIntegerField(null=True)
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
                condition=models.Q(state__in=["leased", "answered"], question=None),
            ),
            models.UniqueConstraint(
                fields=["item", "question", "slot"],
                name="one_live_question_per_slot",
                condition=models.Q(state__in=["leased", "answered"], question__isnull=False),
            ),
            # Nobody meets an item twice, nor a question about it.
            models.UniqueConstraint(
                fields=["item", "annotator"],
                name="one_meeting_per_voice",
                condition=models.Q(state__in=["leased", "answered", "skipped"], question=None),
            ),
            models.UniqueConstraint(
                fields=["item", "annotator", "question"],
                name="one_question_per_voice",
                condition=models.Q(
                    state__in=["leased", "answered", "skipped"], question__isnull=False
                ),
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
