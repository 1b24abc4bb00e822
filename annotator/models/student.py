"""Encodings of a project's items and the students trained on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Value
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class Encoding(models.Model):
    """A matrix on disk: rows 0…`rows`-1 of the project's items under one encoder fingerprint.

    apart: of items of two texts, each row has the vectors of both side by side.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="encodings")
    encoder = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64)
    dimensions = models.PositiveIntegerField()
    rows = models.PositiveIntegerField(default=0)
    apart = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "fingerprint"], name="one_matrix_per_fingerprint"
            )
        ]

    def __str__(self) -> str:
        return f"{self.encoder} ({self.rows} rows)"


class StudentState(models.TextChoices):
    TRAINING = "training", "Training"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class EstimateSource(models.TextChoices):
    NONE = "", "Not known yet"
    AUDIT = "audit", "Random sample"
    FOLDS = "out-of-fold", "Out of fold"


class StudentVersionQuerySet(models.QuerySet["StudentVersion"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def ready(self) -> Self:
        return self.filter(state=StudentState.READY)


class StudentVersion(models.Model):
    """A trained student, what it learned from, and how good it is."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="students")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    state = models.CharField(max_length=16, choices=StudentState, default=StudentState.TRAINING)
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    encoding = models.ForeignKey(Encoding, models.SET_NULL, null=True, related_name="+")
    # Label ids in the order of the probability columns.
    label_ids = ArrayField(models.BigIntegerField(), default=list)
    position = models.PositiveBigIntegerField(default=0)
    trained_on = models.PositiveIntegerField(default=0)
    # Of the answers it learned from, those given by people.
    answers = models.PositiveIntegerField(default=0)
    folder = models.CharField(max_length=200, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    # A hash of what it learned from: the same for the same lesson. "" for versions of before.
    lesson = models.CharField(max_length=64, blank=True, default="", db_default="")
    seconds = models.FloatField(default=0.0)
    device = models.CharField(max_length=32, default="cpu")

    accuracy = models.FloatField(null=True)
    accuracy_low = models.FloatField(null=True)
    accuracy_high = models.FloatField(null=True)
    evaluated_on = models.PositiveIntegerField(default=0)
    estimate = models.CharField(max_length=16, choices=EstimateSource, default="", blank=True)
    metrics = models.JSONField(default=dict)
    # Of its own items, the share that it had right after each pass over them; [] where it makes none.
    by_epoch = models.JSONField(default=list, db_default=Value([], models.JSONField()))
    # Which voice taught it beside the answers, by how many soft rows of what weight, and what that
    # bought; or which one was not good enough; `unanswered` is what items alone taught it, `warm` what of
    # another project it began with. {} for nothing.
    beside = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    created_at = models.DateTimeField(auto_now_add=True)
    promoted_at = models.DateTimeField(null=True)

    objects = StudentVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_student_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.kind} v{self.number}"


class WarmStartQuerySet(models.QuerySet["WarmStart"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def live(self) -> Self:
        return self.filter(withdrawn_at=None)


class WarmStart(models.Model):
    """What a project's head begins with: weights of another project's labels, taken over once.

    They stay as they are whatever becomes of that project, and of who may see it. One that was withdrawn
    keeps what versions that began with it are not to be judged on.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="warm_starts")
    source = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="+")
    source_name = models.CharField(max_length=200)
    # [{"theirs": label id, "called": its name then, "ours": id of the label here}]
    matches = models.JSONField(default=list)
    # Answered items that the weights were learned from, and where these lie; "" until then.
    rows = models.PositiveIntegerField(default=0)
    folder = models.CharField(max_length=200, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    # Eight bytes of the content of each of these; none was an item here while there were so many.
    contents = models.BinaryField(default=bytes)
    items = models.PositiveIntegerField(default=0)
    # Why nothing was taken over.
    trouble = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True)

    objects = WarmStartQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(withdrawn_at=None),
                name="one_live_warm_start",
            )
        ]

    def __str__(self) -> str:
        return f"from “{self.source_name}”"

    @property
    def columns(self) -> list[int]:
        """The labels here that begin with something, in the order of the weights."""
        return list(dict.fromkeys(each["ours"] for each in self.matches))


class When(models.TextChoices):
    NEVER = "never", "Never"
    GPU = "gpu", "Where there is a GPU"
    ALWAYS = "always", "Always"


class RecipeQuerySet(models.QuerySet["Recipe"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Recipe(models.Model):
    """A kind of student that a project trains in the background, with its parameters."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="recipes")
    kind = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    when = models.CharField(max_length=8, choices=When, default=When.NEVER)
    # Labelled items at its last run, and when that was; also of a run that failed.
    tried_on = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    # Why the last run brought nothing.
    trouble = models.TextField(blank=True)

    objects = RecipeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "kind"], name="one_recipe_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.kind}, {self.when}"


class PromotionRule(models.TextChoices):
    FIRST = "first", "The first student"
    REFIT = "refit", "The same recipe on more labels"
    CHALLENGE = "challenge", "Another recipe, tested against the serving one"
    HAND = "hand", "Chosen by a person"
    BACK = "back", "Chosen by a person, back from later ones of its recipe"


class PromotionQuerySet(models.QuerySet["Promotion"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Promotion(models.Model):
    """A decision whether a version takes the current one's place, with the numbers it rests on.

    It outlives the version: a recipe that was tested and deleted has still been tested.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="promotions")
    version = models.ForeignKey(
        StudentVersion, models.SET_NULL, null=True, related_name="promotions"
    )
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=32)
    params = models.JSONField(default=dict)
    against = models.PositiveIntegerField(null=True)
    rule = models.CharField(max_length=16, choices=PromotionRule)
    took_over = models.BooleanField()
    # The paired comparison as `learning` gives it, with `alpha`, the level of the test, and
    # `answers`, the evaluation answers that there were.
    figures = models.JSONField(default=dict)
    made_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = PromotionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="promotion_latest")]

    def __str__(self) -> str:
        return f"{self.rule} of student {self.number}"
