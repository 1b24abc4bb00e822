"""Who sends a request: a token of theirs, looked up by its hash, or the session of the pages."""

from __future__ import annotations

from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    get_authorization_header,
)
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from annotator.models import User

SCHEMES = {b"token", b"bearer"}


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token …` or `Bearer …`; only the hash of a token is kept, so one query."""

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        """The token's owner; None when the header is of another scheme or absent."""
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in SCHEMES:
            return None
        if len(parts) != 2 or not parts[1].isascii():
            raise AuthenticationFailed("Send one token: “Authorization: Token …”.")
        found = (
            AuthToken.objects.filter(digest=hash_token(parts[1].decode()))
            .select_related("user")
            .first()
        )
        if found is None or (found.expiry is not None and found.expiry < timezone.now()):
            raise AuthenticationFailed("This token is unknown, revoked or expired.")
        if not found.user.is_active:
            raise AuthenticationFailed("This account is switched off.")
        return found.user, found

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return "Token"


class PageSession(SessionAuthentication):
    """The session of a signed-in browser, with its CSRF token on every unsafe method."""
