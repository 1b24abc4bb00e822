"""A reviewer's word: final for an item, and the end of its open questions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from annotator import outbox
from annotator.actions.desk import assigning, labeling, saying
from annotator.actions.desk.saying import Answer
from annotator.actions.review import alike
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Annotator,
    Flag,
    FlagState,
    Item,
    Outcome,
    Project,
    ReviewCase,
    Stream,
    User,
    Verdict,
    VerdictState,
)

# What a reviewer may say instead of naming the label.
SAYABLE = (Outcome.NONE, Outcome.KEEP, Outcome.AMBIGUOUS, Outcome.BAD)


def settle(
    project: Project,
    reviewer: User,
    *,
    uuid: UUID,
    item: Item,
    labels: Sequence[int] = (),
    value: object = None,
    outcome: str = Outcome.NONE,
    comment: str = "",
    guess: Sequence[int] = (),
    same: Sequence[int] = (),
) -> Annotation:
    """Write the reviewer's word, which decides the item, and settle its flags.

    `outcome` keep takes the label that the item has (with `labels` or `value`, only if it is these); ambiguous
    keeps every voice's label as a distribution, `labels` being the reviewer's own; bad takes the item
    out of the pool. Without one `labels` decide (or `value`, where answers have one), and whether that
    kept or changed the label follows from them. `guess` is what the reviewer chose before anything was shown: the word is blind if it
    is the same. `same` names items whose near-identical cases are settled alike, and taken back with
    this one.

    A later word of the same reviewer follows the former one; another reviewer's newer word counts.
    """
    if outcome not in SAYABLE:
        told = ", ".join(filter(None, SAYABLE))
        raise InvalidError(f"A reviewer says {told}, or only labels.", field="outcome")
    voice = assigning.voice_of(project, reviewer)
    with transaction.atomic():
        # Parts two reviewers with one item: their words are written one after the other.
        _hold(project, [item.pk, *same])
        replay = Annotation.objects.filter(uuid=uuid).first()
        if replay is not None:
            if replay.annotator_id != voice.pk:
                raise InvalidError("That answer id is already in use. Send a fresh random UUID.")
            return replay
        answer, made = _meant(project, item, labels, value, outcome)
        said = Annotation(
            uuid=uuid,
            project=project,
            item=item,
            annotator=voice,
            labels=answer.labels,
            value=answer.value,
            outcome=made,
            comment=labeling.clean(comment, labeling.LONGEST_COMMENT),
            blind=bool(answer.labels) and set(guess) == set(answer.labels),
        )
        _write(said, reviewer)
        for other in alike.near_identical(project, item, among=same):
            _write(alike.copy_of(said, other), reviewer)
    settling.wish(project)
    return said


def _hold(project: Project, items: Sequence[int]) -> None:
    """Lock rows in one order for all, so that two reviewers never wait for each other."""
    rows = Item.objects.filter(project=project, pk__in=items)
    list(rows.select_for_update(no_key=True).order_by("pk"))


def _write(said: Annotation, reviewer: User) -> None:
    """Put a reviewer's word into the ledger, with all that follows; the caller holds the item's row."""
    said.stream = Stream.REVIEW
    bad = said.outcome == Outcome.BAD
    said.kind = AnnotationKind.SKIP if bad else AnnotationKind.ANSWER
    said.previous = _former(said.item, said.annotator)
    said.save(force_insert=True)
    settle_flags(said.item, reviewer, said)
    ReviewCase.objects.filter(item=said.item).update(leased_until=None)
    if bad:
        Item.objects.filter(pk=said.item_id).update(open=False)


def _meant(
    project: Project, item: Item, labels: Sequence[int], value: object, outcome: str
) -> tuple[Answer, str]:
    """The answer that is written, and what it makes of the one that the item has."""
    verdict = Verdict.objects.filter(item=item, state=VerdictState.DECIDED).first()
    if outcome == Outcome.BAD:
        return Answer([]), Outcome.BAD
    has = None if verdict is None else Answer(list(verdict.labels), verdict.value)
    if outcome == Outcome.KEEP:
        if has is None:
            raise ConflictError("This item has no label to keep. Say which one is right.")
        shown = has
        if value is not None:
            shown = saying.read(project, labels, value, None, lambda: saying.content_of(item))
        if (labels and set(labels) != set(has.labels)) or shown.value != has.value:
            raise ConflictError("The label has changed since you saw it. Look at the item again.")
        return has, Outcome.KEEP
    said = saying.read(project, labels, value, None, lambda: saying.content_of(item))
    if outcome == Outcome.AMBIGUOUS:
        return said, Outcome.AMBIGUOUS
    if has is None:
        return said, Outcome.DECIDE
    return said, Outcome.KEEP if said.same_as(has) else Outcome.CHANGE


def _former(item: Item, voice: Annotator) -> Annotation | None:
    """The reviewer's word that stands, which a later one follows."""
    said = Annotation.objects.filter(
        item=item, annotator=voice, stream=Stream.REVIEW, successor=None
    )
    return said.exclude(kind=AnnotationKind.RETRACTION).order_by("-id").first()


def take_back(project: Project, reviewer: User, *, uuid: UUID, annotation_uuid: UUID) -> Annotation:
    """Retract an own word: the votes decide again, and the flags that it settled are open again."""
    voice = assigning.voice_of(project, reviewer)
    said = Annotation.objects.filter(uuid=annotation_uuid, annotator=voice, stream=Stream.REVIEW)
    word = said.exclude(kind=AnnotationKind.RETRACTION).select_related("item").first()
    if word is None:
        raise NotFoundError("There is no such word of yours in this project.")
    with transaction.atomic():
        others = alike.written_with(word)
        # Parts two presses of the key: the second finds the word taken back.
        _hold(project, [word.item_id, *(other.item_id for other in others)])
        later = Annotation.objects.filter(previous=word).first()
        if later is not None and later.uuid == uuid:
            return later
        if later is not None:
            raise ConflictError("That was already taken back or changed.")
        retraction = _retract(word, uuid)
        for other in others:
            _retract(other, uuid4())
    settling.wish(project)
    return retraction


def _retract(word: Annotation, uuid: UUID) -> Annotation:
    """Take a word back, with all that followed; the caller holds the item's row."""
    retraction = Annotation.objects.create(
        uuid=uuid,
        project_id=word.project_id,
        item_id=word.item_id,
        annotator_id=word.annotator_id,
        previous=word,
        kind=AnnotationKind.RETRACTION,
        stream=Stream.REVIEW,
    )
    _reopen_flags(word)
    if word.outcome == Outcome.BAD:
        project = Project.objects.get(pk=word.project_id)
        wanted = project.overlap + F("extra_voices")
        Item.objects.filter(pk=word.item_id, answers__lt=wanted).update(
            open=labeling.without_truth()
        )
    return retraction


def _reopen_flags(word: Annotation) -> None:
    settled = Flag.objects.filter(word=word, state=FlagState.SETTLED)
    again = Flag.objects.filter(item_id=word.item_id, state=FlagState.OPEN)
    raised = Q(raised_by__in=again.values("raised_by"))
    if again.by_machines().exists():
        raised |= Q(pk__in=settled.by_machines().values("pk"))
    settled.exclude(raised).update(
        state=FlagState.OPEN, outcome="", word=None, settled_by=None, settled_at=None
    )


def settle_flags(item: Item, reviewer: User, word: Annotation | None = None) -> int:
    """Close an item's open flags; without a word its label stands. Returns how many there were.

    A later word of the reviewer takes over the flags of the former one.
    """
    closed = Q(state=FlagState.OPEN)
    if word is not None and word.previous_id is not None:
        closed |= Q(word=word.previous_id)
    outcome = word.outcome if word is not None else Outcome.KEEP
    with transaction.atomic():
        count = Flag.objects.filter(closed, item=item).update(
            state=FlagState.SETTLED,
            outcome=outcome,
            word=word,
            settled_by=reviewer,
            settled_at=Now(),
        )
        if count and word is not None and word.outcome not in (Outcome.AMBIGUOUS, Outcome.BAD):
            _judge(word)
        if count or word is not None:
            told = {"item": item.pk, "external_id": item.external_id, "outcome": outcome}
            outbox.note_each(item.project_id, "review.settled", [{**told, "flags": count}])
    return count


def _judge(word: Annotation) -> None:
    """Machines asked about the label that the item had then; that is what was kept or changed.

    Labels alone do not tell one value from another: there the word's own outcome stands.
    """
    if word.value is not None:
        return
    asked = Flag.objects.filter(word=word).by_machines()
    same = Q(labels__contains=word.labels, labels__contained_by=word.labels)
    asked.filter(same).update(outcome=Outcome.KEEP)
    asked.exclude(same).update(outcome=Outcome.CHANGE)


def divided(project: Project) -> list[Annotation]:
    """Reviewers' words that several labels fit, the latest first: cases that divide people."""
    said = Annotation.objects.filter(
        project=project, stream=Stream.REVIEW, outcome=Outcome.AMBIGUOUS, successor=None
    )
    return list(said.select_related("item__verdict").order_by("-pk"))
