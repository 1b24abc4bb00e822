"""Files of answers that models gave elsewhere, and what they said about items of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from annotator.models.item import Item
from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class RecordingState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    READING = "reading", "Reading"
    NEEDS_DECISION = "needs_decision", "Needs a decision"
    DONE = "done", "Read"
    DISCARDED = "discarded", "Let go"
    FAILED = "failed", "Failed"


class RecordingQuerySet(models.QuerySet["Recording"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Recording(models.Model):
    """One uploaded file of answers; read, each model in it becomes a teacher."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="recordings")
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=16, choices=RecordingState, default=RecordingState.WAITING)
    # What the teacher is called, or how the names of several begin.
    name = models.CharField(max_length=100, blank=True)
    file_name = models.CharField(max_length=255)
    stored_name = models.CharField(max_length=100)
    format = models.CharField(max_length=32)
    size_bytes = models.BigIntegerField(default=0)
    # A column's name for each part of an answer, as `formats.answers.AnswerMapping` has it.
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = RecordingQuerySet.as_manager()

    def __str__(self) -> str:
        return self.file_name


class RecordedAnswer(models.Model):
    """What a model said elsewhere about one item."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    recording = models.ForeignKey(Recording, models.CASCADE, related_name="answers", db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    model = models.CharField(max_length=200, blank=True)
    # Label ids; null where it named none, or one that the project did not have: see `unknown`.
    labels = ArrayField(models.BigIntegerField(), null=True)
    # {label id: probability}; empty where none were recorded.
    probabilities = models.JSONField(default=dict)
    # What it marked: [{"label": id, "start", "end" or "quote", "before", and "confidence"}, …]; null
    # where it marked no spans, or named a label that the project did not have.
    spans = models.JSONField(null=True)
    # The candidates' numbers, the best first, equals in one list; null where it gave no order.
    order = models.JSONField(null=True)
    # The text that it wrote.
    written = models.TextField(blank=True, db_default="", default="")
    unknown = models.CharField(max_length=200, blank=True)
    confidence = models.FloatField(null=True)
    reason = models.CharField(max_length=1000, blank=True)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    money = models.FloatField(default=0.0)
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["recording", "model", "item"], name="one_recorded_answer_per_model_and_item"
            )
        ]

    def __str__(self) -> str:
        return f"recorded answer on item {self.item_id}"
