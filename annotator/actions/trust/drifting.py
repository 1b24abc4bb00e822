"""Does a teacher still answer as it did in its test? The same gold items, asked again.

Once a week while the teacher is in use, and when its model gives itself another id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now
from django.utils import timezone

from annotator import jobs
from annotator.actions.teachers import lending, teacher_runs
from annotator.actions.trust import qualifying, testing
from annotator.errors import AnnotatorError, ConflictError
from annotator.models import (
    Qualification,
    Replay,
    Teacher,
    TeacherRun,
    TeacherRunKind,
    TeacherRunState,
    User,
)

if TYPE_CHECKING:
    from annotator.actions.trust.testing import Switch
    from learning.spans import Span
    from learning.teachers.drift import Drift
    from learning.teachers.types import Example, TeacherItem, TeacherSchema
    from learning.teachers.types import TeacherAnswer as Said

logger = logging.getLogger(__name__)

EVERY = timedelta(days=7)
# After a replay that could not be done, for want of money for example.
AGAIN = timedelta(days=1)


def start(teacher: Teacher, by: User | None) -> TeacherRun:
    """Ask the gold items of the last test again, in the background; its money is in the purse.

    Raises ConflictError for a teacher that has no test to compare with.
    """
    latest = Qualification.objects.filter(teacher=teacher).order_by("-pk").first()
    if latest is None:
        raise ConflictError(f"{teacher.voice.name} was never tested: there is nothing to compare.")
    if qualifying.state(teacher).state == "changed":
        raise ConflictError(
            f"The settings of {teacher.voice.name}, or the labels, changed since its test. Test it "
            "anew instead."
        )
    numbers = sorted(map(int, latest.gold))
    return teacher_runs.start_test(
        teacher.project, teacher, by, TeacherRunKind.REPLAY, numbers, reads=len(numbers)
    )


def work(job: jobs.Run, run: TeacherRun, schema: TeacherSchema, switch: Switch) -> dict[str, Any]:
    """Do a replay from its beginning; what was found and the run's end are written together."""
    latest = Qualification.objects.filter(teacher=run.teacher).order_by("-pk").first()
    if latest is None:
        raise ConflictError("The test that this replay would be compared with is gone.")
    items = lending.items_of(job.project, run.numbers)
    gold = [_gold(item, latest.gold[str(item.number)], schema) for item in items]
    bench = testing.Bench(job=job, run=run, switch=switch)
    heard: dict[int, Said] = {}
    way = lending.ready(run.teacher, run, job.job.attempt, bench.is_off, anew=f"test {run.pk}")
    with way as ready:
        watched = testing.Watched(teacher=ready, bench=bench, heard=heard)
        for done, _ in enumerate(watched.annotate(items, schema, (), bench.report), start=1):
            bench.report(done, len(items))
    found = compared(latest, heard, gold, schema)
    with job.fence():
        if not teacher_runs.end(run, TeacherRunState.DONE):
            raise jobs.CancelledError("Cancelled.")
        TeacherRun.objects.filter(pk=run.pk).update(answered=len(heard), reads=len(items))
        made = Replay.objects.create(
            project_id=run.project_id,
            teacher=run.teacher,
            qualification=latest,
            run=run,
            found=_told(found),
            alarms=list(found.alarms),
        )
    return {"replay": made.pk, "alarms": made.alarms}


def compared(
    latest: Qualification, heard: dict[int, Said], gold: list[Any], schema: TeacherSchema
) -> Drift:
    """The test's answers against those of now."""
    from learning.teachers.drift import drift
    from learning.teachers.trial import Share

    model = latest.model_ids[0] if latest.model_ids else ""
    before = {
        int(number): _said(int(number), labels, schema, model)
        for number, labels in latest.said.items()
        if labels is not None
    }
    kept = latest.report["repeated"]
    repeated = Share(count=kept["count"], n=kept["n"])
    return drift(before, heard, gold, schema, repeated=repeated)


def _gold(item: TeacherItem, kept: list[Any], schema: TeacherSchema) -> Example:
    from learning.teachers.types import Example

    marks = _marks(kept) if schema.quoted else ()
    labels = sorted({mark.label for mark in marks}) if schema.quoted else kept
    return Example(item=item, labels=tuple(labels), spans=marks)


def _said(number: int, kept: list[Any], schema: TeacherSchema, model: str) -> Said:
    """What was said then; of marks where they are, not how likely each was held to be."""
    from learning.teachers.types import TeacherAnswer

    if not schema.quoted:
        return TeacherAnswer(number=number, probabilities=schema.target(kept), model=model)
    marks = _marks(kept)
    target = schema.target(sorted({mark.label for mark in marks}))  # refuses what is no label now
    column = {label: at for at, label in enumerate(schema.ids)}
    return TeacherAnswer(
        number=number,
        probabilities=target,
        spans=tuple((mark._replace(label=column[mark.label]), 1.0) for mark in marks),
        model=model,
    )


def _marks(kept: list[Any]) -> tuple[Span, ...]:
    from learning.spans import Span

    return tuple(Span(*each) for each in kept)


def _told(found: Drift) -> dict[str, Any]:
    return {
        "before": qualifying.share_json(found.before),
        "now": qualifying.share_json(found.now),
        "changed": qualifying.share_json(found.changed),
        "lost": found.lost,
        "gained": found.gained,
        "chance": found.chance,
        "models": [list(names) for names in found.models],
    }


def note_models(teacher: Teacher, names: Iterable[str]) -> None:
    """Remember that the model called itself by another id than in its test; a replay follows."""
    latest = Qualification.objects.filter(teacher=teacher).order_by("-pk").first()
    if latest is None or latest.moved_to or not latest.model_ids:
        return
    strange = sorted(set(names) - {"", *latest.model_ids})
    if strange:
        same = Qualification.objects.filter(pk=latest.pk, moved_to="")
        same.update(moved_to=strange[0], moved_at=Now())


def start_due() -> int:
    """Start the replays that are due; the sweeper's errand. Returns how many."""
    started = 0
    rows = Teacher.objects.filter(
        enabled=True,
        plugin__in=testing.PROMPTED,
        project__archived_at=None,
        qualifications__qualified=True,
    )
    for teacher in rows.distinct().select_related("voice", "endpoint", "project"):
        if not _is_due(teacher):
            continue
        try:
            start(teacher, None)
        except AnnotatorError as refusal:
            logger.info("teacher %s is not replayed now: %s", teacher.pk, refusal.detail)
            continue
        started += 1
    return started


def _is_due(teacher: Teacher) -> bool:
    """A week after the last look where it labelled since, or at once for another model's id."""
    runs = TeacherRun.objects.filter(teacher=teacher)
    if runs.live().exists():
        return False
    latest = Qualification.objects.filter(teacher=teacher).order_by("-pk").first()
    if latest is None or not latest.qualified:
        return False
    tried = runs.filter(kind=TeacherRunKind.REPLAY, created_at__gt=latest.created_at)
    last = tried.order_by("-pk").values_list("created_at", flat=True).first()
    now = timezone.now()
    if last is not None and now - last < AGAIN:
        return False
    looked_at = _looked_at(latest)
    if latest.moved_at is not None and looked_at < latest.moved_at:
        return True
    used = runs.filter(kind=TeacherRunKind.LABEL, finished_at__gt=looked_at)
    return now - looked_at >= EVERY and used.exists()


def _looked_at(latest: Qualification) -> datetime:
    replay = Replay.objects.filter(qualification=latest).order_by("-pk").first()
    return latest.created_at if replay is None else replay.created_at
