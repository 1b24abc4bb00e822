"""A reviewer's word: final for an item, and the end of its open questions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from annotator.actions import assigning, settling
from annotator.actions.schema import check_labels
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Flag,
    FlagState,
    Item,
    Project,
    Stream,
    User,
    VerdictState,
)


def waiting(project: Project) -> QuerySet[Item]:
    """Items that wait for a reviewer: their votes tie, or somebody flagged them.

    A tie that a reviewer has settled waits no more, even before its verdict is derived anew.
    """
    settled = Annotation.objects.filter(
        item=OuterRef("pk"), stream=Stream.REVIEW, kind=AnnotationKind.ANSWER, successor=None
    )
    tied = Item.objects.filter(~Exists(settled), project=project, verdict__state=VerdictState.TIE)
    flagged = Item.objects.filter(project=project, flags__state=FlagState.OPEN)
    return (tied | flagged).distinct().order_by("number")


def settle(
    project: Project,
    reviewer: User,
    *,
    uuid: UUID,
    item: Item,
    labels: Sequence[int],
    comment: str = "",
) -> Annotation:
    """Write the reviewer's answer, which decides the item, and settle its flags.

    A later word of the same reviewer follows the former one; another reviewer's newer word counts.
    """
    chosen = check_labels(project, labels)
    voice = assigning.voice_of(project, reviewer)
    with transaction.atomic():
        # Parts two reviewers with one item: their words are written one after the other.
        Item.objects.select_for_update(no_key=True).get(pk=item.pk)
        replay = Annotation.objects.filter(uuid=uuid).first()
        if replay is not None:
            if replay.annotator_id != voice.pk:
                raise InvalidError("That answer id is already in use. Send a fresh random UUID.")
            return replay
        former = Annotation.objects.filter(
            item=item, annotator=voice, kind=AnnotationKind.ANSWER, successor=None
        ).order_by("-id")
        annotation = Annotation.objects.create(
            uuid=uuid,
            project=project,
            item=item,
            annotator=voice,
            previous=former.filter(stream=Stream.REVIEW).first(),
            stream=Stream.REVIEW,
            labels=chosen,
            comment=comment,
        )
        settle_flags(item, reviewer)
    settling.wish(project)
    return annotation


def take_back(project: Project, reviewer: User, *, uuid: UUID, annotation_uuid: UUID) -> Annotation:
    """Retract an own word: the votes decide again, and the flags that it settled are open again."""
    voice = assigning.voice_of(project, reviewer)
    said = Annotation.objects.filter(uuid=annotation_uuid, annotator=voice, stream=Stream.REVIEW)
    word = said.filter(kind=AnnotationKind.ANSWER).select_related("item").first()
    if word is None:
        raise NotFoundError("There is no such word of yours in this project.")
    with transaction.atomic():
        # Parts two presses of the key: the second finds the word taken back.
        Item.objects.select_for_update(no_key=True).get(pk=word.item_id)
        later = Annotation.objects.filter(previous=word).first()
        if later is not None and later.uuid == uuid:
            return later
        if later is not None:
            raise ConflictError("That was already taken back or changed.")
        retraction = Annotation.objects.create(
            uuid=uuid,
            project=project,
            item=word.item,
            annotator=voice,
            previous=word,
            kind=AnnotationKind.RETRACTION,
            stream=Stream.REVIEW,
        )
        _reopen_flags(word, reviewer)
    settling.wish(project)
    return retraction


def _reopen_flags(word: Annotation, reviewer: User) -> None:
    settled = Flag.objects.filter(
        item_id=word.item_id, settled_by=reviewer, settled_at__gte=word.created_at
    )
    raised_again = Flag.objects.filter(item_id=word.item_id, state=FlagState.OPEN)
    settled.exclude(raised_by__in=raised_again.values("raised_by")).update(
        state=FlagState.OPEN, settled_by=None, settled_at=None
    )


def settle_flags(item: Item, reviewer: User) -> int:
    """Close an item's open flags, whatever was decided. Returns how many there were."""
    return Flag.objects.filter(item=item, state=FlagState.OPEN).update(
        state=FlagState.SETTLED, settled_by=reviewer, settled_at=Now()
    )
