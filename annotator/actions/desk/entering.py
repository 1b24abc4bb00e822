"""The entry round: a new annotator answers gold items with feedback before the first work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Now

from annotator.actions.desk import golding
from annotator.errors import NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Annotator,
    Assignment,
    AssignmentState,
    GoldItem,
    Membership,
    Project,
    Role,
    Stream,
)

REASON = "From the entry round: the answer is known, and told after yours"
_DONE = (AssignmentState.ANSWERED, AssignmentState.SKIPPED)


@dataclass(frozen=True, kw_only=True)
class Round:
    """How far an annotator is: `right` of the gold items `done`, skipped ones too; `wanted` in all."""

    wanted: int
    done: int
    right: int

    @property
    def is_over(self) -> bool:
        return self.done >= self.wanted


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What a new annotator reads after an answer of the entry round; label ids."""

    item: str
    is_right: bool
    said: list[int]
    known: list[int]
    note: str
    round: Round | None


def left(
    project: Project, annotator: Annotator, role: str | None, *, admitted_at: datetime | None
) -> int | None:
    """Gold items that the annotator has still to be given; None for those who are let in.

    0 with a round that is not passed: a manager lets them in, or does not.
    """
    if project.entry_items == 0 or role != Role.ANNOTATOR or admitted_at is not None:
        return None
    wanted = _wanted(project)
    given = Assignment.objects.filter(
        annotator=annotator,
        stream=Stream.GOLD,
        state__in=[AssignmentState.LEASED, *_DONE],
    )
    return max(wanted - given.count(), 0) if wanted else None


def _wanted(project: Project) -> int:
    """With fewer gold items than the round shall have, all of them."""
    return GoldItem.objects.standing().filter(project=project)[: project.entry_items].count()


def progress(project: Project, annotator: Annotator) -> Round | None:
    """The annotator's round, or None for those who are let in or need none."""
    member = Membership.objects.filter(project=project, user=annotator.user_id).first()
    if member is None or member.role != Role.ANNOTATOR or member.admitted_at is not None:
        return None
    wanted = _wanted(project)
    if not wanted:
        return None
    score = golding.scores(project, annotator).get(annotator.pk)
    done = Assignment.objects.filter(annotator=annotator, stream=Stream.GOLD, state__in=_DONE)
    return Round(wanted=wanted, done=done.count(), right=score.right if score else 0)


def follow(project: Project, annotator: Annotator) -> None:
    """Let the annotator in when the round is over and enough of it was right."""
    if project.entry_items == 0:
        return
    done = progress(project, annotator)
    share = Project.objects.values_list("entry_pass", flat=True).get(pk=project.pk)
    if done is not None and done.is_over and done.right >= share * done.done:
        _admit(Membership.objects.get(project=project, user=annotator.user_id))


def admit(member: Membership) -> None:
    """Let somebody in whatever their round was: a manager's decision."""
    if not Membership.objects.filter(pk=member.pk).exists():
        raise NotFoundError("There is no such member in this project.")
    _admit(member)


def _admit(member: Membership) -> None:
    Membership.objects.filter(pk=member.pk, admitted_at=None).update(admitted_at=Now())


def admit_those_at_work(project: Project) -> None:
    """Whoever has answered before there was a round is not new."""
    at_work = Annotation.objects.filter(project=project).values("annotator__user_id")
    Membership.objects.filter(project=project, admitted_at=None, user_id__in=at_work).update(
        admitted_at=Now()
    )


def feedback(project: Project, annotator: Annotator, assignment_id: int) -> Feedback | None:
    """About the answer to a lease of the entry round; None for any other, and where it was skipped."""
    leases = Assignment.objects.filter(pk=assignment_id, annotator=annotator, stream=Stream.GOLD)
    lease = leases.filter(reason=REASON).select_related("item__gold").first()
    if lease is None:
        return None
    answers = Annotation.objects.filter(assignment=lease, kind=AnnotationKind.ANSWER)
    said = answers.order_by("-id").values_list("labels", flat=True).first()
    if said is None:
        return None
    gold = lease.item.gold
    return Feedback(
        item=lease.item.external_id or str(lease.item.number),
        is_right=set(said) == set(gold.labels),
        said=said,
        known=gold.labels,
        note=gold.note,
        round=progress(project, annotator),
    )
