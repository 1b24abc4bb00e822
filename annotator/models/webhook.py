"""Addresses that are told what happens in a project, and the outbox of what they are to be told."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class WebhookHost(models.Model):
    """A row of the instance's list: where webhooks may lead. Only instance admins write here."""

    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    # The name leads into a private network and nowhere else.
    private = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["host", "port"], name="one_webhook_host_and_port")
        ]

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Webhook(models.Model):
    """An address of a project's, what it is told of, and how it stands."""

    LONGEST_NAME = 100
    LONGEST_URL = 500

    project = models.ForeignKey(Project, models.CASCADE, related_name="webhooks")
    name = models.CharField(max_length=LONGEST_NAME)
    url = models.CharField(max_length=LONGEST_URL)
    # Names of `EVENTS`.
    events = ArrayField(models.CharField(max_length=40), default=list)
    # What messages are signed with, sealed; and the secret before it, for a day after it was changed.
    sealed = models.BinaryField()
    sealed_before = models.BinaryField(null=True)
    before_until = models.DateTimeField(null=True)
    # Off, it is told nothing and nothing is kept for it; by whom or why is told in words.
    enabled = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=500, blank=True)
    off_at = models.DateTimeField(null=True)
    # Not before then: the first waiting delivery failed.
    retry_at = models.DateTimeField(null=True)
    # Whose turn it is to deliver, until when, and the number that fences off whoever slept past that.
    leased_until = models.DateTimeField(null=True)
    lease = models.PositiveBigIntegerField(default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = WebhookQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @property
    def shown_url(self) -> str:
        """The address without what stands behind its `?`, which may be a token."""
        address, mark, _ = self.url.partition("?")
        return address + mark + ("…" if mark else "")

    @property
    def went_off(self) -> bool:
        """Whether it is off because its receiver failed, not because a person wanted it so."""
        return not self.enabled and bool(self.off_reason)


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(webhook__project__in=Project.objects.for_user(user, can))

    def waiting(self) -> Self:
        """What is delivered in order; what a person asked for apart from it is not here."""
        return self.filter(state=DeliveryState.WAITING, apart=False)


class Delivery(models.Model):
    """An event on its way to one webhook: written with what happened, gone when newer ones came.

    Those that wait are delivered in the order of their numbers.
    """

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries", db_index=False)
    # The event's id, which stays over retries; a receiver knows by it what it had already.
    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    # How many entries its list has, where such events are gathered.
    size = models.PositiveIntegerField(default=1, db_default=1)
    occurred_at = models.DateTimeField(db_default=Now())
    # Not before then: until it is full, more of the kind may be put with it.
    due_at = models.DateTimeField(db_default=Now())
    state = models.CharField(
        max_length=16,
        choices=DeliveryState,
        default=DeliveryState.WAITING,
        db_default=DeliveryState.WAITING,
    )
    # Asked for by a person: tried once, at once, whatever else waits.
    apart = models.BooleanField(default=False, db_default=False)
    # Once it was tried, what it says never changes.
    tries = models.PositiveIntegerField(default=0, db_default=0)
    first_tried_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    # How the last try ended: no status where no answer came.
    status = models.PositiveSmallIntegerField(null=True)
    seconds = models.FloatField(null=True)
    error = models.CharField(max_length=500, blank=True, default="", db_default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_latest"),
            models.Index(
                fields=["webhook", "id"],
                name="delivery_waiting",
                condition=models.Q(state="waiting"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.message_id}"

    @property
    def milliseconds(self) -> int | None:
        """How long the last try took."""
        return None if self.seconds is None else round(self.seconds * 1000)

    @property
    def message_id(self) -> str:
        """As receivers see it."""
        return f"msg_{self.uuid.hex}"
