"""What is sent: a delivery as a signed request, and what its answer means."""

from __future__ import annotations

import http
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.utils import timezone

from annotator import links
from annotator.actions.webhooks import signing
from annotator.errors import AnnotatorError
from annotator.models import Delivery, Webhook
from annotator.runtime.outbound import CallLimits, GatewayError, Reply, StoppedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from annotator.runtime.gateway import Gateway

LIMITS = CallLimits(
    connect_seconds=4.0, silence_seconds=10.0, whole_seconds=10.0, answer_bytes=64 * 1024
)
GONE = 410
# Answers whose Retry-After is heeded
BUSY = (429, 503)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a try ended. Without an error it arrived; `status` is None where no answer came.

    gone: the receiver wants to hear no more. wait_seconds: how long it asks to be left alone.
    """

    status: int | None = None
    seconds: float = 0.0
    error: str = ""
    gone: bool = False
    wait_seconds: float = 0.0


def message(delivery: Delivery) -> dict[str, Any]:
    """What a receiver reads. It is the same at every try."""
    project_id = delivery.webhook.project_id
    base = links.public(f"/api/v1/projects/{project_id}")
    data = dict(delivery.data)
    if "path" in data:
        data["url"] = f"{base}/{data.pop('path')}"
    return {
        "id": delivery.message_id,
        "type": delivery.type,
        "timestamp": delivery.occurred_at.isoformat().replace("+00:00", "Z"),
        "project": {"id": project_id, "url": base},
        "data": data,
    }


def send(way: Gateway, delivery: Delivery, stop: Callable[[], bool]) -> Outcome:
    """One try. Raises StoppedError where it was cut short by our own end."""
    webhook = delivery.webhook
    began = time.monotonic()
    try:
        url = urlsplit(webhook.url)
        door = way.endpoint(f"{url.scheme}://{url.netloc}")
        body = json.dumps(message(delivery), ensure_ascii=False, separators=(",", ":")).encode()
        sealed = signing.headers(_secrets(webhook), delivery.message_id, int(time.time()), body)
        reply = way.call(
            door,
            "POST",
            url.path,
            body,
            query=url.query,
            headers=sealed,
            limits=LIMITS,
            stop=stop,
        )
    except StoppedError:
        raise
    except GatewayError as error:
        return Outcome(error=error.detail, seconds=time.monotonic() - began)
    except AnnotatorError as error:  # its host is off the list, its secret cannot be read
        return Outcome(error=error.detail)
    return _meaning(reply)


def _secrets(webhook: Webhook) -> list[str]:
    found = [signing.unseal(webhook, webhook.sealed)]
    until = webhook.before_until
    if webhook.sealed_before is not None and until is not None and until > timezone.now():
        found.append(signing.unseal(webhook, webhook.sealed_before))
    return found


def _meaning(reply: Reply) -> Outcome:
    """Only the status counts; what the receiver wrote is neither kept nor shown."""
    from learning.teachers.line import retry_after

    status, seconds = reply.status, reply.seconds
    if 200 <= status < 300:
        return Outcome(status=status, seconds=seconds)
    try:
        words = f"{status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        words = str(status)
    if status == GONE:
        error = f"The receiver answered {words}: it wants no more events."
        return Outcome(status=status, seconds=seconds, error=error, gone=True)
    return Outcome(
        status=status,
        seconds=seconds,
        error=f"The receiver answered {words}; any answer from 200 to 299 means that it has it.",
        wait_seconds=retry_after(reply.headers) if status in BUSY else 0.0,
    )
