"""People, their roles in a project, and the links that invite them."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from typing import TypeAlias

    from django.contrib.auth.models import AnonymousUser

    Viewer: TypeAlias = "User | AnonymousUser"


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    MANAGER = "manager", "Manager"
    REVIEWER = "reviewer", "Reviewer"
    ANNOTATOR = "annotator", "Annotator"
    VIEWER = "viewer", "Viewer"


class Can(StrEnum):
    """What a role allows; every page and endpoint names one of these."""

    OPEN = "open"  # know that the project exists
    SEE = "see"  # other people's answers, verdicts, figures
    LABEL = "label"
    REVIEW = "review"
    MANAGE = "manage"
    OWN = "own"


ROLES: dict[Can, tuple[Role, ...]] = {
    Can.OPEN: tuple(Role),
    Can.SEE: (Role.OWNER, Role.MANAGER, Role.REVIEWER, Role.VIEWER),
    Can.LABEL: (Role.OWNER, Role.MANAGER, Role.REVIEWER, Role.ANNOTATOR),
    Can.REVIEW: (Role.OWNER, Role.MANAGER, Role.REVIEWER),
    Can.MANAGE: (Role.OWNER, Role.MANAGER),
    Can.OWN: (Role.OWNER,),
}


class User(AbstractUser):
    """A person who signs in; a voice in a project is an `Annotator`."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username


def id_of(user: Viewer) -> int:
    """The person's id, or one that nobody has: None would find rows of people who are gone."""
    return user.pk or 0


class MembershipQuerySet(models.QuerySet["Membership"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(
            project__archived_at=None,
            project__memberships__user_id=id_of(user),
            project__memberships__role__in=ROLES[can],
        )


class Membership(models.Model):
    project = models.ForeignKey("Project", models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    # Items this person may answer here; empty means no limit.
    quota = models.PositiveIntegerField(null=True, blank=True)
    # When set, this person is only given items of this import.
    batch = models.ForeignKey(
        "ImportBatch", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # When an annotator was let in after the entry round, or never had to do it.
    admitted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="one_role_per_project")
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"

    def allows(self, can: Can) -> bool:
        return self.role in ROLES[can]


def hash_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def next_week() -> datetime:
    return timezone.now() + timedelta(days=7)


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(
            project__archived_at=None,
            project__memberships__user_id=id_of(user),
            project__memberships__role__in=ROLES[can],
        )

    def usable(self) -> Self:
        return self.filter(
            revoked_at=None, expires_at__gt=timezone.now(), uses__lt=models.F("max_uses")
        )


class Invitation(models.Model):
    """A link that gives its bearer a role; only the hash of its secret is kept."""

    project = models.ForeignKey("Project", models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.ANNOTATOR)
    secret_hash = models.CharField(max_length=64, unique=True)
    note = models.CharField(max_length=200, blank=True)
    max_uses = models.PositiveIntegerField(default=1)
    uses = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=next_week)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.role} link {self.pk}"


class ResetLinkQuerySet(models.QuerySet["ResetLink"]):
    def for_user(self, user: Viewer) -> Self:
        return self.filter(created_by_id=id_of(user))

    def usable(self) -> Self:
        return self.filter(used_at=None, expires_at__gt=timezone.now())


def tomorrow() -> datetime:
    return timezone.now() + timedelta(days=1)


class ResetLink(models.Model):
    """A one-day link with which a person chooses a new password, made by an owner or a command."""

    user = models.ForeignKey(User, models.CASCADE, related_name="reset_links")
    secret_hash = models.CharField(max_length=64, unique=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=tomorrow)
    used_at = models.DateTimeField(null=True, blank=True)

    objects = ResetLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"reset link {self.pk}"


def new_secret() -> str:
    return secrets.token_urlsafe(24)
