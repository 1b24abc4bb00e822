"""Adaptive overlap: another person is asked while the answers so far leave an item in doubt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection, transaction

from annotator.models import Project

REASON = "Another voice is wanted: the answers so far leave it in doubt"

# The belief in a verdict: the likeliest label's share; with several labels that of the least sure one.
_CERTAINTY = """
(SELECT CASE WHEN %(multi)s THEN min(greatest(share.value::float8, 1 - share.value::float8))
             ELSE max(share.value::float8) END
 FROM jsonb_each_text(v.soft) share)
"""
_ASK = f"""
UPDATE annotator_item i SET extra_voices = extra_voices + 1, open = true
FROM annotator_verdict v
WHERE v.item_id = i.id AND i.project_id = %(project)s AND i.id = ANY(%(items)s)
  AND v.source = 'consensus' AND v.state IN ('decided', 'tie') AND i.removed_at IS NULL
  AND i.answers > 0 AND i.answers >= %(overlap)s + i.extra_voices
  AND i.answers < %(most)s AND {_CERTAINTY} < %(sure)s
"""  # noqa: S608 - only our own condition is put in
# First in the queue and without a suggestion: the further voice is to be one of its own.
_PLACE = """
INSERT INTO annotator_pick (project_id, item_id, slot, rank, reason, suggestion)
SELECT i.project_id, i.id, place.slot, 0, %(reason)s, '[]'
FROM annotator_item i
CROSS JOIN LATERAL generate_series(0, %(overlap)s + i.extra_voices - 1) AS place(slot)
WHERE i.project_id = %(project)s AND i.extra_voices > 0 AND i.open AND i.answers > 0
  AND i.answers < %(overlap)s + i.extra_voices AND i.order_key > %(cutoff)s
  AND NOT EXISTS (
    SELECT 1 FROM annotator_assignment a
    WHERE a.item_id = i.id AND a.slot = place.slot AND a.state = 'answered' AND a.question_id IS NULL)
  AND NOT EXISTS (
    SELECT 1 FROM annotator_pick p WHERE p.item_id = i.id AND p.slot = place.slot)
ON CONFLICT DO NOTHING
"""


def ask_again(project: Project, items: Iterable[int]) -> int:
    """Ask one more person about each of these items whose verdict is less sure than the policy.

    Returns how many are asked about again. Those at the limit of voices wait for a reviewer.
    """
    chosen = list(items)
    if project.sure_at <= 0 or not chosen:
        return 0
    values: dict[str, Any] = {
        "project": project.pk,
        "items": chosen,
        "multi": project.multi_label,
        "overlap": project.overlap,
        "most": project.voices_at_most,
        "sure": project.sure_at,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_ASK, values)
        asked = int(cursor.rowcount)
        if asked:
            place(project)
    return asked


def place(project: Project) -> None:
    """Put what wants a further voice at the front of the queue, also after it was filled anew.

    Audit items are not in it: their stream gives them out by itself.
    """
    values: dict[str, Any] = {
        "project": project.pk,
        "overlap": project.overlap,
        "cutoff": project.audit_cutoff,
        "reason": REASON,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, values)
