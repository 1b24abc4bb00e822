"""Take back or change what one said: a later word that follows the former one, never instead of it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from annotator.actions.desk import saying
from annotator.actions.desk.assigning import LEASE_SECONDS
from annotator.actions.desk.labeling import LONGEST_COMMENT, clean, find_replay, lock, still_wanted
from annotator.actions.review import reviewing
from annotator.actions.verdicts import settling
from annotator.errors import AnnotatorError, ForbiddenError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Annotator,
    Assignment,
    AssignmentState,
    Can,
    Item,
    Membership,
    Outcome,
    Project,
    Stream,
)


class NothingToUndoError(AnnotatorError):
    code = "nothing_to_undo"
    status = 409


def retract(
    project: Project, annotator: Annotator, *, uuid: UUID, annotation_uuid: UUID
) -> Assignment:
    """Take an own answer or skip back and hold its item again. Returns the renewed lease."""
    with transaction.atomic():
        said = _own(annotator, annotation_uuid)
        if said.assignment_id is None:
            raise NothingToUndoError("That answer did not come from the label page.")
        assignment = lock(project, annotator, said.assignment_id)
        last = _standing(annotator, annotation_uuid, replay=uuid)
        if find_replay(annotator, uuid) is None:
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
            _reopen(assignment)
    settling.wish(project)
    return assignment


def revise(
    project: Project,
    annotator: Annotator,
    *,
    uuid: UUID,
    annotation_uuid: UUID,
    labels: Sequence[int] = (),
    value: object = None,
    comment: str = "",
) -> Annotation:
    """Change an own earlier answer: a new annotation that follows the old one.

    An answer to a question stays one: its labels are that label, or none.
    """
    with transaction.atomic():
        said = _own(annotator, annotation_uuid)
        # Parts two tabs that change or take back one answer: the second is told so.
        item = Item.objects.select_for_update(no_key=True).get(pk=said.item_id)
        answer = saying.read(
            project, labels, value, said.question_id, lambda: saying.content_of(item)
        )
        replay = find_replay(annotator, uuid)
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
            labels=answer.labels,
            value=answer.value,
            question_id=last.question_id,
            outcome=Outcome.CHANGE if last.stream == Stream.REVIEW else Outcome.NONE,
            comment=clean(comment, LONGEST_COMMENT),
            extra=last.extra,
            blind=False,
        )
        if annotation.stream == Stream.REVIEW and annotator.user is not None:
            reviewing.settle_flags(annotation.item, annotator.user, annotation)
    settling.wish(project)
    return annotation


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


def _reopen(assignment: Assignment) -> None:
    """Make the taken-back item the annotator's again, if its place is still free."""
    answered = assignment.state == AssignmentState.ANSWERED and assignment.question_id is None
    counted = answered and assignment.stream != Stream.GOLD
    if counted:
        Item.objects.filter(pk=assignment.item_id).update(
            answers=F("answers") - 1, open=still_wanted()
        )
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
                  AND other.question_id IS NOT DISTINCT FROM annotator_assignment.question_id
                  AND other.state IN ('leased', 'answered')
                  AND other.id <> annotator_assignment.id))
            """,
            [LEASE_SECONDS, assignment.pk],
        )
    assignment.refresh_from_db()
