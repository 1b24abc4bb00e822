"""Label all hits at once, and take it back: one job, one voice, one undo.

Items that the audit sample is drawn from are never labelled this way, drawn or not yet: a figure
is honest only if every one of them was read by somebody who knew nothing of the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.desk import assigning, labeling, saying
from annotator.actions.desk.saying import Answer
from annotator.actions.explore.searching import Filter, matching, not_audit, read_filter
from annotator.actions.projects.schema import check_labels
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Annotator,
    Assignment,
    AssignmentState,
    Can,
    Item,
    Job,
    Project,
    Stream,
    User,
    VerdictState,
)
from learning.tasks.content import Content

CHUNK = 500
_SPACE = UUID("6f0c3a52-7a5b-4b57-9a2b-0d8f3f4b9c11")
REASON = "Labelled with many others"

# Without a whole answer: what people were asked about single labels leaves the others open.
_UNDECIDED = Q(verdict=None) | Q(verdict__state=VerdictState.PARTIAL)

# One statement takes the free places of a batch; a place that somebody else takes meanwhile is
# refused by the unique constraint and left to them.
_TAKE = """
INSERT INTO annotator_assignment (project_id, item_id, annotator_id, slot, state, stream, reason,
    suggestion, fallback, leased_at, lease_until, finished_at)
SELECT i.project_id, i.id, %(annotator)s, free.s, 'answered', 'active', %(reason)s, '[]', false,
    now(), now(), now()
FROM annotator_item i CROSS JOIN LATERAL (
    SELECT s FROM generate_series(0, %(overlap)s + i.extra_voices - 1) s
    WHERE NOT EXISTS (
        SELECT 1 FROM annotator_assignment taken
        WHERE taken.item_id = i.id AND taken.slot = s AND taken.question_id IS NULL
          AND taken.state IN ('leased', 'answered'))
    ORDER BY s LIMIT 1) free(s)
WHERE i.id = ANY(%(items)s)
ON CONFLICT DO NOTHING
RETURNING id, item_id, slot
"""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What labelling all hits would do, counted now."""

    hits: int
    audit: int
    mine: int
    decided_same: int
    decided_other: int
    fresh: int


def preview(project: Project, user: User, wanted: Filter, labels: Sequence[int]) -> Preview:
    """Count what would be answered and what would be left alone, and why."""
    chosen = _answer(project, labels)
    found = matching(project, wanted)
    voice = assigning.voice_of(project, user)
    kept = found.filter(not_audit(project))
    free = kept.exclude(Exists(_own(voice)))
    decided = free.exclude(_UNDECIDED)
    alike = decided.filter(verdict__labels=chosen.labels)
    if chosen.value is not None:
        alike = alike.filter(verdict__value=chosen.value)
    same = alike.count()
    hits, outside, unsaid = found.count(), kept.count(), free.count()
    settled = decided.count()
    return Preview(
        hits=hits,
        audit=hits - outside,
        mine=outside - unsaid,
        decided_same=same,
        decided_other=settled - same,
        fresh=unsaid - settled,
    )


def _answer(project: Project, labels: Sequence[int]) -> Answer:
    """The answer that labels alone are, where nothing has to be marked or written beside them."""
    if project.has_questions:
        return saying.read(project, labels, None, None, lambda: Content(""))
    return Answer(check_labels(project, labels))


def _own(voice: Annotator) -> QuerySet[Annotation]:
    return Annotation.objects.filter(
        item=OuterRef("pk"),
        annotator=voice,
        successor=None,
        kind=AnnotationKind.ANSWER,
        question=None,
    )


def start_bulk(
    project: Project, user: User, wanted: Filter, labels: Sequence[int], *, overrule: bool = False
) -> Job:
    """Label every hit in this person's name, by a job. With `overrule` also what others decided.

    Raises InvalidError when the filter asks nothing: the whole pool is never labelled by accident.
    """
    chosen = _answer(project, labels).labels
    if not wanted.given():
        raise InvalidError("Search, filter or choose items first: this would label everything.")
    with transaction.atomic():
        job = jobs.enqueue(
            "bulk",
            project=project,
            params={
                "filter": wanted.given(),
                "labels": chosen,
                "overrule": overrule,
                "user": user.pk,
                "until": project.item_count,
            },
            started_by=user,
        )
    if job is None:
        raise ConflictError("That could not be started. Try again.")
    return job


def undo_bulk(project: Project, user: User, job: Job) -> Job:
    """Take back what a job labelled, as far as nobody changed it since, by another job."""
    if job.project_id != project.pk or job.kind != "bulk" or "undo" in job.params:
        raise NotFoundError("There is no such labelling of many items in this project.")
    if job.started_by_id != user.pk:
        raise ForbiddenError("Only the person in whose name items were labelled takes it back.")
    if not job.is_over:
        raise ConflictError("It is still at work. Cancel it first, then take back what it did.")
    with transaction.atomic():
        undo = jobs.enqueue(
            "bulk",
            project=project,
            params={"undo": job.pk, "user": user.pk},
            key=f"bulk-undo:{job.pk}",
            started_by=user,
        )
    if undo is None:
        raise ConflictError("This is being taken back already.")
    return undo


def undoable(project: Project) -> list[Job]:
    """Labellings of many items, latest first, each with whether it was taken back."""
    found = list(
        Job.objects.filter(project=project, kind="bulk")
        .select_related("started_by")
        .order_by("-id")[:20]
    )
    undone = {job.params["undo"] for job in found if "undo" in job.params and job.state != "failed"}
    return [job for job in found if "undo" not in job.params and job.pk not in undone]


def run_bulk(run: jobs.Run) -> dict[str, Any]:
    """Answer the hits batch by batch. Taken up again, it finds its own answers and goes on."""
    project = run.project
    user = User.objects.get(pk=run.params["user"])
    if not Project.objects.for_user(user, Can.REVIEW).filter(pk=project.pk).exists():
        raise ForbiddenError(f"{user} may not label many items in this project any more.")
    voice = assigning.voice_of(project, user)
    if "undo" in run.params:
        return _take_back(run, project, voice)
    answer = _answer(project, run.params["labels"])
    wanted = read_filter(run.params["filter"])
    found = matching(project, wanted).filter(not_audit(project), number__lt=run.params["until"])
    numbers = list(found.order_by("number").values_list("number", flat=True))
    done = 0
    for start in range(0, len(numbers), CHUNK):
        run.progress(start, len(numbers), "Labelling")
        with run.fence():
            done += _label_chunk(run, project, voice, numbers[start : start + CHUNK], answer)
        settling.wish(project)
    return {"labelled": done, "hits": len(numbers)}


def _label_chunk(
    run: jobs.Run, project: Project, voice: Annotator, numbers: list[int], answer: Answer
) -> int:
    items = Item.objects.filter(project=project, number__in=numbers).filter(not_audit(project))
    items = items.exclude(Exists(_own(voice)))
    if not run.params["overrule"]:
        items = items.filter(_UNDECIDED)
    # Parts this from people who answer the same items: they wait, or we see what they said.
    ids = list(
        Item.objects.select_for_update(no_key=True)
        .filter(pk__in=items.values("pk"))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    places = _take_places(project, voice, ids)
    # Without a free place the answer is an extra: kept and counted as a vote, beyond the overlap.
    extras = set(ids) - set(places) if run.params["overrule"] else set()
    Annotation.objects.bulk_create(
        [
            Annotation(
                uuid=uuid5(_SPACE, f"{run.job.pk}:{item}"),
                project=project,
                item_id=item,
                annotator=voice,
                assignment_id=places.get(item),
                stream=Stream.ACTIVE,
                labels=answer.labels,
                value=answer.value,
                reason=_mark(run.job.pk),
                extra=item in extras,
            )
            for item in [*places, *extras]
        ]
    )
    Item.objects.filter(pk__in=places).update(
        answers=F("answers") + 1,
        open=Q(open=True, answers__lt=project.overlap - 1 + F("extra_voices")),
    )
    return len(places) + len(extras)


def _mark(job_id: int) -> str:
    return f"{REASON} ({job_id})"


def _take_places(project: Project, voice: Annotator, ids: list[int]) -> dict[int, int]:
    """An answered assignment in a free place of each item. Returns {item: assignment}."""
    Assignment.objects.filter(
        item__in=ids, state=AssignmentState.LEASED, lease_until__lt=Now()
    ).update(state=AssignmentState.EXPIRED, finished_at=Now())
    with connection.cursor() as cursor:
        cursor.execute(
            _TAKE,
            {
                "annotator": voice.pk,
                "reason": REASON,
                "overlap": project.overlap,
                "items": ids,
            },
        )
        taken = cursor.fetchall()
        cursor.execute(
            """
            DELETE FROM annotator_pick p
            USING unnest(%s::bigint[], %s::int[]) AS gone(item, slot)
            WHERE p.item_id = gone.item AND p.slot = gone.slot
            """,
            [[row[1] for row in taken], [row[2] for row in taken]],
        )
    return {item: assignment for assignment, item, _ in taken}


def _take_back(run: jobs.Run, project: Project, voice: Annotator) -> dict[str, Any]:
    """Retract a job's answers that still stand; their items are open again."""
    job = Job.objects.get(pk=run.params["undo"], project=project, kind="bulk")
    standing = Annotation.objects.filter(
        project=project, annotator=voice, reason=_mark(job.pk), successor=None
    ).filter(kind=AnnotationKind.ANSWER)
    ids = list(standing.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), CHUNK):
        run.progress(start, len(ids), "Taking back")
        with run.fence():
            _retract(run, project, ids[start : start + CHUNK])
        settling.wish(project)
    return {"taken_back": len(ids)}


def _retract(run: jobs.Run, project: Project, ids: list[int]) -> None:
    # Parts this from people who change the same answers: what they said is read once they are done.
    list(
        Item.objects.select_for_update(no_key=True)
        .filter(pk__in=Annotation.objects.filter(pk__in=ids).values("item"))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    said = list(Annotation.objects.filter(pk__in=ids, successor=None))
    Annotation.objects.bulk_create(
        [
            Annotation(
                uuid=uuid5(_SPACE, f"{run.job.pk}:undo:{each.pk}"),
                project=project,
                item_id=each.item_id,
                annotator_id=each.annotator_id,
                assignment_id=each.assignment_id,
                previous=each,
                kind=AnnotationKind.RETRACTION,
                stream=each.stream,
                reason=f"Taken back ({run.job.pk})",
            )
            for each in said
        ]
    )
    Assignment.objects.filter(
        pk__in=[each.assignment_id for each in said if each.assignment_id],
        state=AssignmentState.ANSWERED,
    ).update(state=AssignmentState.RELEASED, finished_at=Now())
    counted = [each.item_id for each in said if not each.extra]
    Item.objects.filter(pk__in=counted).update(
        answers=F("answers") - 1, open=labeling.still_wanted()
    )
    jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
