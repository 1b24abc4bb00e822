"""Secrets of webhooks and the signatures made with them, as Standard Webhooks lays down.

Source: https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from annotator.actions.instance import sealed_box
from annotator.errors import ConflictError
from annotator.models import Webhook

PREFIX = "whsec_"
SECRET_BYTES = 32
SEALED_FOR = "webhook secret"


def new_secret() -> str:
    """A secret as a receiver enters it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def seal(webhook_project_id: int, secret: str) -> bytes:
    """As the database keeps it: bound to its project, so that a row moved elsewhere opens nothing."""
    return sealed_box.seal(SEALED_FOR, {"project": webhook_project_id, "secret": secret})


def unseal(webhook: Webhook, sealed: bytes | memoryview) -> str:
    """The secret. Raises ConflictError for one that was sealed under another SECRET_KEY."""
    told = sealed_box.unseal(SEALED_FOR, bytes(sealed))
    if told is None or told["project"] != webhook.project_id:
        raise ConflictError(
            "The secret was kept under another SECRET_KEY and cannot be read. Make a new one."
        )
    return str(told["secret"])


def opens(webhook: Webhook) -> bool:
    """Whether the present secret can be read."""
    try:
        unseal(webhook, webhook.sealed)
    except ConflictError:
        return False
    return True


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature, `v1,` and the HMAC-SHA256 of id, time and body in base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(keys: list[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message; with several secrets, a signature by each."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in keys),
    }
