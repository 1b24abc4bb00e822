"""How far a teacher can be trusted: its trial, replays of it, planted items, its confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from annotator.models.item import Item
from annotator.models.people import Can
from annotator.models.project import Project
from annotator.models.teacher import Teacher, TeacherRun

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class QualificationQuerySet(models.QuerySet["Qualification"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Qualification(models.Model):
    """What a trial found of a teacher as it was set up then; written whole at its end or not at all."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    teacher = models.ForeignKey(
        Teacher, models.CASCADE, related_name="qualifications", db_index=False
    )
    run = models.OneToOneField(TeacherRun, models.CASCADE, related_name="qualification")
    # Model, prompt and labels as they were; with others the teacher must qualify again.
    identity = models.CharField(max_length=64)
    qualified = models.BooleanField(default=False)
    # The largest number of items in one prompt that was safe.
    items_per_prompt = models.PositiveSmallIntegerField(default=1)
    report = models.JSONField(default=dict)
    # {item number: label ids}: what people said of the gold items, and what it said, asked alone.
    gold = models.JSONField(default=dict)
    said = models.JSONField(default=dict)
    # {label id: probability} that it gives texts without content; null where nothing was told.
    prior = models.JSONField(null=True)
    # The ids that the model gave itself, and another one that it gave in a later run.
    model_ids = ArrayField(models.CharField(max_length=200), default=list)
    moved_to = models.CharField(max_length=200, blank=True)
    moved_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = QualificationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["teacher", "-id"], name="qualification_latest")]

    def __str__(self) -> str:
        return f"qualification {self.pk}"


class ReplayQuerySet(models.QuerySet["Replay"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Replay(models.Model):
    """The gold items of a qualification, asked again: does the teacher still answer as it did?"""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    teacher = models.ForeignKey(Teacher, models.CASCADE, related_name="replays", db_index=False)
    qualification = models.ForeignKey(Qualification, models.CASCADE, related_name="replays")
    run = models.OneToOneField(TeacherRun, models.CASCADE, related_name="replay")
    found = models.JSONField(default=dict)
    # What a lead must know, in sentences; none means that nothing speaks for a change.
    alarms = ArrayField(models.TextField(), default=list)
    created_at = models.DateTimeField(db_default=Now())

    objects = ReplayQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["teacher", "-id"], name="replay_latest")]

    def __str__(self) -> str:
        return f"replay {self.pk}"


class Canary(models.Model):
    """A planted item of a run: a gold item's text that asks for a wrong label.

    It is no item of the project, and what is said to it is nobody's answer.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    teacher = models.ForeignKey(Teacher, models.CASCADE, related_name="canaries")
    run = models.ForeignKey(TeacherRun, models.CASCADE, related_name="canaries", db_index=False)
    # Below 0, as no real item's; the real item that it is sent beside.
    number = models.IntegerField()
    beside = models.PositiveIntegerField()
    host = models.ForeignKey(Item, models.CASCADE, related_name="+")
    attack = models.CharField(max_length=32)
    # The label id that it asks for, the host's own, and those that the teacher gave.
    target = models.BigIntegerField()
    truth = ArrayField(models.BigIntegerField(), default=list)
    labels = ArrayField(models.BigIntegerField(), default=list)
    abstained = models.BooleanField(default=False)
    # The settings under which it was answered, and when; null while it was not asked.
    fingerprint = models.CharField(max_length=64, blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="one_canary_per_number")
        ]

    def __str__(self) -> str:
        return f"canary {self.number} of run {self.run_id}"


class Calibration(models.Model):
    """How a teacher's confidence is to be read, fitted on answers that people audited."""

    teacher = models.OneToOneField(
        Teacher, models.CASCADE, primary_key=True, related_name="calibration"
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    # The settings whose answers it is about; answers under other ones are not read by it.
    fingerprint = models.CharField(max_length=64, blank=True)
    # The fitted parameters; null while there are too few answers, `missing` of them.
    fitted = models.JSONField(null=True)
    answers = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    # Stated confidence against how often it was right, before and after, on items not fitted on.
    checked = models.JSONField(null=True)
    # Over the answers that it rests on; equal ones need no second fit.
    basis = models.CharField(max_length=64, blank=True)
    # 0…1: what obeying planted items takes from every probability.
    trust = models.FloatField(default=1.0)
    # The ledger position up to which answers were read.
    position = models.PositiveBigIntegerField(default=0)
    computed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"calibration of teacher {self.teacher_id}"
