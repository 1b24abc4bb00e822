"""By what a teacher labels beside people: the policy, its trail, and what follows from it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from annotator.models.annotation import Annotation
from annotator.models.item import Item
from annotator.models.people import Can, User
from annotator.models.project import Project
from annotator.models.teacher import Teacher, TeacherRun, money_field

if TYPE_CHECKING:
    from annotator.models.people import Viewer


def router_choices() -> list[tuple[str, str]]:
    from learning.routing import ROUTERS

    return ROUTERS.choices()


class Policy(models.Model):
    """Which teacher labels beside people, how much of the work, and when its word is enough.

    A project without a row has people only, and so has one whose policy is off.
    """

    SETTINGS = (
        *("enabled", "teacher", "router", "human_share", "confidence", "double_share"),
        *("seed_size", "hour_price", "unqualified"),
    )

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="policy")
    enabled = models.BooleanField(default=False)
    teacher = models.ForeignKey(Teacher, models.SET_NULL, null=True, related_name="+")
    # "": the loop. People are asked where student and teacher together are in doubt, and words are
    # judged by the router that does best on the seed.
    router = models.CharField(max_length=32, choices=router_choices, default="", blank=True)
    # The share of the pool that people label.
    human_share = models.FloatField(default=0.2)
    # How likely right a teacher's word has to be to become a verdict.
    confidence = models.FloatField(default=0.9)
    # The share of the teacher's answers that a person is asked about too, drawn at random.
    double_share = models.FloatField(default=0.05)
    # Items that both are asked about before the teacher labels anything else.
    seed_size = models.PositiveIntegerField(default=100)
    # What an hour of a person costs, in the currency of the teachers' prices.
    hour_price = money_field(default=Decimal(0))
    # Whether a teacher may label that was not shown to be fit by its test.
    unqualified = models.BooleanField(default=False)
    # The teacher's answers up to this one had their chance of being asked again of a person.
    considered = models.PositiveBigIntegerField(default=0)
    # What keeps the teacher from being asked now; "" when nothing does.
    trouble = models.CharField(max_length=300, blank=True)
    # A run that was cancelled or failed before this moment holds nothing up.
    resumed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"policy of project {self.project_id}"

    def to_json(self) -> dict[str, Any]:
        """The settings as the trail keeps them."""
        kept = {name: getattr(self, name) for name in self.SETTINGS if name != "teacher"}
        return kept | {"teacher": self.teacher_id, "hour_price": str(self.hour_price)}


class PolicyChangeQuerySet(models.QuerySet["PolicyChange"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class PolicyChange(models.Model):
    """A line of the trail: who changed the policy, when, from what to what, and what was foretold."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="policy_changes")
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    # The point of the curve that was chosen, {} where none was.
    foretold = models.JSONField(default=dict)
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    objects = PolicyChangeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="policy_change_latest")]

    def __str__(self) -> str:
        return f"change {self.pk} of the policy of project {self.project_id}"


class Drawn(models.TextChoices):
    """Why both a person and the teacher are asked about an item."""

    AUDIT = "audit", "Seed of the audit sample"
    RANDOM = "random", "Drawn from the pool"
    CHECK = "check", "Drawn from the teacher's answers"


class Double(models.Model):
    """An item that both a person and a teacher answer, drawn at random with a known probability."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="doubles", db_index=False)
    teacher = models.ForeignKey(Teacher, models.CASCADE, related_name="doubles", db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    why = models.CharField(max_length=16, choices=Drawn)
    probability = models.FloatField()
    drawn_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["teacher", "item"], name="one_double_per_item")
        ]
        indexes = [models.Index(fields=["project", "teacher"], name="double_of_teacher")]

    def __str__(self) -> str:
        return f"item {self.item_id}, {self.why}"


class Acceptance(models.Model):
    """A teacher's word that the policy takes for the verdict while no person has answered.

    Never deleted, only ended, so that a snapshot finds what stood when it was taken.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="acceptances", db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="acceptances", db_index=False)
    annotation = models.ForeignKey(
        Annotation, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    # How likely right the word was held to be when it was accepted.
    p_right = models.FloatField()
    accepted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"],
                name="one_standing_acceptance",
                condition=models.Q(ended_at=None),
            )
        ]
        indexes = [
            models.Index(fields=["item", "accepted_at"], name="acceptance_of_item"),
            models.Index(
                fields=["project"],
                name="acceptance_standing",
                condition=models.Q(ended_at=None),
            ),
            models.Index(fields=["annotation"], name="acceptance_of_word"),
        ]

    def __str__(self) -> str:
        return f"acceptance of annotation {self.annotation_id}"


class Routing(models.Model):
    """What the last routing found: who is asked next and why, the curve, the scoreboard."""

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="routing"
    )
    teacher = models.ForeignKey(Teacher, models.SET_NULL, null=True, related_name="+")
    router = models.CharField(max_length=32, blank=True)
    # Double-labelled answers that it rests on.
    seed = models.PositiveIntegerField(default=0)
    # Numbers of the items that people are asked about first, and why, in their order.
    numbers = ArrayField(models.PositiveIntegerField(), default=list)
    reasons = ArrayField(models.CharField(max_length=300), default=list)
    # The teacher's latest run of the policy's making.
    run = models.ForeignKey(TeacherRun, models.SET_NULL, null=True, related_name="+")
    curve = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    computed_at = models.DateTimeField(null=True)
    scoreboard = models.JSONField(default=dict)
    scored_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"routing of project {self.project_id}"
