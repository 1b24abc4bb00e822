"""Questions put to reviewers, and who holds which item on its way through review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from annotator.models.annotation import Annotation, Annotator, Outcome
from annotator.models.codebook import CodebookChange
from annotator.models.item import Item
from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class FlagKind(models.TextChoices):
    PERSON = "person", "Asked by a person"
    DEFINITION = "definition", "Its label means something else"
    DETECTOR = "detector", "Looks wrong"
    # Mixed in unmarked, so that the errors which no detector sees are counted too.
    RANDOM = "random", "Drawn at random"


ASKED = (FlagKind.PERSON, FlagKind.DEFINITION)
MACHINES = (FlagKind.DETECTOR, FlagKind.RANDOM)


class FlagState(models.TextChoices):
    OPEN = "open", "Open"
    SETTLED = "settled", "Settled"


class FlagQuerySet(models.QuerySet["Flag"]):
    def for_user(self, user: Viewer, can: Can = Can.REVIEW) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def by_machines(self) -> Self:
        return self.filter(kind__in=MACHINES)


class Flag(models.Model):
    """A question put to a reviewer: is this label wrong?"""

    project = models.ForeignKey(Project, models.CASCADE, related_name="flags")
    item = models.ForeignKey(Item, models.CASCADE, related_name="flags")
    kind = models.CharField(max_length=16, choices=FlagKind, default=FlagKind.PERSON)
    # Who asks; nobody where a machine does, or a change of the codebook.
    raised_by = models.ForeignKey(Annotator, models.CASCADE, null=True, related_name="flags")
    change = models.ForeignKey(CodebookChange, models.CASCADE, null=True, related_name="flags")
    reason = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=16, choices=FlagState, default=FlagState.OPEN)
    created_at = models.DateTimeField(auto_now_add=True)

    # The label in question; a person asks about the item. Of machines only: 0 surely wrong … 1 surely
    # right, and why.
    labels = ArrayField(models.BigIntegerField(), default=list)
    score = models.FloatField(null=True)
    suggested = ArrayField(models.BigIntegerField(), default=list)
    # [{"detector": name, "score": 0…1, "words": sentence}, …], the most telling first; "others" are items
    # that the sentence is about: [{"number": int, "name": str}, …].
    evidence = models.JSONField(default=list)
    # {detector: 0…1}, what each said: from these and the outcomes the combined score learns.
    scores = models.JSONField(default=dict)
    # The place among the open cases, best first.
    rank = models.PositiveIntegerField(default=0)
    # How likely the item was to be drawn, where chance had a part.
    probability = models.FloatField(null=True)

    outcome = models.CharField(max_length=16, choices=Outcome, blank=True, default="")
    # The reviewer's word that settled it, if it took one.
    word = models.ForeignKey(
        Annotation, models.DO_NOTHING, null=True, db_constraint=False, related_name="settled_flags"
    )
    settled_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "raised_by"],
                name="one_open_flag_per_voice",
                condition=models.Q(state="open"),
            ),
            models.UniqueConstraint(
                fields=["item"],
                name="one_open_flag_of_machines",
                condition=models.Q(state="open", kind__in=MACHINES),
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "rank"], name="flag_open", condition=models.Q(state="open")
            ),
            # Few among very many, and looked for with each case.
            models.Index(
                fields=["project"],
                name="flag_asked",
                condition=models.Q(state="open", kind__in=ASKED),
            ),
        ]

    def __str__(self) -> str:
        return f"flag on item {self.item_id}"

    @property
    def by_machine(self) -> bool:
        """Whether a detector or chance asks."""
        return self.kind in MACHINES


class ReviewCase(models.Model):
    """An item on its way through review: who looks at it until when, and who was unsure.

    Whoever was unsure is not asked again: a second reviewer decides.
    """

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="case")
    project = models.ForeignKey(Project, models.CASCADE, related_name="cases")
    reviewer = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    leased_until = models.DateTimeField(null=True)
    unsure = ArrayField(models.BigIntegerField(), default=list)

    def __str__(self) -> str:
        return f"case of item {self.item_id}"
