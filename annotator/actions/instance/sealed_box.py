"""Secrets that the database holds and does not tell: sealed with SECRET_KEY, each kind by itself."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet


def _box(purpose: str) -> Fernet:
    from cryptography.fernet import Fernet

    digest = hashlib.sha256(f"concord {purpose}\0{settings.SECRET_KEY}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(purpose: str, told: dict[str, Any]) -> bytes:
    """Close a JSON object up. `purpose` names the kind of secret; under another it does not open."""
    return _box(purpose).encrypt(json.dumps(told).encode())


def unseal(purpose: str, sealed: bytes) -> dict[str, Any] | None:
    """Open it again; None where it was sealed under another SECRET_KEY or for another purpose."""
    from cryptography.fernet import InvalidToken

    try:
        told: dict[str, Any] = json.loads(_box(purpose).decrypt(sealed))
    except InvalidToken:
        return None
    return told
