"""Answer, skip, flag: what a person says about an item, written once and for good.

Every write carries the client's UUID; a replay returns the first answer. The assignment row is the
lock that parts a double press from itself and two tabs from one another.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from annotator.actions.desk import entering, saying, siding
from annotator.actions.review import flag_events
from annotator.actions.verdicts import settling
from annotator.errors import InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Annotator,
    Assignment,
    AssignmentState,
    Flag,
    FlagState,
    Item,
    Outcome,
    Pick,
    Project,
    Stream,
)
from annotator.models.statements import run_prepared

LONGEST_SECONDS = 3600.0
# Streams whose items show neither suggestion nor anybody's answer.
BLIND = (Stream.AUDIT, Stream.GOLD)
LONGEST_COMMENT = 5_000
# States of an assignment by which its person has the item; the others are over without a word.
MEETING = (AssignmentState.LEASED, AssignmentState.ANSWERED, AssignmentState.SKIPPED)

_LOCK: LiteralString = """
SELECT a.id, a.item_id, a.slot, a.state, a.stream, a.question_id, a.suggestion::text
FROM annotator_assignment a JOIN annotator_item i ON i.id = a.item_id
WHERE a.id = %(assignment)s AND a.annotator_id = %(annotator)s AND a.project_id = %(project)s
FOR NO KEY UPDATE OF i, a
"""

_INSERT: LiteralString = """
INSERT INTO annotator_annotation (
    uuid, project_id, item_id, annotator_id, assignment_id, kind, stream, labels, value, question_id,
    comment, reason, extra, blind, seconds)
VALUES (
    %(uuid)s, %(project)s, %(item)s, %(annotator)s, %(assignment)s, %(kind)s, %(stream)s,
    %(labels)s, %(value)s::jsonb, %(question)s, %(comment)s, '', %(extra)s, %(blind)s, %(seconds)s)
ON CONFLICT (uuid) DO NOTHING RETURNING id, created_at
"""

# An answer to a question leaves the item open: the whole answer is still wanted, by whoever is asked.
# One to a gold item tells of the person, not of the item.
_ANSWERED: LiteralString = """
WITH done AS (
    UPDATE annotator_assignment SET state = 'answered', finished_at = now()
    WHERE id = %(assignment)s RETURNING item_id, slot, question_id, stream
), gone AS (
    DELETE FROM annotator_pick p USING done
    WHERE p.item_id = done.item_id AND p.slot = done.slot
      AND (done.question_id IS NULL OR p.question_id = done.question_id)
)
UPDATE annotator_item i SET answers = answers + 1, open = open AND answers + 1 < %(overlap)s + extra_voices
FROM done WHERE i.id = done.item_id AND done.question_id IS NULL AND done.stream <> 'gold'
"""


def submit(
    project: Project,
    annotator: Annotator,
    *,
    uuid: UUID,
    assignment_id: int,
    labels: Sequence[int] = (),
    value: object = None,
    question: int | None = None,
    seconds: float | None = None,
    comment: str = "",
) -> Annotation:
    """Store an answer to a leased item; with `question` to that one label, else the whole answer.

    Where answers are more than labels, `value` is the answer and `labels` follow from it.
    An answer after its lease is kept; when somebody else has the item by then, marked as an extra.
    A second answer to the same assignment returns the first. Raises InvalidError for labels that
    are not in the schema, a value that the task cannot read, or a question that was not asked,
    NotFoundError for an assignment that is not this annotator's.
    """
    with transaction.atomic():
        return store(
            project,
            annotator,
            uuid=uuid,
            assignment_id=assignment_id,
            labels=labels,
            value=value,
            question=question,
            seconds=seconds,
            comment=comment,
        )


def store(
    project: Project,
    annotator: Annotator,
    *,
    uuid: UUID,
    assignment_id: int,
    labels: Sequence[int] = (),
    value: object = None,
    question: int | None = None,
    seconds: float | None = None,
    comment: str = "",
) -> Annotation:
    """What `submit` does, within a transaction of the caller's, which a refusal has to end."""
    said = saying.read(
        project, labels, value, question, lambda: saying.content_of_lease(annotator, assignment_id)
    )
    assignment = lock(project, annotator, assignment_id)
    first = _already_answered(assignment)
    late = assignment.state != AssignmentState.LEASED
    blind = assignment.stream in BLIND or project.blind
    suggested = None if blind else assignment.suggestion
    if first is None and late:  # looked for before the place is taken again
        first = find_replay(annotator, uuid)
    if first is not None:
        return first
    extra = late and not _win_back(assignment)
    if question != assignment.question_id:
        extra = not _widen(assignment, question) or extra
    annotation = _insert(
        Annotation(
            uuid=uuid,
            project=project,
            item_id=assignment.item_id,
            annotator=annotator,
            assignment=assignment,
            stream=assignment.stream,
            labels=said.labels,
            value=siding.noted(project, assignment, annotator.pk, said.value, suggested),
            question_id=question,
            comment=clean(comment, LONGEST_COMMENT),
            extra=extra,
            blind=blind or not assignment.suggestion,
            seconds=_bounded(seconds),
        )
    )
    if annotation is None:
        return _replayed(annotator, uuid)
    if not extra:
        run_prepared(_ANSWERED, {"assignment": assignment.pk, "overlap": project.overlap})
    if assignment.stream == Stream.GOLD:
        entering.follow(project, annotator)
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
        assignment = lock(project, annotator, assignment_id)
        first = find_replay(annotator, uuid) or _already_answered(assignment)
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
            question_id=assignment.question_id,
            reason=clean(reason, 200),
            seconds=_bounded(seconds),
        )
        _set_state(assignment, AssignmentState.SKIPPED)
        Pick.objects.filter(item_id=assignment.item_id, slot=assignment.slot).update(
            leased_until=None
        )
        if assignment.stream == Stream.GOLD:
            entering.follow(project, annotator)
    settling.wish(project)
    return annotation


def flag(project: Project, annotator: Annotator, *, item: Item, reason: str = "") -> Flag:
    """Put an item to a reviewer; flagging it twice changes the reason."""
    with transaction.atomic():
        raised, new = Flag.objects.update_or_create(
            item=item,
            raised_by=annotator,
            state=FlagState.OPEN,
            defaults={"project": project, "reason": clean(reason, 500)},
        )
        if new:
            flag_events.opened(project.pk, [raised])
    return raised


def lock(project: Project, annotator: Annotator, assignment_id: int) -> Assignment:
    """The annotator's own assignment, its item locked before it: the order that serving keeps.

    One that ran out gives way to the one by which the person was given the item again meanwhile.
    """
    values = {"assignment": assignment_id, "annotator": annotator.pk, "project": project.pk}
    rows = run_prepared(_LOCK, values)
    if not rows:
        raise NotFoundError("That item is not yours to answer in this project.")
    names = ("id", "item_id", "slot", "state", "stream", "question_id")
    assignment = Assignment(
        project=project,
        annotator=annotator,
        suggestion=json.loads(rows[0][6]),
        **dict(zip(names, rows[0][:6], strict=True)),
    )
    if assignment.state in MEETING:
        return assignment
    again = Assignment.objects.filter(
        item_id=assignment.item_id,
        annotator=annotator,
        question=assignment.question_id,
        state__in=MEETING,
    ).first()
    return assignment if again is None else lock(project, annotator, again.pk)


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
            "value": None if annotation.value is None else json.dumps(annotation.value),
            "question": annotation.question_id,
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


def find_replay(annotator: Annotator, uuid: UUID) -> Annotation | None:
    found = Annotation.objects.filter(uuid=uuid).first()
    if found is not None and found.annotator_id != annotator.pk:
        raise InvalidError("That answer id is already in use. Send a fresh random UUID.")
    return found


def _replayed(annotator: Annotator, uuid: UUID) -> Annotation:
    found = find_replay(annotator, uuid)
    if found is None:
        raise NotFoundError("That answer is not in this project.")
    return found


def _already_answered(assignment: Assignment) -> Annotation | None:
    if assignment.state == AssignmentState.LEASED:
        return None
    said = Annotation.objects.filter(assignment=assignment, successor=None)
    return said.exclude(kind=AnnotationKind.RETRACTION).order_by("-id").first()


def _win_back(assignment: Assignment) -> bool:
    """Take the place of a lease that ran out again; False when somebody else has it by now."""
    try:
        with transaction.atomic():
            _set_state(assignment, AssignmentState.ANSWERED)
    except IntegrityError:
        return False
    return True


def _widen(assignment: Assignment, question: int | None) -> bool:
    """Make the lease of a question one of the whole answer, which was given instead.

    False when somebody else has or gave the whole answer of this place: then this one is an extra.
    """
    if question is not None:
        raise InvalidError("That question was not asked. Answer the whole item.", field="question")
    try:
        with transaction.atomic():
            Assignment.objects.filter(pk=assignment.pk).update(question=None)
    except IntegrityError:
        _set_state(assignment, AssignmentState.ANSWERED)
        return False
    assignment.question_id = None
    return True


def _set_state(assignment: Assignment, state: AssignmentState) -> None:
    Assignment.objects.filter(pk=assignment.pk).update(state=state, finished_at=Now())
    assignment.state = state


def without_truth() -> Any:
    """SQL: no file declared this item's label true, so that the active stream may want it."""
    return ~Exists(Annotation.objects.filter(item=OuterRef("pk"), annotator__truth=True))


def still_wanted() -> Any:
    """SQL: an item that lost an answer wants one again: no file's truth, no reviewer's "bad item"."""
    bad = Annotation.objects.filter(item=OuterRef("pk"), outcome=Outcome.BAD, successor=None)
    return without_truth() & ~Exists(bad)


def clean(text: str, longest: int) -> str:
    """What the database takes of a person's words: no NUL, and not too long."""
    return text.replace("\x00", "")[:longest]


def _bounded(seconds: float | None) -> float | None:
    if seconds is None or math.isnan(seconds):
        return None
    return min(max(seconds, 0.0), LONGEST_SECONDS)
