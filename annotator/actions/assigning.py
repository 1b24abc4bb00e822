"""Hand out items: a lease per wanted answer, never the same one to two people.

Serving reads the short queue with SKIP LOCKED, so two people who ask at once never wait for each
other; the unique constraints on assignments are what makes double service impossible.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from annotator.actions import auditing
from annotator.errors import NotFoundError
from annotator.models import (
    Annotator,
    AnnotatorKind,
    Assignment,
    AssignmentState,
    Can,
    Item,
    Pick,
    Project,
    User,
)
from annotator.models.people import ROLES, id_of
from annotator.models.statements import partly_loaded, run_prepared

if TYPE_CHECKING:
    from annotator.models.people import Viewer

LEASE_SECONDS = 180
LEASE_AT_MOST_SECONDS = 900
# The item on the screen and two ahead.
HELD_AT_MOST = 3
TRIES = 5

_PROJECT = (
    *("task_type", "item_kind", "overlap", "blind", "audit_share", "audit_cutoff"),
    *("item_count", "current_student_id"),
)
_MEMBER: LiteralString = """
SELECT v.id, v.name, p.task_type, p.item_kind, p.overlap, p.blind, p.audit_share, p.audit_cutoff,
       p.item_count, p.current_student_id
FROM annotator_annotator v
JOIN annotator_project p ON p.id = v.project_id
JOIN annotator_membership m ON m.project_id = p.id AND m.user_id = v.user_id
WHERE v.project_id = %(project)s AND v.user_id = %(user)s AND p.archived_at IS NULL
  AND m.role = ANY(%(roles)s)
"""

_LEASED = (
    *("id", "slot", "state", "stream", "reason", "suggestion", "fallback", "lease_until"),
    *("item_id", "question_id", "label_set"),
)
_ITEM = ("id", "number", "external_id", "text", "text_b", "image", "meta")
_TAKEN: LiteralString = """
SELECT a.id, a.slot, a.state, a.stream, a.reason, a.suggestion::text, a.fallback, a.lease_until,
       a.item_id, a.question_id, a.label_set::text, i.id, i.number, i.external_id, i.text, i.text_b, i.image, i.meta::text
FROM annotator_assignment a JOIN annotator_item i ON i.id = a.item_id
WHERE a.id = ANY(%(taken)s) ORDER BY a.id
"""

_SEAT: LiteralString = """
SELECT v.served, m.quota, m.batch_id
FROM annotator_annotator v
LEFT JOIN annotator_membership m ON m.project_id = v.project_id AND m.user_id = v.user_id
-- Parts two tabs of one person: their requests take turns at this row.
WHERE v.id = %(annotator)s FOR NO KEY UPDATE OF v
"""

# Counted by a statement of its own: one that had to wait for the row would count the past. What
# this person let run out ends here: it is theirs to be given again, as it is anybody's. One that a
# late answer of theirs holds just now is skipped: that request wants the seat which we hold.
_LIVE: LiteralString = """
WITH ran_out AS (
    UPDATE annotator_assignment SET state = 'expired', finished_at = now()
    WHERE id IN (
        SELECT id FROM annotator_assignment
        WHERE annotator_id = %(annotator)s AND state = 'leased' AND lease_until < now()
        FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT count(*) FROM annotator_assignment
WHERE annotator_id = %(annotator)s AND state = 'leased' AND lease_until >= now()
"""

# The second half knows answers without a place of their own: extras, and a reviewer's words. Who was
# asked one question about an item may be asked another one, or the whole answer, later; `{asked}` is
# the question of the pick.
_UNMET: LiteralString = """NOT EXISTS (
    SELECT 1 FROM annotator_assignment met
    WHERE met.item_id = i.id AND met.annotator_id = %(annotator)s
      AND met.state IN ('leased', 'answered', 'skipped')
      AND (met.question_id IS NULL OR met.state = 'leased' OR met.question_id = {asked})
) AND NOT EXISTS (
    SELECT 1 FROM annotator_annotation said
    WHERE said.item_id = i.id AND said.annotator_id = %(annotator)s AND said.kind = 'answer'
      AND (said.question_id IS NULL OR said.question_id = {asked})
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = said.id)
)"""

_IN_BATCH: LiteralString = "(%(batch)s::bigint IS NULL OR i.batch_id = %(batch)s::bigint)"

_FROM_QUEUE: LiteralString = f"""
WITH place AS (
    SELECT p.id FROM annotator_pick p JOIN annotator_item i ON i.id = p.item_id
    WHERE p.project_id = %(project)s
      AND (p.leased_until IS NULL OR p.leased_until < now())
      AND {_IN_BATCH} AND {_UNMET.format(asked="p.question_id")}
    ORDER BY p.rank LIMIT 1 FOR NO KEY UPDATE OF i, p SKIP LOCKED
), found AS (
    UPDATE annotator_pick p SET leased_until = now() + %(seconds)s * interval '1 second'
    FROM place WHERE p.id = place.id
    RETURNING p.item_id, p.slot, p.reason, p.probability, p.suggestion, p.question_id, p.label_set,
        p.set_size
)"""  # noqa: S608 - only our own constants are put in

_FROM_POOL: LiteralString = f"""
WITH found AS (
    SELECT i.id AS item_id, free.s AS slot, '' AS reason,
           NULL::float8 AS probability, '[]'::jsonb AS suggestion, NULL::bigint AS question_id,
           NULL::jsonb AS label_set, NULL::int AS set_size
    FROM annotator_item i CROSS JOIN LATERAL (
        SELECT s FROM generate_series(0, %(overlap)s - 1) s
        WHERE NOT EXISTS (
            SELECT 1 FROM annotator_assignment taken
            WHERE taken.item_id = i.id AND taken.slot = s AND taken.question_id IS NULL
              AND (taken.state = 'answered'
                   OR taken.state = 'leased' AND taken.lease_until >= now()))
        ORDER BY s LIMIT 1
    ) free(s)
    WHERE i.project_id = %(project)s AND i.answers < %(overlap)s AND i.removed_at IS NULL
      AND {{which}} AND {_IN_BATCH} AND {_UNMET.format(asked="NULL")}
    ORDER BY i.order_key LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
)"""  # noqa: S608 - only our own constants are put in

_LEASE: LiteralString = """, fresh AS (
    INSERT INTO annotator_assignment (
        project_id, item_id, annotator_id, slot, state, stream, reason, probability, suggestion,
        question_id, label_set, set_size, fallback, leased_at, lease_until)
    SELECT %(project)s, item_id, %(annotator)s, slot, 'leased', %(stream)s::varchar,
           coalesce(nullif(reason, ''), %(reason)s), probability,
           -- Until a student has an opinion, what the file suggested; a blind item shows neither.
           CASE WHEN suggestion <> '[]' OR %(stream)s::varchar = 'audit' THEN suggestion
                ELSE coalesce((
                    SELECT jsonb_agg(jsonb_build_array(s.label_id, coalesce(s.probability, 1))
                                     ORDER BY s.probability DESC NULLS FIRST)
                    FROM annotator_suggestion s WHERE s.item_id = found.item_id), '[]') END,
           question_id, label_set, set_size, %(fallback)s, now(), now() + %(seconds)s * interval '1 second'
    FROM found ON CONFLICT DO NOTHING RETURNING id
), counted AS (
    UPDATE annotator_annotator SET served = served + 1
    WHERE id = %(annotator)s AND EXISTS (SELECT 1 FROM fresh)
)
SELECT found.item_id, found.slot, fresh.id FROM found LEFT JOIN fresh ON true
"""


@dataclass(frozen=True)
class _Source:
    """Where an item may come from, and how the lease then reads."""

    sql: LiteralString
    stream: str
    fallback: bool = False
    reason: str = ""


_AUDIT = _Source(
    _FROM_POOL.format(which="i.order_key <= %(cutoff)s") + _LEASE,
    "audit",
    reason="Drawn at random, so that the figures stay honest",
)
_QUEUE = _Source(_FROM_QUEUE + _LEASE, "active")
_ANYWHERE = _Source(
    _FROM_POOL.format(which="i.open AND i.order_key > %(cutoff)s") + _LEASE,
    "active",
    fallback=True,
    reason="Any open item: the queue has nothing for you now",
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


def seat(user: Viewer, project_id: int) -> Annotator:
    """The person's voice with its project, by one statement: what a request of the loop begins with.

    Raises NotFoundError for a project in which this person may not label or has no voice yet.
    """
    roles = [str(role) for role in ROLES[Can.LABEL]]
    rows = run_prepared(_MEMBER, {"project": project_id, "user": id_of(user), "roles": roles})
    if not rows:
        raise NotFoundError("There is no such project, or you have no part in it.")
    voice_id, name, *project = rows[0]
    seated = {"id": voice_id, "name": name, "project_id": project_id, "user_id": user.pk}
    voice = partly_loaded(Annotator, seated)
    known = dict(zip(_PROJECT, project, strict=True))
    voice.project = partly_loaded(Project, known | {"id": project_id})
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
        return take(project, annotator, count)


def take(project: Project, annotator: Annotator, count: int) -> list[Assignment]:
    """What `lease` does, within a transaction of the caller's."""
    values = {
        "project": project.pk,
        "annotator": annotator.pk,
        "overlap": project.overlap,
        "cutoff": project.audit_cutoff,
        "seconds": LEASE_SECONDS,
    }
    served, quota, batch = run_prepared(_SEAT, values)[0]
    live = run_prepared(_LIVE, values)[0][0]
    room = min(count, HELD_AT_MOST - live)
    if quota is not None:
        room = min(room, quota - _used(annotator))
    taken: list[int] = []
    while len(taken) < room:
        found = _serve(project, values | {"batch": batch}, served + len(taken))
        if found is None:
            break
        taken.append(found)
    rows = run_prepared(_TAKEN, {"taken": taken}) if taken else []
    return [_taken(project, annotator, row) for row in rows]


def _taken(project: Project, annotator: Annotator, row: tuple[Any, ...]) -> Assignment:
    """A lease with its item, of a row of _TAKEN."""
    size = len(_LEASED)
    known = dict(zip(_LEASED, row[:size], strict=True))
    content = dict(zip(_ITEM, row[size:], strict=True))
    for row_of, name in ((known, "suggestion"), (known, "label_set"), (content, "meta")):
        row_of[name] = json.loads(row_of[name] or "null")
    ours = {"project_id": project.pk, "annotator_id": annotator.pk}
    assignment = partly_loaded(Assignment, known | ours)
    assignment.item = partly_loaded(Item, content | {"project_id": project.pk})
    return assignment


def _used(annotator: Annotator) -> int:
    """How much of a quota is spent: answers, and items that are held now."""
    used = Assignment.objects.filter(annotator=annotator).filter(
        Q(state=AssignmentState.ANSWERED) | Q(state=AssignmentState.LEASED, lease_until__gte=Now())
    )
    return used.count()


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
    values = request | {
        "stream": source.stream,
        "fallback": source.fallback,
        "reason": source.reason,
    }
    for _ in range(TRIES):
        rows = run_prepared(source.sql, values)
        if not rows:
            return None
        item_id, slot, assignment_id = rows[0]
        if assignment_id is None:
            _clear(item_id, slot)
            continue
        if source is _AUDIT:
            auditing.draw(project, Item.objects.only("id", "part").get(pk=item_id))
        return int(assignment_id)
    return None


def _clear(item_id: int, slot: int) -> None:
    """Make way in a place whose lease ran out, or drop a pick that is older than its answer.

    A pick that a refill of the queue is just replacing is left to it: waiting for it while holding
    the item could never end.
    """
    ran_out = Assignment.objects.filter(
        item_id=item_id, slot=slot, state=AssignmentState.LEASED, lease_until__lt=Now()
    ).update(state=AssignmentState.EXPIRED, finished_at=Now())
    free = Pick.objects.filter(item_id=item_id, slot=slot).select_for_update(skip_locked=True)
    picks = Pick.objects.filter(pk__in=list(free.values_list("pk", flat=True)))
    if ran_out:
        picks.update(leased_until=None)
    else:
        picks.delete()


def _commit_without_waiting() -> None:
    """Let this transaction commit before the disk has it.

    For renewing and giving back, whose loss only time mends; never for answers, and not for a new
    lease either: after a crash the page would hold an item whose lease nobody knows, and the number
    of that lease could be another's.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


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
