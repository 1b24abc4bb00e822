"""What tests of webhooks share: a project that is told on, and a reader who follows the specification."""

import base64
import hashlib
import hmac
import json
import time

from annotator.actions.webhooks import courier, hosts, webhooks
from annotator.event_kinds import EVENTS
from annotator.models import Delivery, Webhook
from tests.factories import make_user
from tests.llm.loopback import text

SOUND = text(b"", 204)


def allow(server):
    """The loopback server on the instance's list."""
    return hosts.allow(None, "127.0.0.1", server.port)


def hook_to(server, project, *, events=(), path="/in", **fields):
    """A webhook of the project to a server on the loopback, and its secret."""
    url = f"http://127.0.0.1:{server.port}{path}"
    made, secret = webhooks.register(
        project, project.created_by, name="Ours", url=url, events=list(events or EVENTS)
    )
    if fields:
        Webhook.objects.filter(pk=made.pk).update(**fields)
        made.refresh_from_db()
    return made, secret


def verified(request, *keys, tolerance_seconds=300):
    """The payload of a request, read as https://www.standardwebhooks.com lays down; fails if forged.

    Written from the specification and apart from the sender: the two share no code.
    """
    headers, body = request["headers"], request["body"]
    stamp = headers["webhook-timestamp"]
    assert abs(time.time() - int(stamp)) < tolerance_seconds
    signed = b".".join([headers["webhook-id"].encode(), stamp.encode(), body])
    given = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    for key in keys:
        assert key.startswith("whsec_")
        secret = base64.b64decode(key[len("whsec_") :], validate=True)
        assert 24 <= len(secret) <= 64
        right = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        assert any(v == "v1" and hmac.compare_digest(sig, right) for v, sig in given), "forged"
    payload = json.loads(body)
    assert payload["id"] == headers["webhook-id"]
    return payload


def told(server, *keys):
    """The payloads of all its requests."""
    return [verified(request, *keys) for request in server.requests]


def deliver(until=None, *, patience_seconds=60):
    """Let a courier deliver what is due; with `until`, again and again until it holds."""
    ends = time.monotonic() + patience_seconds
    calls = courier.deliver_due()
    while until is not None and not until():
        assert time.monotonic() < ends, list(
            Delivery.objects.values("type", "state", "status", "error")
        )
        time.sleep(0.05)
        calls += courier.deliver_due()
    return calls


def make_due():
    """As if the pauses were over."""
    Delivery.objects.update(due_at="2001-01-01T00:00Z")
    Webhook.objects.update(retry_at=None)


def admin():
    return make_user("root", is_superuser=True, is_staff=True)
