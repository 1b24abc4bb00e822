"""Which delivery comes next, what travels with it, and what follows from how a try ended."""

from __future__ import annotations

import secrets
from datetime import timedelta
from itertools import accumulate, takewhile
from typing import Any

from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from annotator.actions.webhooks.letters import Outcome
from annotator.event_kinds import EVENTS, MOST_ENTRIES
from annotator.models import Delivery, DeliveryState, Webhook

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 3_600.0
GIVE_UP_AFTER_HOURS = 24
REST_AFTER_DEFECT_SECONDS = 600
# Of deliveries that are over, how many are kept for the page and to be sent again.
KEPT = 100

_FORGET = """
DELETE FROM annotator_delivery d WHERE d.webhook_id = %(webhook)s AND d.state <> 'waiting' AND d.id < (
    SELECT kept.id FROM annotator_delivery kept
    WHERE kept.webhook_id = %(webhook)s AND kept.state <> 'waiting'
    ORDER BY kept.id DESC OFFSET %(kept)s - 1 LIMIT 1)
"""


def next_of(webhook: Webhook) -> Delivery | None:
    """What is to be sent now, with what travels with it; from here on it never changes.

    The caller holds the webhook's row and its lease.
    """
    mine = Delivery.objects.filter(webhook=webhook).order_by("pk")
    found = mine.filter(state=DeliveryState.WAITING, apart=True).first() or _first_due(webhook)
    if found is None:
        return None
    found.tries += 1
    found.tried_at = timezone.now()
    found.first_tried_at = found.first_tried_at or found.tried_at
    found.webhook = webhook
    found.save(update_fields=["data", "size", "tries", "tried_at", "first_tried_at"])
    return found


def _first_due(webhook: Webhook) -> Delivery | None:
    now = timezone.now()
    if not webhook.enabled or (webhook.retry_at is not None and webhook.retry_at > now):
        return None
    waiting = Delivery.objects.filter(webhook=webhook).waiting().order_by("pk")
    head = waiting.first()
    if head is None:
        return None
    with_it = _gathered(head, waiting)
    full = head.size + sum(one.size for one in with_it) >= MOST_ENTRIES
    if head.due_at > now and not full:
        return None
    if with_it:
        key = EVENTS[head.type].gathers
        head.data = {key: [entry for one in [head, *with_it] for entry in one.data[key]]}
        head.size = len(head.data[key])
        Delivery.objects.filter(pk__in=[one.pk for one in with_it]).delete()
    return head


def _gathered(head: Delivery, waiting: Any) -> list[Delivery]:
    """The next ones of a kind that is gathered, as many as fit into one call with the first."""
    kind = EVENTS.get(head.type)
    if head.tries or kind is None or not kind.gathers:
        return []
    more = waiting.filter(type=head.type, tries=0, pk__gt=head.pk)
    sizes = dict(more.values_list("pk", "size")[:MOST_ENTRIES])
    totals = accumulate(sizes.values(), initial=head.size)
    fitting = sum(1 for _ in takewhile(lambda total: total <= MOST_ENTRIES, totals)) - 1
    return list(more.filter(pk__in=list(sizes)[: max(fitting, 0)]))


def note_try(webhook: Webhook, delivery: Delivery, outcome: Outcome) -> None:
    """Write how a try ended. The caller holds the webhook's row and its lease."""
    told = {
        "status": outcome.status,
        "seconds": round(outcome.seconds, 4),
        "error": outcome.error[:500],
    }
    rows = Delivery.objects.filter(pk=delivery.pk)
    if not outcome.error:
        rows.update(state=DeliveryState.DELIVERED, apart=False, **told)
        if not delivery.apart:
            Webhook.objects.filter(pk=webhook.pk).update(retry_at=None)
    elif delivery.apart:
        rows.update(state=DeliveryState.FAILED, apart=False, **told)
    else:
        rows.update(**told)
        _try_later(webhook, delivery, outcome)


def _try_later(webhook: Webhook, delivery: Delivery, outcome: Outcome) -> None:
    """Try again after a pause that chance decides; switch the webhook off where that has no use."""
    now = timezone.now()
    begun = delivery.first_tried_at or now
    over = now - begun >= timedelta(hours=GIVE_UP_AFTER_HOURS)
    if outcome.gone or over:
        why = outcome.error
        if not outcome.gone:
            why = f"It failed for {GIVE_UP_AFTER_HOURS} hours, {delivery.tries} times. The last time: {why}"
        Webhook.objects.filter(pk=webhook.pk, enabled=True).update(
            enabled=False, off_reason=why[:500], off_at=Now(), retry_at=None
        )
        return
    wait = max(pause_seconds(delivery.tries), outcome.wait_seconds)
    wait = min(wait, LONGEST_PAUSE_SECONDS)
    Webhook.objects.filter(pk=webhook.pk).update(retry_at=now + timedelta(seconds=wait))


def pause_seconds(tries: int) -> float:
    """A pause drawn between one second and twice the bound of the time before, an hour at most."""
    bound = min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 20), LONGEST_PAUSE_SECONDS)
    return secrets.SystemRandom().uniform(1.0, bound)


def note_defect(webhook_id: int, error: BaseException) -> None:
    """A bug broke a turn: say so where a person looks, and let the webhook rest before the next try."""
    told = f"Unexpected {type(error).__name__}: this is a defect of the product. The log has the details."
    waiting = Delivery.objects.filter(webhook=webhook_id, state=DeliveryState.WAITING)
    waiting.filter(apart=True).update(state=DeliveryState.FAILED, apart=False, error=told)
    head = waiting.filter(apart=False).order_by("pk").values("pk")[:1]
    Delivery.objects.filter(pk__in=head).update(error=told)
    rest = timedelta(seconds=REST_AFTER_DEFECT_SECONDS)
    Webhook.objects.filter(pk=webhook_id).update(retry_at=Now() + rest)


def forget_old(webhook_id: int) -> None:
    """Delete what is over but for the latest."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"webhook": webhook_id, "kept": KEPT})
