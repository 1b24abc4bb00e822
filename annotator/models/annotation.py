"""Voices, what they said (the ledger), and what follows from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from annotator.models.item import Item
from annotator.models.people import Can, User, id_of
from annotator.models.project import Label, Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class AnnotatorKind(models.TextChoices):
    PERSON = "person", "Person"
    IMPORT = "import", "Import"
    TEACHER = "teacher", "Teacher"
    STUDENT = "student", "Student"


class AnnotatorQuerySet(models.QuerySet["Annotator"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Annotator(models.Model):
    """A voice in a project: a person, an imported file, a teacher or a student."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="annotators")
    kind = models.CharField(max_length=16, choices=AnnotatorKind, default=AnnotatorKind.PERSON)
    user = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="voices")
    name = models.CharField(max_length=150)
    weight = models.FloatField(default=1.0)
    # An import whose labels were declared true: its answer is the verdict at once.
    truth = models.BooleanField(default=False)
    # Items handed to this voice so far; decides whose turn the audit stream is.
    served = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AnnotatorQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"],
                name="one_voice_per_person",
                condition=models.Q(user__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["project", "kind", "name"],
                name="one_machine_voice_per_name",
                condition=~models.Q(kind="person"),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Stream(models.TextChoices):
    ACTIVE = "active", "Active"
    AUDIT = "audit", "Audit"
    GOLD = "gold", "Gold"
    REVIEW = "review", "Review"
    IMPORT = "import", "Import"


class AnnotationKind(models.TextChoices):
    ANSWER = "answer", "Answer"
    SKIP = "skip", "Skip"
    RETRACTION = "retraction", "Retraction"


class Outcome(models.TextChoices):
    """What a reviewer's word made of an item."""

    NONE = "", "Not reviewed"
    KEEP = "keep", "Kept"
    CHANGE = "change", "Changed"
    DECIDE = "decide", "Decided"  # there was no label in question, only voices that differed
    AMBIGUOUS = "ambiguous", "Several labels fit"
    BAD = "bad", "Bad item"


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def by_user(self, user: Viewer) -> Self:
        return self.filter(annotator__user_id=id_of(user))

    def last_words(self) -> Self:
        """What no later row of the same voice takes back or changes.

        Not `successor=None`: the planner then expects one row, reads all of them and sorts them.
        """
        return self.filter(
            ~models.Exists(Annotation.objects.filter(previous=models.OuterRef("pk")))
        )

    def standing(self) -> Self:
        """Each voice's last word on an item, where that is an answer."""
        return self.last_words().filter(kind=AnnotationKind.ANSWER)

    def sealed(self, position: int) -> Self:
        return self.filter(ledger__position__lte=position)


class Annotation(models.Model):
    """One voice's word on one item. A trigger refuses to change or delete it."""

    uuid = models.UUIDField(unique=True)
    # No index of their own: those below begin with the same columns. No constraint either: the
    # ledger's trigger looks up item and voice of all new rows at once, and that they are the project's.
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="annotations", db_index=False, db_constraint=False
    )
    item = models.ForeignKey(
        Item, models.CASCADE, related_name="annotations", db_index=False, db_constraint=False
    )
    annotator = models.ForeignKey(
        Annotator, models.PROTECT, related_name="annotations", db_index=False, db_constraint=False
    )
    assignment = models.ForeignKey(
        "Assignment",
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="annotations",
    )
    previous = models.OneToOneField("self", models.PROTECT, null=True, related_name="successor")
    kind = models.CharField(max_length=16, choices=AnnotationKind, default=AnnotationKind.ANSWER)
    stream = models.CharField(max_length=16, choices=Stream, default=Stream.ACTIVE)
    labels = ArrayField(models.BigIntegerField(), default=list)
    # The whole answer where labels alone do not say it: {"spans": [{"start", "end", "label"}, …]}.
    # `labels` then holds each label it names once, so that whatever looks for a label finds it.
    value = models.JSONField(null=True)
    # The one label this answer is about: `labels` holds it or is empty. Nothing is said of others.
    question = models.ForeignKey(
        Label, models.DO_NOTHING, null=True, db_index=False, db_constraint=False, related_name="+"
    )
    comment = models.TextField(blank=True)
    reason = models.CharField(max_length=200, blank=True)
    # Only of reviewers' words; a bad item is skipped by one, which is as final as an answer.
    outcome = models.CharField(
        max_length=16, choices=Outcome, blank=True, default="", db_default=""
    )
    # Answered after its lease was given to somebody else: kept, marked, beyond the overlap.
    extra = models.BooleanField(default=False)
    # True when neither suggestion nor anybody's answer was on the screen.
    blind = models.BooleanField(default=False)
    seconds = models.FloatField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["item", "annotator"], name="annotation_item_voice"),
            models.Index(fields=["annotator", "-id"], name="annotation_voice_latest"),
            models.Index(fields=["project", "-id"], name="annotation_project_latest"),
            models.Index(
                fields=["assignment"],
                name="annotation_assignment",
                condition=models.Q(assignment__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"


class LedgerBatch(models.Model):
    """Positions `first`…`last`, sealed together; `digest` chains over the batch before it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="ledger_batches")
    number = models.PositiveIntegerField()
    first = models.PositiveBigIntegerField()
    last = models.PositiveBigIntegerField()
    digest = models.BinaryField(max_length=32)
    sealed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_batch_per_number")
        ]

    def __str__(self) -> str:
        return f"batch {self.number}"


class LedgerEntry(models.Model):
    """An annotation's place in the ledger; a trigger writes it without a position at insertion."""

    # Without constraints: only the trigger writes here, from the very row, and that row stays.
    annotation = models.OneToOneField(
        Annotation, models.CASCADE, primary_key=True, related_name="ledger", db_constraint=False
    )
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="ledger", db_index=False, db_constraint=False
    )
    position = models.PositiveBigIntegerField(null=True)
    digest = models.BinaryField(max_length=32, null=True)
    redacted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "position"],
                name="one_annotation_per_position",
                condition=models.Q(position__isnull=False),
            )
        ]
        indexes = [
            models.Index(
                fields=["project", "annotation"],
                name="ledger_unsealed",
                condition=models.Q(position=None),
            )
        ]

    def __str__(self) -> str:
        return f"position {self.position}"


class VerdictState(models.TextChoices):
    DECIDED = "decided", "Decided"
    TIE = "tie", "Tie"
    # Known of some labels only, from questions about them.
    PARTIAL = "partial", "Some labels known"
    # A reviewer found that no label fits: the item is nobody's any more.
    BAD = "bad", "Bad item"


class VerdictSource(models.TextChoices):
    CONSENSUS = "consensus", "Consensus"
    REVIEWER = "reviewer", "Reviewer"
    TRUTH = "truth", "Imported truth"
    TEACHER = "teacher", "Teacher, under the policy"


class VerdictQuerySet(models.QuerySet["Verdict"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def decided(self) -> Self:
        return self.filter(state=VerdictState.DECIDED)


class Verdict(models.Model):
    """The label an item has now, derived from sealed annotations."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="verdict")
    project = models.ForeignKey(Project, models.CASCADE, related_name="verdicts")
    labels = ArrayField(models.BigIntegerField(), default=list)
    # As an annotation's; null where labels say it all.
    value = models.JSONField(null=True)
    # {label id: share of the weight, 0..1}; for multi-label each share is its own probability.
    soft = models.JSONField(default=dict)
    # The labels that are known where the verdict is partial; null where all are.
    known = ArrayField(models.BigIntegerField(), null=True)
    state = models.CharField(max_length=16, choices=VerdictState)
    source = models.CharField(max_length=16, choices=VerdictSource)
    voices = models.PositiveSmallIntegerField(default=0)
    position = models.PositiveBigIntegerField()
    decided_at = models.DateTimeField(auto_now=True)

    objects = VerdictQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "state"], name="verdict_project_state"),
        ]

    def __str__(self) -> str:
        return f"verdict on item {self.item_id}"
