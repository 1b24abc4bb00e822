"""Delivers what lies in the outbox: each webhook in order, several webhooks at once.

Whoever delivers to a webhook holds its lease for the time of one call. A courier that is killed leaves
the row waiting, and the next one sends the same message again when the lease is over: at least once.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models.functions import Now

from annotator.actions.webhooks import hosts, letters, packing
from annotator.models import Delivery, Webhook
from annotator.runtime.outbound import StoppedError

if TYPE_CHECKING:
    from annotator.runtime.destinations import Destination
    from annotator.runtime.gateway import Gateway

logger = logging.getLogger(__name__)

AT_ONCE = 8
# What a database says that is away, or that was since the last word with it.
AWAY = (DatabaseError, InterfaceError)
# Longer than a call may take, so that only a courier that is gone loses it.
LEASE_SECONDS = letters.LIMITS.whole_seconds + 20
# After so long others get their turn.
TURN_SECONDS = 30
LOOK_EVERY_SECONDS = 1.0

_DUE = """
SELECT w.id FROM annotator_webhook w
JOIN annotator_project p ON p.id = w.project_id AND p.archived_at IS NULL
WHERE (w.leased_until IS NULL OR w.leased_until < now())
  AND (EXISTS (SELECT 1 FROM annotator_delivery d
               WHERE d.webhook_id = w.id AND d.state = 'waiting' AND d.apart)
       OR w.enabled AND (w.retry_at IS NULL OR w.retry_at <= now())
          AND (SELECT d.due_at FROM annotator_delivery d
               WHERE d.webhook_id = w.id AND d.state = 'waiting' AND NOT d.apart
               ORDER BY d.id LIMIT 1) <= now())
ORDER BY w.id
"""


class Courier:
    """Delivers until it is closed; any number of them may work at the same outbox."""

    def __init__(self, *, at_once: int = AT_ONCE) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="courier")
        self._busy: dict[int, Future[int]] = {}
        self._stopping = threading.Event()
        self._ways = _Ways()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End within a second: what is under way is cut short, and sent again by the next courier."""
        self._stopping.set()
        self._pool.shutdown()
        self._ways.close()

    def look(self) -> int:
        """Begin to deliver to every webhook that has something due. Returns how many there are."""
        self._let_go()
        due = [pk for pk in _due() if pk not in self._busy]
        for pk in due:
            self._busy[pk] = self._pool.submit(self._turn, pk)
        return len(due)

    def wait(self) -> int:
        """Wait for the turns under way. Returns how many calls they made."""
        wait(self._busy.values())
        calls = sum(turn.result() for turn in self._busy.values() if turn.exception() is None)
        self._let_go()
        return calls

    def _let_go(self) -> None:
        """Forget the turns that are over. A bug in one stops neither the others nor the sweeper."""
        for pk, turn in list(self._busy.items()):
            if not turn.done():
                continue
            del self._busy[pk]
            error = turn.exception()
            if error is not None:
                logger.error("webhook %s met a defect of the product", pk, exc_info=error)
                packing.note_defect(pk, error)

    def _turn(self, webhook_id: int) -> int:
        try:
            return take_turn(self._ways.now(), webhook_id, self._stopping.is_set)
        except AWAY as error:
            logger.warning("the database is away, webhook %s waits: %s", webhook_id, error)
            return 0
        finally:
            connection.close()


class _Ways:
    """The gateway to the hosts that are on the list now; kept as long as the list stays the same."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listed: tuple[Destination, ...] = ()
        self._way: Gateway | None = None
        self._former: list[Gateway] = []

    def now(self) -> Gateway:
        from annotator.runtime.gateway import Gateway

        listed = hosts.destinations()
        with self._lock:  # parts two turns that both find the list changed
            if self._way is None or listed != self._listed:
                if self._way is not None:
                    self._former.append(self._way)  # other turns may be calling through it
                self._listed, self._way = listed, Gateway(listed)
            return self._way

    def close(self) -> None:
        for way in [*self._former, *([self._way] if self._way is not None else [])]:
            way.close()


def deliver_until(stop: threading.Event, *, every_seconds: float = LOOK_EVERY_SECONDS) -> None:
    """Deliver what is due, again and again."""
    with Courier() as courier:
        while not stop.is_set():
            close_old_connections()
            try:
                courier.look()
            except AWAY as error:
                logger.warning("the database is away, looking again soon: %s", error)
            stop.wait(every_seconds)
    connection.close()


def deliver_due() -> int:
    """Deliver what is due now, once. Returns how many calls were made."""
    with Courier() as courier:
        courier.look()
        return courier.wait()


def take_turn(way: Gateway, webhook_id: int, stop: Callable[[], bool]) -> int:
    """Deliver to one webhook what is due, in order, until something fails. Returns the calls made."""
    lease = _claim(webhook_id)
    if lease is None:
        return 0
    calls, ends = 0, time.monotonic() + TURN_SECONDS
    try:
        while not stop() and time.monotonic() < ends:
            delivery = _next(webhook_id, lease)
            if delivery is None:
                break
            calls += 1
            outcome = letters.send(way, delivery, stop)
            with transaction.atomic():
                webhook = _held(webhook_id, lease)
                if webhook is None:
                    return calls  # another courier has it by now, and sends it again
                packing.note_try(webhook, delivery, outcome)
    except StoppedError:
        logger.info("webhook %s: stopped in the middle of a call, sent again later", webhook_id)
    finally:
        _release(webhook_id, lease)
    return calls


def _due() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        return [row[0] for row in cursor.fetchall()]


def _claim(webhook_id: int) -> int | None:
    """Take the lease, by its number; None where another courier holds it."""
    lease = secrets.randbits(62)
    free = Webhook.objects.filter(pk=webhook_id).exclude(leased_until__gte=Now())
    return lease if free.update(lease=lease, leased_until=_from_now()) else None


def _from_now() -> object:
    return Now() + timedelta(seconds=LEASE_SECONDS)


def _next(webhook_id: int, lease: int) -> Delivery | None:
    """What is sent next, fixed before it is sent; None where nothing is due or the lease was lost."""
    with transaction.atomic():
        webhook = _held(webhook_id, lease)
        delivery = None if webhook is None else packing.next_of(webhook)
        if delivery is not None:
            Webhook.objects.filter(pk=webhook_id).update(leased_until=_from_now())
        return delivery


def _held(webhook_id: int, lease: int) -> Webhook | None:
    """The webhook, its row held to the end of the transaction, if the lease is still this one."""
    # Its own row only: an import holds the project's from its first row to its last.
    rows = Webhook.objects.select_for_update(no_key=True, of=("self",))
    return rows.filter(pk=webhook_id, lease=lease, project__archived_at=None).first()


def _release(webhook_id: int, lease: int) -> None:
    packing.forget_old(webhook_id)
    Webhook.objects.filter(pk=webhook_id, lease=lease).update(leased_until=None)
