"""Access tokens for programs: shown once, kept as a hash, revocable."""

from __future__ import annotations

from datetime import timedelta

from knox.models import AuthToken

from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import User

DAYS_AT_MOST = 365
TOKENS_AT_MOST = 100


def create_token(user: User, *, days: int = 90) -> tuple[AuthToken, str]:
    """Make a token. Returns it with its secret, which is shown this once only."""
    if not 1 <= days <= DAYS_AT_MOST:
        raise InvalidError(f"A token lives 1 to {DAYS_AT_MOST} days.", field="days")
    if AuthToken.objects.filter(user=user).count() >= TOKENS_AT_MOST:
        raise ConflictError(f"You have {TOKENS_AT_MOST} tokens. Revoke some first.")
    token, secret = AuthToken.objects.create(user=user, expiry=timedelta(days=days))
    return token, secret


def revoke_token(user: User, prefix: str) -> None:
    """Revoke the user's token that begins like this. Raises NotFoundError when there is none."""
    gone, _ = AuthToken.objects.filter(user=user, token_key=prefix).delete()
    if not gone:
        raise NotFoundError("You have no token that begins like this.")


def revoke_all(user: User) -> int:
    """Revoke every token of a person. Returns how many there were."""
    gone, _ = AuthToken.objects.filter(user=user).delete()
    return int(gone)
