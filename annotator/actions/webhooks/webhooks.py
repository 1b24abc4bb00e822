"""Webhooks of a project: registered, changed, tested, and what was delivered sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models.functions import Now

from annotator.actions.webhooks import signing
from annotator.actions.webhooks.hosts import destinations
from annotator.errors import ConflictError, InvalidError
from annotator.event_kinds import EVENTS, TEST
from annotator.models import Delivery, DeliveryState, Webhook
from annotator.runtime.destinations import PORTS, QUERY, NotAllowedError, parse_base_url

if TYPE_CHECKING:
    from annotator.models import Project, User

MOST = 20
BOTH_VALID_HOURS = 24
SETTINGS = ("name", "url", "events", "enabled")


def register(
    project: Project, by: User | None, *, name: str, url: str, events: list[str]
) -> tuple[Webhook, str]:
    """Add a webhook. Returns it with its secret, which is shown this once only."""
    secret = signing.new_secret()
    with transaction.atomic():
        if Webhook.objects.filter(project=project).count() >= MOST:
            raise ConflictError(f"A project has {MOST} webhooks at most. Remove one first.")
        made = Webhook.objects.create(
            project=project,
            name=_checked_name(name),
            url=checked_url(url),
            events=_checked_events(events),
            sealed=signing.seal(project.pk, secret),
            created_by=by,
        )
    made.refresh_from_db()
    return made, secret


def change(webhook: Webhook, **values: Any) -> Webhook:
    """Change a webhook's name, address or choice of events, or switch it off and on."""
    unknown = set(values) - set(SETTINGS)
    if unknown:
        raise InvalidError(f"A webhook has no setting {', '.join(sorted(unknown))}.")
    checked: dict[str, Any] = {}
    if "name" in values:
        checked["name"] = _checked_name(values["name"])
    if "url" in values:
        checked["url"] = checked_url(values["url"])
    if "events" in values:
        checked["events"] = _checked_events(values["events"])
    if "enabled" in values and values["enabled"] != webhook.enabled:
        checked |= _switched(on=values["enabled"])
    with transaction.atomic():
        # Parts a person who switches it from the courier that writes how a try ended.
        Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        Webhook.objects.filter(pk=webhook.pk).update(**checked)
        if checked.get("enabled"):  # its day to be delivered in begins anew
            Delivery.objects.filter(webhook=webhook).waiting().update(first_tried_at=None)
    webhook.refresh_from_db()
    return webhook


def _switched(*, on: bool) -> dict[str, Any]:
    off_at = None if on else Now()
    return {"enabled": on, "off_reason": "", "off_at": off_at, "retry_at": None}


def remove(webhook: Webhook) -> None:
    """Remove a webhook with all that it was told and was to be told."""
    webhook.delete()


def rotate(webhook: Webhook) -> str:
    """Make a new secret, shown this once. For a day messages bear a signature by the old one too, unless
    that was kept under another SECRET_KEY: then the new one signs alone."""
    secret = signing.new_secret()
    with transaction.atomic():
        row = Webhook.objects.select_for_update(no_key=True).get(pk=webhook.pk)
        known = signing.opens(row)
        Webhook.objects.filter(pk=webhook.pk).update(
            sealed=signing.seal(webhook.project_id, secret),
            sealed_before=row.sealed if known else None,
            before_until=Now() + timedelta(hours=BOTH_VALID_HOURS) if known else None,
        )
    webhook.refresh_from_db()
    return secret


def send_test(webhook: Webhook) -> Delivery:
    """Have an event sent that tells of nothing, at once and beside what waits, even where it is off."""
    made = Delivery.objects.create(
        webhook=webhook, type=TEST, data={"webhook": webhook.pk, "name": webhook.name}, apart=True
    )
    made.refresh_from_db()
    return made


def send_again(delivery: Delivery) -> Delivery:
    """Send what was sent before, with the same id; what waits to be tried again is tried at once."""
    with transaction.atomic():
        # Parts a person who asks for it from the courier that is at it.
        webhook = Webhook.objects.select_for_update(no_key=True).get(pk=delivery.webhook_id)
        row = Delivery.objects.filter(pk=delivery.pk).first()
        if row is None:
            raise ConflictError("This delivery is no longer kept. Nothing was sent.")
        if row.state == DeliveryState.WAITING and not row.apart:
            if not webhook.enabled:
                raise ConflictError("The webhook is switched off. Switch it on to deliver this.")
            Webhook.objects.filter(pk=webhook.pk).update(retry_at=None)
        else:
            Delivery.objects.filter(pk=row.pk).update(
                state=DeliveryState.WAITING, apart=True, due_at=Now()
            )
    row.refresh_from_db()
    return row


def checked_url(text: str) -> str:
    """The address as it is kept. Raises what is wrong with it, or that its host is not listed."""
    text = text.strip()
    if len(text) > Webhook.LONGEST_URL:
        raise InvalidError(f"An address has {Webhook.LONGEST_URL} characters at most.", field="url")
    text, _, query = text.partition("?")
    if not QUERY.fullmatch(query):
        raise InvalidError("An address is plain ASCII behind its ? too, and has no #.", field="url")
    url = parse_base_url(text)
    listed = next(
        (one for one in destinations() if (one.host, one.port) == (url.host, url.port)), None
    )
    if listed is None:
        raise NotAllowedError(
            f"{url.place} is not on this server's list of hosts for webhooks; an instance admin can "
            "add it."
        )
    if url.scheme == "http" and not listed.local:
        raise InvalidError(f"Events are not sent to {url.place} without https.", field="url")
    place = url.place.removesuffix(f":{url.port}") if PORTS[url.scheme] == url.port else url.place
    # The path as written: a slash at its end is another address to many servers.
    path = urlsplit(text).path or "/"
    return f"{url.scheme}://{place}{path}" + (f"?{query}" if query else "")


def _checked_name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not 1 <= len(name) <= Webhook.LONGEST_NAME:
        raise InvalidError(f"A name has 1 to {Webhook.LONGEST_NAME} characters.", field="name")
    return name


def _checked_events(events: list[str]) -> list[str]:
    unknown = sorted(set(events) - EVENTS.keys())
    if unknown:
        raise InvalidError(
            f"There is no event {unknown[0][:80]}. There are: {', '.join(EVENTS)}.", field="events"
        )
    if not events:
        raise InvalidError("Choose at least one event.", field="events")
    return [name for name in EVENTS if name in events]
