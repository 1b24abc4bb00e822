"""Hand out items: a lease per wanted answer, never the same one to two people.

Serving reads the short queue with SKIP LOCKED, so two people who ask at once never wait for each
other; the unique constraints on assignments are what makes double service impossible.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, LiteralString

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from annotator.actions.desk import entering, sources
from annotator.actions.desk.sources import Source
from annotator.actions.queue import auditing
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
    *("item_count", "current_student_id", "removed_count", "share_at_most", "gold_share"),
    "entry_items",
)
_MEMBER: LiteralString = """
SELECT v.id, v.name, p.task_type, p.item_kind, p.overlap, p.blind, p.audit_share, p.audit_cutoff,
       p.item_count, p.current_student_id, p.removed_count, p.share_at_most, p.gold_share,
       p.entry_items
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
_ITEM = ("id", "number", "external_id", "text", "text_b", "candidates", "image", "meta")
_TAKEN: LiteralString = """
SELECT a.id, a.slot, a.state, a.stream, a.reason, a.suggestion::text, a.fallback, a.lease_until,
       a.item_id, a.question_id, a.label_set::text, i.id, i.number, i.external_id, i.text, i.text_b, i.candidates, i.image,
       i.meta::text
FROM annotator_assignment a JOIN annotator_item i ON i.id = a.item_id
WHERE a.id = ANY(%(taken)s) ORDER BY a.id
"""

_SEAT: LiteralString = """
SELECT v.served, m.quota, m.batch_id, m.role, m.admitted_at
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
    served, quota, batch, role, admitted = run_prepared(_SEAT, values)[0]
    live = run_prepared(_LIVE, values)[0][0]
    room = min(count, HELD_AT_MOST - live)
    limit = _limit(project, quota)
    if limit is not None:
        room = min(room, limit - _used(annotator))
    entry = entering.left(project, annotator, role, admitted_at=admitted)
    if entry is not None:
        room = min(room, entry)
    taken: list[int] = []
    while len(taken) < room:
        values |= {"batch": batch}
        wanted = (
            sources.for_turn(project, served + len(taken)) if entry is None else [sources.ENTRY]
        )
        found = _serve(project, values, wanted)
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


def _limit(project: Project, quota: int | None) -> int | None:
    """How many items this person may answer in all: by their quota, and by nobody's share."""
    if project.share_at_most >= 1:
        return quota
    share = math.ceil(project.share_at_most * project.present_count * project.overlap)
    return share if quota is None else min(quota, share)


def _serve(project: Project, values: dict[str, Any], wanted: list[Source]) -> int | None:
    """The next item's assignment, from the first source that has one."""
    for source in wanted:
        unqueued = source is sources.ANYWHERE and not Pick.objects.filter(project=project).exists()
        assignment = _take(project, values, sources.UNQUEUED if unqueued else source)
        if assignment is not None:
            return assignment
    return None


def _take(project: Project, request: dict[str, Any], source: Source) -> int | None:
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
        if source is sources.AUDIT:
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
