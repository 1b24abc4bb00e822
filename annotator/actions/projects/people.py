"""Who may do what in a project: roles, invitation links, leaving, new passwords."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from annotator.actions.desk import assigning
from annotator.actions.projects import tokens
from annotator.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from annotator.models import (
    Annotator,
    Invitation,
    Membership,
    Project,
    ResetLink,
    Role,
    User,
    hash_secret,
    new_secret,
)

LINK_DAYS_AT_MOST = 90
# Which roles a role may give to others.
_BELOW_MANAGER = (Role.REVIEWER, Role.ANNOTATOR, Role.VIEWER)
GIVES: dict[Role, tuple[Role, ...]] = {
    Role.OWNER: tuple(Role),
    Role.MANAGER: _BELOW_MANAGER,
    Role.REVIEWER: (),
    Role.ANNOTATOR: (),
    Role.VIEWER: (),
}


def first_owner(username: str, password: str, email: str = "") -> User:
    """Make the owner of a fresh installation. Raises ConflictError once there is anybody."""
    with transaction.atomic():
        # Parts two visitors of the first page: only one becomes the owner.
        _lock_people()
        if User.objects.exists():
            raise ConflictError("This installation has its owner already. Sign in instead.")
        user = create_user(username, password, email)
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
    return user


def _lock_people() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7004)")


def create_user(username: str, password: str, email: str = "") -> User:
    """Make an account. Raises InvalidError with the password rules that are not met."""
    name = username.strip()
    if not name:
        raise InvalidError("Choose a user name.", field="username")
    if User.objects.filter(username__iexact=name).exists():
        raise ConflictError(f"The user name “{name}” is taken.", field="username")
    candidate = User(username=name, email=email)
    _check_password(password, candidate)
    candidate.set_password(password)
    try:
        candidate.clean_fields(exclude=["password", "last_login"])
    except ValidationError as error:
        field, problems = next(iter(error.message_dict.items()))
        raise InvalidError(" ".join(problems), field=field) from error
    candidate.save()
    return candidate


def _check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidError(" ".join(error.messages), field="password") from error


def make_admin(user: User) -> None:
    """Make an account an instance admin: /admin/, and links to a new password for anybody."""
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])


def invite(
    project: Project, by: User, role: str, *, max_uses: int = 1, days: int = 7, note: str = ""
) -> tuple[Invitation, str]:
    """Make an invitation link. Returns it with its secret, which is shown this once only."""
    _check_grant(project, by, role)
    if not 1 <= days <= LINK_DAYS_AT_MOST:
        raise InvalidError(f"A link lives 1 to {LINK_DAYS_AT_MOST} days.", field="days")
    if max_uses < 1:
        raise InvalidError("A link serves one person at least.", field="max_uses")
    secret = new_secret()
    invitation = Invitation.objects.create(
        project=project,
        role=Role(role),
        secret_hash=hash_secret(secret),
        note=note[:200],
        max_uses=max_uses,
        created_by=by,
        expires_at=timezone.now() + timedelta(days=days),
    )
    return invitation, secret


def _check_grant(project: Project, by: User, role: str) -> None:
    if role not in Role.values:
        raise InvalidError(f"“{role}” is not a role.", field="role")
    if role in {Role.OWNER, Role.MANAGER} and project.role_of(by) != Role.OWNER:
        raise ForbiddenError("Only an owner makes owners and managers.")


def open_invitation(secret: str) -> Invitation:
    """The usable invitation behind a secret. Raises NotFoundError otherwise."""
    found = (
        Invitation.objects.usable()
        .filter(secret_hash=hash_secret(secret), project__archived_at=None)
        .select_related("project")
        .first()
    )
    if found is None:
        raise NotFoundError("This invitation was used, revoked or has expired. Ask for a new one.")
    return found


def accept_invitation(secret: str, user: User) -> Membership:
    """Join the project behind a link. Somebody who is in already keeps the role they have."""
    with transaction.atomic():
        invitation = open_invitation(secret)
        known = Membership.objects.filter(project=invitation.project, user=user).first()
        if known is not None:
            return known
        # Parts two people with the last use of one link.
        taken = Invitation.objects.usable().filter(pk=invitation.pk).update(uses=F("uses") + 1)
        if not taken:
            raise NotFoundError("This invitation was used up a moment ago. Ask for a new one.")
        member = Membership.objects.create(
            project=invitation.project, user=user, role=invitation.role
        )
        assigning.voice_of(invitation.project, user)
    return member


def revoke_invitation(invitation: Invitation) -> None:
    Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=Now())


def change_member(
    member: Membership,
    by: User,
    *,
    role: str,
    quota: int | None = None,
    batch_id: int | None = None,
) -> None:
    """Change a member's role, quota and the import they are limited to."""
    _check_grant(member.project, by, role)
    if member.role in {Role.OWNER, Role.MANAGER} and role != member.role:
        _check_grant(member.project, by, member.role)
    with transaction.atomic():
        if role != Role.OWNER:
            _keep_an_owner(member)
        if batch_id is not None and not member.project.batches.filter(pk=batch_id).exists():
            raise NotFoundError("There is no such import in this project.")
        Membership.objects.filter(pk=member.pk).update(
            role=Role(role), quota=quota, batch_id=batch_id
        )
        _revoke_links(member, may_still_give=GIVES[Role(role)])


def remove_member(member: Membership, by: User) -> None:
    """Take somebody off a project: their leases return to the queue, their answers stay."""
    if by.pk != member.user_id:
        _check_grant(member.project, by, member.role)
    with transaction.atomic():
        _keep_an_owner(member)
        voice = Annotator.objects.filter(project=member.project, user=member.user).first()
        if voice is not None:
            assigning.release_all(voice)
        _revoke_links(member, may_still_give=())
        member.delete()


def _revoke_links(member: Membership, may_still_give: Sequence[Role]) -> None:
    """End the links somebody made whose role they may give no longer: else they came back by them."""
    links = Invitation.objects.filter(
        project=member.project, created_by=member.user, revoked_at=None
    )
    links.exclude(role__in=may_still_give).update(revoked_at=Now())


def _keep_an_owner(member: Membership) -> None:
    # Parts two owners who remove one another at the same moment.
    owners = Membership.objects.select_for_update().filter(project=member.project, role=Role.OWNER)
    if member.role == Role.OWNER and len(owners) == 1:
        raise ConflictError("A project keeps one owner at least. Make somebody else owner first.")


def reset_link(user: User, by: User | None) -> str:
    """Make a one-day link with which `user` chooses a new password. Returns its secret.

    By a command (`by` None) for anybody; by an owner only for members of their own projects who
    own nothing elsewhere and are no administrators, so that a link never raises anybody's rights.
    """
    if by is not None and not _may_reset(user, by):
        raise ForbiddenError(
            "You can make this link only for people whose every project is yours. "
            "Ask an instance admin, or run “manage.py reset_password”."
        )
    secret = new_secret()
    ResetLink.objects.create(user=user, secret_hash=hash_secret(secret), created_by=by)
    return secret


def _may_reset(user: User, by: User) -> bool:
    if by.is_superuser:
        return True
    owned = set(
        Membership.objects.filter(user=by, role=Role.OWNER).values_list("project_id", flat=True)
    )
    theirs = set(Membership.objects.filter(user=user).values_list("project_id", flat=True))
    return not (user.is_staff or user.is_superuser) and bool(theirs) and theirs <= owned


def use_reset_link(secret: str, password: str) -> User:
    """Set the new password; the link is spent, every session and token of the person ends."""
    with transaction.atomic():
        link = (
            ResetLink.objects.usable()
            .select_for_update()
            .filter(secret_hash=hash_secret(secret))
            .first()
        )
        if link is None:
            raise NotFoundError("This link was used or has expired. Ask for a new one.")
        # The person may have joined somebody else's project since the link was made.
        if link.created_by is not None and not _may_reset(link.user, link.created_by):
            raise ForbiddenError(
                "Who made this link may not make it any more. Ask an instance admin for another."
            )
        _check_password(password, link.user)
        link.user.set_password(password)
        link.user.save(update_fields=["password"])
        ResetLink.objects.filter(user=link.user, used_at=None).update(used_at=Now())
        tokens.revoke_all(link.user)
    return link.user
