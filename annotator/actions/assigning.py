"""Hand out items: a lease per wanted answer, never the same one to two people.

Serving reads the short queue with SKIP LOCKED, so two people who ask at once never wait for each
other; the unique constraints on assignments are what makes double service impossible.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from annotator.actions import auditing
from annotator.models import (
    Annotator,
    AnnotatorKind,
    Assignment,
    AssignmentState,
    Item,
    Membership,
    Pick,
    Project,
    User,
)

LEASE_SECONDS = 180
LEASE_AT_MOST_SECONDS = 900
# The item on the screen and two ahead.
HELD_AT_MOST = 3
TRIES = 5

_MET = """EXISTS (
    SELECT 1 FROM annotator_assignment met
    WHERE met.item_id = i.id AND met.annotator_id = %(annotator)s
      AND met.state IN ('leased', 'answered', 'skipped')
)"""

_FREE_SLOT = """(
    SELECT s FROM generate_series(0, %(overlap)s - 1) s
    WHERE NOT EXISTS (
        SELECT 1 FROM annotator_assignment taken
        WHERE taken.item_id = i.id AND taken.slot = s
          AND (taken.state = 'answered' OR taken.state = 'leased' AND taken.lease_until >= now())
    )
    ORDER BY s LIMIT 1
)"""

_FROM_QUEUE = f"""
WITH place AS (
    SELECT p.id FROM annotator_pick p JOIN annotator_item i ON i.id = p.item_id
    WHERE p.project_id = %(project)s
      AND (p.leased_until IS NULL OR p.leased_until < now())
      AND (%(batch)s::bigint IS NULL OR i.batch_id = %(batch)s)
      AND NOT {_MET}
    ORDER BY p.rank LIMIT 1 FOR NO KEY UPDATE OF i, p SKIP LOCKED
)
UPDATE annotator_pick p SET leased_until = now() + %(seconds)s * interval '1 second'
FROM place WHERE p.id = place.id
RETURNING p.item_id, p.slot, p.reason, p.probability, p.suggestion::text
"""  # noqa: S608 - only our own constants are put in

_FROM_POOL = f"""
SELECT i.id, free.s, '', NULL, '[]'
FROM annotator_item i CROSS JOIN LATERAL {_FREE_SLOT} free(s)
WHERE i.project_id = %(project)s AND i.answers < %(overlap)s AND {{which}}
  AND (%(batch)s::bigint IS NULL OR i.batch_id = %(batch)s)
  AND NOT {_MET}
ORDER BY i.order_key LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
"""  # noqa: S608 - only our own constants are put in
_FROM_AUDIT = _FROM_POOL.format(which="i.order_key <= %(cutoff)s")
_FROM_ANYWHERE = _FROM_POOL.format(which="i.open AND i.order_key > %(cutoff)s")

_INSERT = """
INSERT INTO annotator_assignment (
    project_id, item_id, annotator_id, slot, state, stream, reason, probability, suggestion,
    fallback, leased_at, lease_until
)
VALUES (
    %(project)s, %(item)s, %(annotator)s, %(slot)s, 'leased', %(stream)s, %(reason)s,
    %(probability)s, %(suggestion)s::jsonb, %(fallback)s, now(),
    now() + %(seconds)s * interval '1 second'
)
ON CONFLICT DO NOTHING RETURNING id
"""


@dataclass(frozen=True)
class _Source:
    """Where an item may come from, and how the lease then reads."""

    sql: str
    stream: str
    fallback: bool = False
    reason: str = ""


_AUDIT = _Source(_FROM_AUDIT, "audit", reason="Drawn at random, so that the figures stay honest")
_QUEUE = _Source(_FROM_QUEUE, "active")
_ANYWHERE = _Source(
    _FROM_ANYWHERE, "active", fallback=True, reason="Any open item: the queue is being prepared"
)


def voice_of(project: Project, user: User) -> Annotator:
    """The person's voice in a project, made at the first visit."""
    voice = Annotator.objects.filter(project=project, user=user).first()
    if voice is None:
        voice, _ = Annotator.objects.get_or_create(
            project=project,
            user=user,
            defaults={"kind": AnnotatorKind.PERSON, "name": str(user)},
        )
    return voice


def held(annotator: Annotator) -> list[Assignment]:
    """The annotator's live leases, oldest first."""
    return list(
        Assignment.objects.filter(
            annotator=annotator, state=AssignmentState.LEASED, lease_until__gte=Now()
        )
        .select_related("item")
        .order_by("id")
    )


def lease(project: Project, annotator: Annotator, count: int) -> list[Assignment]:
    """Lease up to `count` further items, never holding more than three.

    An empty answer means that nothing is left which this person has not met.
    """
    with transaction.atomic():
        _commit_without_waiting()
        # Parts two tabs of one person: their requests take turns at this row.
        voice = Annotator.objects.select_for_update(no_key=True).get(pk=annotator.pk)
        membership = Membership.objects.filter(project=project, user_id=voice.user_id).first()
        room = min(count, HELD_AT_MOST - _live(voice), _quota_left(voice, membership))
        values = _values(project, voice, membership)
        taken: list[int] = []
        while len(taken) < room:
            found = _serve(project, values, voice.served + len(taken))
            if found is None:
                break
            taken.append(found)
        if not taken:
            return []
        Annotator.objects.filter(pk=voice.pk).update(served=F("served") + len(taken))
        return list(Assignment.objects.filter(pk__in=taken).select_related("item").order_by("id"))


def _values(
    project: Project, annotator: Annotator, membership: Membership | None
) -> dict[str, Any]:
    """What the serving statements ask for, the same for every item of one request."""
    return {
        "project": project.pk,
        "annotator": annotator.pk,
        "batch": membership.batch_id if membership else None,
        "overlap": project.overlap,
        "cutoff": project.audit_cutoff,
        "seconds": LEASE_SECONDS,
    }


def _commit_without_waiting() -> None:
    """A lease lost in a crash costs nobody anything: do not wait for the disk."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def _live(annotator: Annotator) -> int:
    return Assignment.objects.filter(
        annotator=annotator, state=AssignmentState.LEASED, lease_until__gte=Now()
    ).count()


def _quota_left(annotator: Annotator, membership: Membership | None) -> int:
    if membership is None or membership.quota is None:
        return HELD_AT_MOST
    used = Assignment.objects.filter(annotator=annotator).filter(
        Q(state=AssignmentState.ANSWERED) | Q(state=AssignmentState.LEASED, lease_until__gte=Now())
    )
    return max(membership.quota - used.count(), 0)


def _serve(project: Project, values: dict[str, Any], served: int) -> int | None:
    """The next item's assignment: audit when it is its turn, else the queue, else anything open."""
    sources = [_QUEUE, _ANYWHERE, _AUDIT]
    if auditing.is_turn(project.audit_share, served):
        sources.insert(0, _AUDIT)
    for source in sources:
        assignment = _take(project, values, source)
        if assignment is not None:
            return assignment
    return None


def _take(project: Project, request: dict[str, Any], source: _Source) -> int | None:
    values = request | {"stream": source.stream, "fallback": source.fallback}
    with connection.cursor() as cursor:
        for _ in range(TRIES):
            cursor.execute(source.sql, values)
            row = cursor.fetchone()
            if row is None:
                return None
            values["item"], values["slot"], reason, values["probability"], suggestion = row
            values["reason"], values["suggestion"] = reason or source.reason, suggestion
            assignment = _insert(cursor, values)
            if assignment is not None:
                if source is _AUDIT:
                    auditing.draw(project, Item.objects.only("id", "part").get(pk=values["item"]))
                return assignment
    return None


def _insert(cursor: Any, values: dict[str, Any]) -> int | None:
    cursor.execute(_INSERT, values)
    row = cursor.fetchone()
    if row is None:
        # The slot is held by a lease that ran out, or the pick is older than an answer.
        if _expire(values["item"], values["slot"]):
            cursor.execute(_INSERT, values)
            row = cursor.fetchone()
        else:
            Pick.objects.filter(item_id=values["item"], slot=values["slot"]).delete()
    return row[0] if row else None


def _expire(item_id: int, slot: int) -> int:
    return Assignment.objects.filter(
        item_id=item_id, slot=slot, state=AssignmentState.LEASED, lease_until__lt=Now()
    ).update(state=AssignmentState.EXPIRED, finished_at=Now())


def lock_with_item(assignments: QuerySet[Assignment]) -> QuerySet[Assignment]:
    """Lock assignments, each item before its assignment.

    The order that serving keeps too: whoever wants an item that is being served or answered waits
    (or, serving, looks further) before holding anything that the other may want.
    """
    return assignments.select_related("item").select_for_update(of=("item", "self"), no_key=True)


def renew(annotator: Annotator, assignment_ids: Iterable[int]) -> int:
    """Keep leases alive while their page is used, 15 minutes at most. Returns how many live on."""
    with transaction.atomic(), connection.cursor() as cursor:
        _commit_without_waiting()
        cursor.execute(
            """
            WITH kept AS (
                UPDATE annotator_assignment
                SET lease_until = least(
                    now() + %s * interval '1 second', leased_at + %s * interval '1 second')
                WHERE annotator_id = %s AND id = ANY(%s) AND state = 'leased'
                  AND lease_until >= now()
                RETURNING item_id, slot, lease_until
            ), moved AS (
                UPDATE annotator_pick p SET leased_until = kept.lease_until
                FROM kept WHERE p.item_id = kept.item_id AND p.slot = kept.slot
            )
            SELECT count(*) FROM kept WHERE lease_until >= now()
            """,
            [LEASE_SECONDS, LEASE_AT_MOST_SECONDS, annotator.pk, list(assignment_ids)],
        )
        row = cursor.fetchone()
    return int(row[0])


def release(annotator: Annotator, assignment_ids: Iterable[int]) -> int:
    """Give leases back unanswered: the page was left. They are servable again at once."""
    with transaction.atomic():
        _commit_without_waiting()
        mine = lock_with_item(
            Assignment.objects.filter(
                annotator=annotator, pk__in=list(assignment_ids), state=AssignmentState.LEASED
            )
        )
        places = [(one.pk, one.item_id, one.slot) for one in mine]
        Assignment.objects.filter(pk__in=[pk for pk, _, _ in places]).update(
            state=AssignmentState.RELEASED, finished_at=Now()
        )
        for _, item_id, slot in places:
            Pick.objects.filter(item_id=item_id, slot=slot).update(leased_until=None)
    return len(places)


def release_all(annotator: Annotator) -> int:
    """Return every lease of somebody who left the project; their answers stay."""
    live = Assignment.objects.filter(annotator=annotator, state=AssignmentState.LEASED)
    return release(annotator, list(live.values_list("pk", flat=True)))
