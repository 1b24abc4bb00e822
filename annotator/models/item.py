"""Items, how they came in, and the text index they are searched by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models

from annotator.models.people import Can, User, id_of
from annotator.models.project import Label, Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class Part(models.TextChoices):
    """What a drawn audit item is for; evaluation and calibration items are in no training."""

    NONE = "", "Not audited"
    EVALUATION = "evaluation", "Evaluation"
    CALIBRATION = "calibration", "Calibration"
    SEED = "seed", "Seed"


class BatchState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    READING = "reading", "Reading"
    NEEDS_DECISION = "needs_decision", "Needs a decision"
    DONE = "done", "Imported"
    DISCARDED = "discarded", "Discarded"
    FAILED = "failed", "Failed"
    UNDONE = "undone", "Undone"


class ImportBatchQuerySet(models.QuerySet["ImportBatch"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class ImportBatch(models.Model):
    """One uploaded file on its way into a project."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="batches")
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=16, choices=BatchState, default=BatchState.WAITING)
    file_name = models.CharField(max_length=255)
    stored_name = models.CharField(max_length=100)
    format = models.CharField(max_length=32)
    sha256 = models.CharField(max_length=64, blank=True)
    size_bytes = models.BigIntegerField(default=0)
    # {"text": column, "text_b": column, "label": column, "id": column, "meta": [columns]}
    mapping = models.JSONField(default=dict)
    options = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    rows_read = models.PositiveIntegerField(default=0)
    items_added = models.PositiveIntegerField(default=0)
    first_number = models.PositiveIntegerField(null=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = ImportBatchQuerySet.as_manager()

    def __str__(self) -> str:
        return self.file_name


class ItemQuerySet(models.QuerySet["Item"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def present(self) -> Self:
        """Items that no undone import took away; those keep their number, so that matrices fit."""
        return self.filter(removed_at=None)

    def met_by(self, user: Viewer) -> Self:
        """Items this person holds or has answered, which is all an annotator may open by address."""
        return self.filter(assignments__annotator__user_id=id_of(user)).distinct()


class Item(models.Model):
    """One thing to label. `number` is its row in every matrix of the project."""

    # Here and below: no index of its own where another one begins with the same column.
    # And no constraint: an import holds the project's row while it writes, and a purge takes the
    # items before the project; a check per row would cost imports a tenth of their time.
    project = models.ForeignKey(
        Project, models.CASCADE, related_name="items", db_index=False, db_constraint=False
    )
    number = models.PositiveIntegerField()
    # The same holds for the batch, whose row the import writes in the same transaction.
    batch = models.ForeignKey(
        ImportBatch,
        models.SET_NULL,
        null=True,
        related_name="items",
        db_constraint=False,
        db_index=False,
    )
    external_id = models.TextField(blank=True)
    text = models.TextField(blank=True)
    text_b = models.TextField(blank=True)
    # What is put in an order, where items have such.
    candidates = ArrayField(models.TextField(), default=list, db_default=[], blank=True)
    image = models.CharField(max_length=100, blank=True)
    meta = models.JSONField(default=dict, blank=True)
    content_hash = models.BinaryField(max_length=16)
    # The secret uniform order: the smallest keys of the pool are its audit items.
    order_key = models.FloatField()
    part = models.CharField(max_length=16, choices=Part, default=Part.NONE, blank=True)
    # True while the active stream wants another person's answer.
    open = models.BooleanField(default=True)
    # Answers that are wanted beyond the overlap, because people leave the item in doubt.
    extra_voices = models.PositiveSmallIntegerField(default=0, db_default=0)
    # Answers by people that stand now (not retracted, not extras, not to it as a gold item).
    answers = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    # Set when its import was undone: off every screen, closed, last in the secret order.
    removed_at = models.DateTimeField(null=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_item_per_number")
        ]
        indexes = [
            models.Index(fields=["project", "order_key"], name="item_secret_order"),
            models.Index(
                fields=["project", "order_key"],
                name="item_open_order",
                condition=models.Q(open=True),
            ),
            models.Index(
                fields=["project", "part"], name="item_drawn", condition=~models.Q(part="")
            ),
            models.Index(fields=["project", "content_hash"], name="item_content"),
            models.Index(
                fields=["project", "external_id"],
                name="item_external_id",
                condition=~models.Q(external_id=""),
            ),
        ]

    def __str__(self) -> str:
        return self.external_id or f"item {self.number}"

    @property
    def is_blanked(self) -> bool:
        """Whether nothing is left of it to read, as after a redaction."""
        return not (self.text or self.text_b or self.image or any(self.candidates))


class ItemSearch(models.Model):
    """The text index, filled in batches after an import so that importing stays fast."""

    item = models.OneToOneField(Item, models.CASCADE, primary_key=True, related_name="search")
    project = models.ForeignKey(Project, models.CASCADE, related_name="+")
    vector = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["vector"], name="item_search_vector")]

    def __str__(self) -> str:
        return f"index of item {self.item_id}"


class Suggestion(models.Model):
    """A label that came with the file or from a machine to be shown, never counted as a vote."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="suggestions")
    item = models.ForeignKey(Item, models.CASCADE, related_name="suggestions")
    annotator = models.ForeignKey("Annotator", models.CASCADE, related_name="suggestions")
    label = models.ForeignKey(Label, models.CASCADE, related_name="+")
    probability = models.FloatField(null=True)
    # The parts of a value that have this label; null where the label is all that is suggested.
    value = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "annotator", "label"], name="one_suggestion_per_voice_and_label"
            )
        ]

    def __str__(self) -> str:
        return f"suggestion for item {self.item_id}"
