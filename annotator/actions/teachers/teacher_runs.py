"""Runs of a teacher: drawn, estimated, started, stopped; and trials, which write nothing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from annotator import jobs, outbox
from annotator.actions.queue import auditing
from annotator.actions.teachers import (
    answer_cache,
    budgets,
    foretelling,
    identity,
    lending,
    teachers,
)
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotation,
    Double,
    Item,
    JobState,
    Part,
    Pick,
    Policy,
    Project,
    RecordedAnswer,
    Teacher,
    TeacherAnswer,
    TeacherRun,
    TeacherRunKind,
    TeacherRunState,
    User,
    VerdictState,
)

TRIED = 5
MOST_TRIED = 50
MOST_ITEMS = 20_000
# Which items a run is about: those that nobody decided, a sample of those that people did, or those
# of the random sample that every figure of a teacher rests on.
OPEN, ANSWERED, AUDITED = "open", "answered", "audited"
POOLS = (OPEN, ANSWERED, AUDITED)
BUDGET_CAUSE = "The budget "
TRIES = 3


def try_on(project: Project, teacher: Teacher, by: User | None, count: int = TRIED) -> TeacherRun:
    """Ask a teacher about a few open items, to see what it says and costs. Writes no annotation."""
    if not 1 <= count <= MOST_TRIED:
        raise InvalidError(f"Try it on 1 to {MOST_TRIED} items.", field="items")
    numbers = _queued_first(answerable(teacher, _open(project)), count)
    return _start(project, teacher, by, TeacherRunKind.TRY, numbers, teacher.cap_run)


def start_run(
    project: Project,
    teacher: Teacher,
    by: User | None,
    count: int,
    *,
    pool: str = OPEN,
    cap: Any = None,
) -> TeacherRun:
    """Ask a teacher about up to `count` items in the background, in its own voice.

    From the queue's order, those that nobody decided; with the pool "answered" a random sample of
    those that people decided, to compare; with "audited" the answered items of the audit sample, also
    those that it answered with earlier settings. `cap` lowers what the run may cost.
    """
    if not 1 <= count <= MOST_ITEMS:
        raise InvalidError(f"A run asks about 1 to {MOST_ITEMS:,} items.", field="items")
    if pool not in POOLS:
        raise InvalidError(f"A pool is one of {', '.join(POOLS)}.", field="pool")
    most = teacher.cap_run
    if cap is not None:
        most = min(most, budgets.amount(cap, "cap"))
    return _start(
        project, teacher, by, TeacherRunKind.LABEL, drawn(project, teacher, count, pool), most
    )


def start_test(
    project: Project,
    teacher: Teacher,
    by: User | None,
    kind: TeacherRunKind,
    numbers: list[int],
    **about: Any,
) -> TeacherRun:
    """Ask about items whose answer is known, to learn about the teacher; writes no annotation."""
    return _start(project, teacher, by, kind, numbers, teacher.cap_run, **about)


def ask_about(
    project: Project, teacher: Teacher, numbers: list[int], by: User | None = None
) -> TeacherRun:
    """Start a run about just these items, for the project's policy."""
    return _start(project, teacher, by, TeacherRunKind.LABEL, numbers, teacher.cap_run)


def known_to(teacher: Teacher) -> list[int]:
    """Numbers of the items that a teacher answered, or could not tell."""
    said = Annotation.objects.filter(annotator=teacher.voice_id)
    gave_up = TeacherAnswer.objects.filter(
        run__teacher=teacher, run__kind=TeacherRunKind.LABEL
    ).exclude(model="", tokens_in=0)
    return [
        *said.values_list("item__number", flat=True),
        *gave_up.values_list("item__number", flat=True),
    ]


def given_up(teacher: Teacher, since: datetime) -> set[int]:
    """Numbers of the items that a policy asks about no more: TRIES times since then nothing came."""
    nothing = TeacherAnswer.objects.filter(
        run__teacher=teacher, run__kind=TeacherRunKind.LABEL, run__created_at__gte=since
    ).exclude(abstained="")
    tried = nothing.order_by().values("item__number").annotate(times=Count("pk"))
    return set(tried.filter(times__gte=TRIES).values_list("item__number", flat=True))


def busy(project: Project) -> set[int]:
    """Numbers of the items that teachers are asked about now; people come to them afterwards."""
    found: set[int] = set()
    live = TeacherRun.objects.live().filter(project=project, kind=TeacherRunKind.LABEL)
    for run in live:
        answered = TeacherAnswer.objects.filter(run=run).values_list("item__number", flat=True)
        found |= set(run.numbers) - set(answered)
    return found


def drawn(project: Project, teacher: Teacher, count: int, pool: str = OPEN) -> list[int]:
    """The numbers of the items that a run would ask about."""
    from learning.teachers.types import FAULT

    if pool == AUDITED:
        return _unaudited(project, teacher)[:count]
    said = Annotation.objects.filter(item=OuterRef("pk"), annotator=teacher.voice_id)
    # What it could not tell is not asked again; what a fault kept from being asked is.
    gave_up = TeacherAnswer.objects.filter(
        item=OuterRef("pk"), run__teacher=teacher, run__kind=TeacherRunKind.LABEL
    ).exclude(flags__contains=[FAULT])
    rows = _open(project) if pool == OPEN else _answered(project)
    rows = answerable(teacher, rows.exclude(Exists(said)).exclude(Exists(gave_up)))
    return _queued_first(rows, count) if pool == OPEN else _numbers(rows, count)


def untouched(project: Project, count: int) -> list[int]:
    """The numbers of open items, whoever is to be asked about them."""
    return _queued_first(_open(project), count)


def answerable(teacher: Teacher, rows: QuerySet[Item]) -> QuerySet[Item]:
    """Of these items those that this teacher can say anything about at all."""
    asked = teachers.asked_of(teacher)
    if any(each.plugin not in teachers.FROM_FILES for each in asked):
        return rows
    theirs = Q(pk__in=[])
    for each in asked:
        theirs |= Q(recording=each.recording_id, model=each.params.get("model", ""))
    return rows.filter(Exists(RecordedAnswer.objects.filter(theirs, item=OuterRef("pk"))))


def _open(project: Project) -> QuerySet[Item]:
    """Open items without a verdict, none of the audit sample."""
    undecided = Q(verdict=None) | Q(verdict__state=VerdictState.PARTIAL)
    held_back = [Part.EVALUATION, Part.CALIBRATION]
    rows = Item.objects.present().filter(
        undecided, project=project, open=True, order_key__gt=project.audit_cutoff
    )
    return _speaking(rows.exclude(part__in=held_back))


def _queued_first(rows: QuerySet[Item], count: int) -> list[int]:
    """What the short queue holds in its order, then the others from the end of the secret order: by
    an index, so that a large pool is not sorted; the beginning may be drawn for the audit some day.
    """
    queued = rows.filter(picks__isnull=False).order_by("picks__rank")
    first = list(dict.fromkeys(queued.values_list("number", flat=True)))[:count]
    others = rows.exclude(number__in=first).order_by("-order_key")
    return first + _numbers(others, count - len(first))


def _answered(project: Project) -> QuerySet[Item]:
    """Items that people decided, in the secret order: its beginning is a random sample."""
    rows = Item.objects.present().filter(
        project=project, answers__gt=0, verdict__state=VerdictState.DECIDED
    )
    return _speaking(rows).order_by("order_key")


def _unaudited(project: Project, teacher: Teacher) -> list[int]:
    """Drawn items that people decided and on which this teacher, as it is set up now, said nothing.

    Those that calibrate come first: without them no confidence can be read.
    """
    from learning.teachers.types import FAULT

    now = identity.fingerprint(teacher, teacher.params, lending.schema_of(project))
    reached = TeacherAnswer.objects.exclude(flags__contains=[FAULT])
    said = reached.filter(run__teacher=teacher, run__kind=TeacherRunKind.LABEL, fingerprint=now)
    # Its word of then does not stand any more where other settings were asked in between.
    stands = Q(annotation__isnull=False, annotation__successor=None)
    said = said.filter(~Q(abstained="") | stands)
    rows = _speaking(answerable(teacher, Item.objects.present().filter(project=project)))
    known = set(
        rows.exclude(Exists(said.filter(item=OuterRef("pk")))).values_list("number", flat=True)
    )
    return [
        number
        for part in auditing.fair_parts(teacher.plugin)
        for number, _ in auditing.answered(project, part)
        if number in known
    ]


def _speaking(rows: QuerySet[Item]) -> QuerySet[Item]:
    return rows.exclude(text="", text_b="", image="")


def _numbers(rows: QuerySet[Item], count: int) -> list[int]:
    return list(rows.values_list("number", flat=True)[:count])


def check_ready(teacher: Teacher) -> None:
    """Raise ConflictError with the reason when a teacher may not ask anything now."""
    for each in teachers.involved(teacher):
        if not each.enabled:
            raise ConflictError(f"{each.name} is switched off. Switch it on first.")
        if each.plugin in teachers.CALLING:
            if each.endpoint is None:
                raise ConflictError(f"The endpoint of {each.name} is gone. Choose another one.")
            if not each.endpoint.enabled:
                raise ConflictError(f"The endpoint {each.endpoint} is closed by an instance admin.")


def _start(
    project: Project,
    teacher: Teacher,
    by: User | None,
    kind: TeacherRunKind,
    numbers: list[int],
    cap: Decimal,
    **about: Any,
) -> TeacherRun:
    check_ready(teacher)
    lending.schema_of(project)
    if not numbers:
        raise ConflictError("There is no item left that this teacher could be asked about.")
    budgets.purse_of(project)
    try:
        with transaction.atomic():
            run = TeacherRun.objects.create(
                project=project,
                teacher=teacher,
                kind=kind,
                numbers=numbers,
                cap=cap,
                created_by=by,
                **{
                    "params": teacher.params,
                    "basis": lending.basis_of(teacher),
                    "estimate": foretelling.estimate(teacher, numbers).to_json(),
                    **about,
                },
            )
            if kind == TeacherRunKind.LABEL:
                _leave_queue(project, numbers)
            go_on(run)
    except IntegrityError:  # the constraint parts two who start at once
        raise ConflictError(_at_work(teacher)) from None
    return run


def _at_work(teacher: Teacher) -> str:
    live = TeacherRun.objects.live().listed().filter(teacher=teacher).first()
    work = "" if live is None else f": {live.kind_name.lower()} {live.pk}"
    return f"{teacher.name} is at work already{work}. Wait for its end or cancel it."


def _leave_queue(project: Project, numbers: list[int]) -> None:
    """Nobody is asked meanwhile about what the teacher is asked; a drawn item is for both."""
    both = Double.objects.filter(item=OuterRef("item"))
    free = Pick.objects.filter(project=project, item__number__in=numbers).exclude(Exists(both))
    free = free.exclude(leased_until__gte=Now()).select_for_update(skip_locked=True, of=("self",))
    Pick.objects.filter(pk__in=list(free.values_list("pk", flat=True))).delete()


def go_on(run: TeacherRun) -> None:
    """Enqueue the next piece of a run's work, in the caller's transaction."""
    heavy = any(each.plugin in teachers.HEAVY for each in teachers.asked_of(run.teacher))
    job = jobs.enqueue(
        "teach-local" if heavy else "teach",
        project=run.project,
        params={"run": run.pk},
        key=f"teach:{run.pk}",
        started_by=run.created_by,
    )
    if job is not None:
        run.job = job
        TeacherRun.objects.filter(pk=run.pk).update(job=job)


def cancel(run: TeacherRun) -> None:
    """Stop a run within seconds; what was answered stays. Raises ConflictError when it is over."""
    with transaction.atomic():
        # Parts this from the worker, which would go on to the next piece.
        locked = TeacherRun.objects.select_for_update(no_key=True).get(pk=run.pk)
        if not locked.is_live:
            raise ConflictError(f"This run is over: {locked.get_state_display().lower()}.")
        end(locked, TeacherRunState.CANCELLED)
        if locked.job is not None:
            jobs.request_cancel(locked.job)
    run.refresh_from_db()


def end(run: TeacherRun, state: TeacherRunState, error: str = "") -> bool:
    """Write a live run's end; False when it had one already."""
    with transaction.atomic():
        live = TeacherRun.objects.live().filter(pk=run.pk)
        ended = live.update(state=state, error=error, finished_at=Now())
        if ended:
            _let_go(run)
            told = {"run": run.pk, "teacher": run.teacher_id, "kind": run.kind, "state": state}
            path = f"teachers/runs/{run.pk}"
            outbox.note(run.project_id, "teacher_run.finished", {**told, "path": path})
    return bool(ended)


def _let_go(run: TeacherRun) -> None:
    """What the run was about may be chosen again: by the policy's routing, or for people. A test
    held the teacher up as well.
    """
    routed = Policy.objects.filter(pk=run.project_id, teacher=run.teacher_id).exists()
    kind = "route" if routed else "refill"
    jobs.enqueue(kind, project=run.project, key=f"{kind}:{run.project_id}")


def mark_stranded() -> int:
    """End the runs whose job is over without them, and count what it held back as spent."""
    states = [JobState.DONE, JobState.FAILED, JobState.CANCELLED]
    stranded = TeacherRun.objects.live().filter(job__state__in=states).select_related("job")
    count = 0
    for run in stranded:
        job = run.job
        cancelled = job is None or job.state == JobState.CANCELLED
        state = TeacherRunState.CANCELLED if cancelled else TeacherRunState.FAILED
        still = TeacherRun.objects.filter(pk=run.pk, job=job)
        count += bool(still) and end(run, state, "" if job is None else job.error)
        answer_cache.let_go(run.project_id, run.pk)
    for run in TeacherRun.objects.exclude(held=0).filter(job__state__in=states)[:100]:
        budgets.settle_left_behind(run)
    return count
