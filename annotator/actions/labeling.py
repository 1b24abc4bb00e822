"""Answer, skip, take back, change: what a person says about an item, written once and for good.

Every write carries the client's UUID; a replay returns the first answer. The assignment row is the
lock that parts a double press from itself and two tabs from one another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from annotator.actions import settling
from annotator.actions.assigning import LEASE_SECONDS
from annotator.actions.schema import check_labels
from annotator.errors import AnnotatorError, ForbiddenError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Annotator,
    Assignment,
    AssignmentState,
    Can,
    Flag,
    FlagState,
    Item,
    Membership,
    Pick,
    Project,
    Stream,
)
from annotator.models.statements import run_prepared

LONGEST_SECONDS = 3600.0
LONGEST_COMMENT = 5_000
# States of an assignment by which its person has the item; the others are over without a word.
MEETING = (AssignmentState.LEASED, AssignmentState.ANSWERED, AssignmentState.SKIPPED)

_LOCK: LiteralString = """
SELECT a.id, a.item_id, a.slot, a.state, a.stream, a.suggestion::text
FROM annotator_assignment a JOIN annotator_item i ON i.id = a.item_id
WHERE a.id = %(assignment)s AND a.annotator_id = %(annotator)s AND a.project_id = %(project)s
FOR NO KEY UPDATE OF i, a
"""

_INSERT: LiteralString = """
INSERT INTO annotator_annotation (
    uuid, project_id, item_id, annotator_id, assignment_id, kind, stream, labels, comment, reason,
    extra, blind, seconds)
VALUES (
    %(uuid)s, %(project)s, %(item)s, %(annotator)s, %(assignment)s, %(kind)s, %(stream)s,
    %(labels)s, %(comment)s, '', %(extra)s, %(blind)s, %(seconds)s)
ON CONFLICT (uuid) DO NOTHING RETURNING id, created_at
"""

_ANSWERED: LiteralString = """
WITH done AS (
    UPDATE annotator_assignment SET state = 'answered', finished_at = now()
    WHERE id = %(assignment)s RETURNING item_id, slot
), gone AS (
    DELETE FROM annotator_pick p USING done WHERE p.item_id = done.item_id AND p.slot = done.slot
)
UPDATE annotator_item i SET answers = answers + 1, open = (answers + 1 < %(overlap)s)
FROM done WHERE i.id = done.item_id
"""


class NothingToUndoError(AnnotatorError):
    code = "nothing_to_undo"
    status = 409


def submit(
    project: Project,
    annotator: Annotator,
    *,
    uuid: UUID,
    assignment_id: int,
    labels: Sequence[int],
    seconds: float | None = None,
    comment: str = "",
) -> Annotation:
    """Store an answer to a leased item.

    An answer after its lease is kept; when somebody else has the item by then, marked as an extra.
    A second answer to the same assignment returns the first. Raises InvalidError for labels that
    are not in the schema, NotFoundError for an assignment that is not this annotator's.
    """
    chosen = check_labels(project, labels)
    with transaction.atomic():
        assignment = _lock(project, annotator, assignment_id)
        first = _already_answered(assignment)
        late = assignment.state != AssignmentState.LEASED
        if first is None and late:  # looked for before the place is taken again
            first = _find_replay(annotator, uuid)
        if first is not None:
            return first
        extra = late and not _win_back(assignment)
        annotation = _insert(
            Annotation(
                uuid=uuid,
                project=project,
                item_id=assignment.item_id,
                annotator=annotator,
                assignment=assignment,
                stream=assignment.stream,
                labels=chosen,
                comment=_clean(comment, LONGEST_COMMENT),
                extra=extra,
                blind=assignment.stream == Stream.AUDIT
                or project.blind
                or not assignment.suggestion,
                seconds=_bounded(seconds),
            )
        )
        if annotation is None:
            return _replayed(annotator, uuid)
        if not extra:
            run_prepared(_ANSWERED, {"assignment": assignment.pk, "overlap": project.overlap})
    settling.wish(project)
    return annotation


def skip(
    project: Project,
    annotator: Annotator,
    *,
    uuid: UUID,
    assignment_id: int,
    reason: str = "",
    seconds: float | None = None,
) -> Annotation:
    """Record that this person passes; the item goes to somebody else and never returns to them."""
    with transaction.atomic():
        assignment = _lock(project, annotator, assignment_id)
        first = _find_replay(annotator, uuid) or _already_answered(assignment)
        if first is not None:
            return first
        annotation = Annotation.objects.create(
            uuid=uuid,
            project=project,
            item_id=assignment.item_id,
            annotator=annotator,
            assignment=assignment,
            kind=AnnotationKind.SKIP,
            stream=assignment.stream,
            reason=_clean(reason, 200),
            seconds=_bounded(seconds),
        )
        _set_state(assignment, AssignmentState.SKIPPED)
        Pick.objects.filter(item_id=assignment.item_id, slot=assignment.slot).update(
            leased_until=None
        )
    settling.wish(project)
    return annotation


def retract(
    project: Project, annotator: Annotator, *, uuid: UUID, annotation_uuid: UUID
) -> Assignment:
    """Take an own answer or skip back and hold its item again. Returns the renewed lease."""
    with transaction.atomic():
        said = _own(annotator, annotation_uuid)
        if said.assignment_id is None:
            raise NothingToUndoError("That answer did not come from the label page.")
        assignment = _lock(project, annotator, said.assignment_id)
        last = _standing(annotator, annotation_uuid, replay=uuid)
        if _find_replay(annotator, uuid) is None:
            Annotation.objects.create(
                uuid=uuid,
                project=project,
                item_id=last.item_id,
                annotator=annotator,
                assignment=assignment,
                previous=last,
                kind=AnnotationKind.RETRACTION,
                stream=last.stream,
            )
            _reopen(project, assignment)
    settling.wish(project)
    return assignment


def revise(
    project: Project,
    annotator: Annotator,
    *,
    uuid: UUID,
    annotation_uuid: UUID,
    labels: Sequence[int],
    comment: str = "",
) -> Annotation:
    """Change an own earlier answer: a new annotation that follows the old one."""
    chosen = check_labels(project, labels)
    with transaction.atomic():
        said = _own(annotator, annotation_uuid)
        # Parts two tabs that change or take back one answer: the second is told so.
        Item.objects.select_for_update(no_key=True).get(pk=said.item_id)
        replay = _find_replay(annotator, uuid)
        if replay is not None:
            return replay
        last = _standing(annotator, annotation_uuid)
        if last.stream == Stream.REVIEW and not _may_review(annotator):
            raise ForbiddenError("Only a reviewer changes a reviewer's word.")
        if last.kind != AnnotationKind.ANSWER:
            raise InvalidError("A skipped item is taken back first, then answered.")
        annotation = Annotation.objects.create(
            uuid=uuid,
            project=project,
            item_id=last.item_id,
            annotator=annotator,
            assignment_id=last.assignment_id,
            previous=last,
            stream=last.stream,
            labels=chosen,
            comment=_clean(comment, LONGEST_COMMENT),
            extra=last.extra,
            blind=False,
        )
    settling.wish(project)
    return annotation


def flag(project: Project, annotator: Annotator, *, item: Item, reason: str = "") -> Flag:
    """Put an item to a reviewer; flagging it twice changes the reason."""
    raised, _ = Flag.objects.update_or_create(
        item=item,
        raised_by=annotator,
        state=FlagState.OPEN,
        defaults={"project": project, "reason": _clean(reason, 500)},
    )
    return raised


def _lock(project: Project, annotator: Annotator, assignment_id: int) -> Assignment:
    """The annotator's own assignment, its item locked before it: the order that serving keeps.

    One that ran out gives way to the one by which the person was given the item again meanwhile.
    """
    values = {"assignment": assignment_id, "annotator": annotator.pk, "project": project.pk}
    rows = run_prepared(_LOCK, values)
    if not rows:
        raise NotFoundError("That item is not yours to answer in this project.")
    names = ("id", "item_id", "slot", "state", "stream")
    assignment = Assignment(
        project=project,
        annotator=annotator,
        suggestion=json.loads(rows[0][5]),
        **dict(zip(names, rows[0][:5], strict=True)),
    )
    if assignment.state in MEETING:
        return assignment
    again = Assignment.objects.filter(
        item_id=assignment.item_id, annotator=annotator, state__in=MEETING
    ).first()
    return assignment if again is None else _lock(project, annotator, again.pk)


def _insert(annotation: Annotation) -> Annotation | None:
    """Append to the ledger; None when this UUID is in it already."""
    rows = run_prepared(
        _INSERT,
        {
            "uuid": annotation.uuid,
            "project": annotation.project_id,
            "item": annotation.item_id,
            "annotator": annotation.annotator_id,
            "assignment": annotation.assignment_id,
            "kind": annotation.kind,
            "stream": annotation.stream,
            "labels": annotation.labels,
            "comment": annotation.comment,
            "extra": annotation.extra,
            "blind": annotation.blind,
            "seconds": annotation.seconds,
        },
    )
    if not rows:
        return None
    annotation.pk, annotation.created_at = rows[0]
    return annotation


def _find_replay(annotator: Annotator, uuid: UUID) -> Annotation | None:
    found = Annotation.objects.filter(uuid=uuid).first()
    if found is not None and found.annotator_id != annotator.pk:
        raise InvalidError("That answer id is already in use. Send a fresh random UUID.")
    return found


def _replayed(annotator: Annotator, uuid: UUID) -> Annotation:
    found = _find_replay(annotator, uuid)
    if found is None:
        raise NotFoundError("That answer is not in this project.")
    return found


def _already_answered(assignment: Assignment) -> Annotation | None:
    if assignment.state == AssignmentState.LEASED:
        return None
    said = Annotation.objects.filter(assignment=assignment, successor=None)
    return said.exclude(kind=AnnotationKind.RETRACTION).order_by("-id").first()


def _own(annotator: Annotator, annotation_uuid: UUID) -> Annotation:
    mine = Annotation.objects.filter(annotator=annotator, uuid=annotation_uuid).first()
    if mine is None:
        raise NotFoundError("There is no such answer of yours in this project.")
    return mine


def _may_review(annotator: Annotator) -> bool:
    member = Membership.objects.filter(
        project=annotator.project_id, user=annotator.user_id, user__isnull=False
    ).first()
    return member is not None and member.allows(Can.REVIEW)


def _standing(
    annotator: Annotator, annotation_uuid: UUID, replay: UUID | None = None
) -> Annotation:
    """The annotator's own last word with this UUID, or the one that `replay` already took back."""
    mine = _own(annotator, annotation_uuid)
    later = Annotation.objects.filter(previous=mine).first()
    if later is not None and later.uuid != replay:
        raise NothingToUndoError("That answer was already taken back or changed.")
    return mine


def _win_back(assignment: Assignment) -> bool:
    """Take the place of a lease that ran out again; False when somebody else has it by now."""
    try:
        with transaction.atomic():
            _set_state(assignment, AssignmentState.ANSWERED)
    except IntegrityError:
        return False
    return True


def _set_state(assignment: Assignment, state: AssignmentState) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(state=state, finished_at=Now())
    assignment.state = state


def _reopen(project: Project, assignment: Assignment) -> None:
    """Make the taken-back item the annotator's again, if its place is still free."""
    counted = assignment.state == AssignmentState.ANSWERED
    if counted:
        Item.objects.filter(pk=assignment.item_id).update(answers=F("answers") - 1, open=True)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE annotator_assignment
            SET state = 'leased', finished_at = NULL, leased_at = now(),
                lease_until = now() + %s * interval '1 second'
            WHERE id = %s AND (state = 'answered' OR NOT EXISTS (
                SELECT 1 FROM annotator_assignment other
                WHERE other.item_id = annotator_assignment.item_id
                  AND other.slot = annotator_assignment.slot
                  AND other.state IN ('leased', 'answered')
                  AND other.id <> annotator_assignment.id))
            """,
            [LEASE_SECONDS, assignment.pk],
        )
    assignment.refresh_from_db()


def _clean(text: str, longest: int) -> str:
    """What the database takes of a person's words: no NUL, and not too long."""
    return text.replace("\x00", "")[:longest]


def _bounded(seconds: float | None) -> float | None:
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_SECONDS)
