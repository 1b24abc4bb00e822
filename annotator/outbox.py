"""What the world is to be told: written in the transaction of what happened, delivered by the courier.

One statement, which writes nothing where no webhook wants the event. It rings nobody and waits for
nobody: the courier looks for what is due. So an event is there exactly when what it tells of is.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from annotator.event_kinds import EVENTS, GATHER_SECONDS, MOST_ENTRIES
from annotator.models import Webhook

_WRITE = """
INSERT INTO annotator_delivery (webhook_id, uuid, type, data, size, occurred_at, due_at)
SELECT id, gen_random_uuid(), %(event)s, %(data)s::jsonb, %(size)s, clock_timestamp(),
       clock_timestamp() + make_interval(secs => %(wait)s)
FROM annotator_webhook
WHERE project_id = %(project)s AND enabled AND %(event)s = ANY(events)
"""

_FORGET_ITEM = """
UPDATE annotator_delivery d SET data = jsonb_set(d.data, %(path)s, (
    SELECT jsonb_agg(CASE WHEN one.told->'item' = to_jsonb(%(item)s::bigint) AND one.told ? 'external_id'
                          THEN one.told || '{"external_id": ""}' ELSE one.told END ORDER BY one.place)
    FROM jsonb_array_elements(d.data #> %(path)s) WITH ORDINALITY AS one (told, place)))
FROM annotator_webhook w
WHERE w.id = d.webhook_id AND w.project_id = %(project)s AND d.data @> %(holds)s::jsonb
"""


def wanted(project_id: int | None, event: str) -> bool:
    """Whether anybody wants to be told; for whatever would cost something to find out."""
    live = Webhook.objects.filter(project=project_id, enabled=True)
    return live.filter(events__contains=[event]).exists()


def note(project_id: int | None, event: str, data: dict[str, Any]) -> None:
    """Tell the project's webhooks of one event; ids, counts and addresses only, no content."""
    if project_id is not None:
        _write(project_id, event, data, size=1, wait=0)


def note_each(project_id: int, event: str, entries: list[dict[str, Any]]) -> None:
    """Tell of several things of a kind, which travel together, and with others of the next seconds."""
    for start in range(0, len(entries), MOST_ENTRIES):
        part = entries[start : start + MOST_ENTRIES]
        wait = 0 if len(part) == MOST_ENTRIES else GATHER_SECONDS
        _write(project_id, event, {EVENTS[event].gathers: part}, size=len(part), wait=wait)


def forget_item(project_id: int, item_id: int) -> None:
    """Blank an item's own id in what waits and in what is kept to be sent again."""
    # Parts us from the courier that puts messages together.
    list(Webhook.objects.select_for_update(no_key=True).filter(project=project_id).order_by("pk"))
    for names in {kind.gathers for kind in EVENTS.values()} - {""}:
        values: dict[str, Any] = {
            "project": project_id,
            "item": item_id,
            "path": [names],
            "holds": json.dumps({names: [{"item": item_id}]}),
        }
        with connection.cursor() as cursor:
            cursor.execute(_FORGET_ITEM, values)


def _write(project_id: int, event: str, data: dict[str, Any], *, size: int, wait: float) -> None:
    values: dict[str, Any] = {
        "project": project_id,
        "event": event,
        "data": json.dumps(data),
        "size": size,
        "wait": wait,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, values)
