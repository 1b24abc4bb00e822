"""The work of a teacher's run: ask, write what was answered as the teacher's voice, stop in time.

Each answer is written with the run's own row of it in one transaction, so a killed worker's
successor asks only about what is missing; what was answered and not written yet comes from the cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from django.db.models import F
from django.db.models.functions import Coalesce, Now

from annotator import jobs
from annotator.actions.desk.labeling import clean
from annotator.actions.students import lessons, turns
from annotator.actions.teachers import (
    answer_cache,
    answer_rows,
    budgets,
    disagreeing,
    identity,
    lending,
    prompt_trials,
    teacher_runs,
    teachers,
)
from annotator.actions.teachers.switches import Switch
from annotator.actions.trust import calibrating, canarying, drifting, qualifying, testing
from annotator.actions.verdicts import sealing, settling
from annotator.errors import AnnotatorError, ConflictError, InvalidError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Item,
    Job,
    Project,
    Stream,
    TeacherAnswer,
    TeacherRun,
    TeacherRunKind,
    TeacherRunState,
)
from learning.errors import LearningError

if TYPE_CHECKING:
    from learning.teachers.types import TeacherAnswer as Said
    from learning.teachers.types import TeacherSchema

_SPACE = UUID("0b6f9c1e-53b8-4d0e-9f0c-6f5a4f6f2d11")
# Items put to a teacher at a time; between two of these a run may give way to other work. One that
# calls an endpoint gets so many for each call at once.
CHUNK_PER_CALL, CHUNK = 4, 2_000
PIECE_SECONDS = 60.0
WRITE_SECONDS, WRITE_AT = 1.0, 100
# So many faults in a row, all for one cause, end a run: the rest would go the same way. So few are enough
# where nothing else came.
FAULTS, ONLY_FAULTS = 20, 3
STOPPED_CAUSE = "The run was stopped."
GONE = "The item was blanked while the teacher was asked."
OTHER_FORM = (
    "The questions were changed while the teacher was asked, and its answers are to the old ones."
)

# Kinds of run that ask about gold items and write no answers.
TESTS = {TeacherRunKind.QUALIFY: qualifying.work, TeacherRunKind.REPLAY: drifting.work}


class HopelessError(ConflictError):
    """What keeps a run from going on will keep it from all the rest."""


def run_teach(job: jobs.Run) -> dict[str, Any]:
    """Do a piece of a run; safe to be taken up again after a kill."""
    rows = TeacherRun.objects.live().filter(pk=job.params["run"])
    run = rows.select_related("teacher__voice", "teacher__endpoint", "teacher__project").first()
    if run is None:
        return {"over": True}
    try:
        return _piece(job, run)
    except jobs.FencedError:
        raise
    except jobs.CancelledError as refusal:
        _end(job, run, TeacherRunState.CANCELLED, refusal.detail)
        raise
    except AnnotatorError as refusal:
        _end(job, run, TeacherRunState.FAILED, refusal.detail)
        raise
    except LearningError as refusal:
        _end(job, run, TeacherRunState.FAILED, str(refusal))
        raise InvalidError(str(refusal)) from refusal


def _piece(job: jobs.Run, run: TeacherRun) -> dict[str, Any]:
    _begin(job, run)
    began = time.monotonic()
    schema = lending.schema_of(job.project)
    switch = Switch(teachers.involved(run.teacher))
    if run.kind in TESTS:
        return TESTS[TeacherRunKind(run.kind)](job, run, schema, switch)
    desk = Desk(job=job, run=run, schema=schema, switch=switch)
    left = _unasked(run)
    if run.kind == TeacherRunKind.LABEL:
        canarying.plant(job, run, schema)
    owed = canarying.owed(run, schema, left)
    size = CHUNK_PER_CALL * desk.at_once if desk.calls else CHUNK
    attempt = job.job.attempt
    with lending.ready(run.teacher, run, attempt, switch.is_off, desk.note) as teacher:
        for start in range(0, len(left), size):
            if start and _should_give_way(job, began):
                with job.fence():
                    _require_live(run)
                    teacher_runs.go_on(run)
                return {"asked": start, "left": len(left) - start}
            numbers = left[start : start + size]
            items, planted = lending.items_of(job.project, numbers), owed.beside(numbers)
            for together in canarying.mixed(items, planted, run):
                desk.work_through(teacher, together)
    if run.kind == TeacherRunKind.LABEL and (cause := _only_fault(run)):
        raise HopelessError(cause)
    with job.fence():
        # Together: between the two the policy would take the teacher, and a trial would stop half-way.
        if teacher_runs.end(run, TeacherRunState.DONE):
            prompt_trials.go_on(run)
            if run.kind == TeacherRunKind.LABEL and job.project.task.ranked:
                lessons.wish_with_others(job.project)
    return {"asked": len(left), "left": 0}


def _begin(job: jobs.Run, run: TeacherRun) -> None:
    _ = job.project  # raises when it was deleted meanwhile
    teacher_runs.check_ready(run.teacher)
    with job.fence():
        _require_live(run)
        if job.project.has_questions:
            # Parts us from who changes the form: they see this run now, or we what they made of it.
            Project.objects.select_for_update(no_key=True).get(pk=run.project_id)
        TeacherRun.objects.filter(pk=run.pk).update(
            state=TeacherRunState.RUNNING, started_at=Coalesce("started_at", Now())
        )
    budgets.settle_left_behind(run, job.job.pk, job.job.attempt)
    answer_cache.let_go(run.project_id, run.pk)
    run.refresh_from_db(fields=["answered", "abstained", "spent", "held"])


def _require_live(run: TeacherRun) -> None:
    """Raise CancelledError for one that a person ended; the lock parts us from that person."""
    live = TeacherRun.objects.live().select_for_update(no_key=True)
    if not live.filter(pk=run.pk).exists():
        raise jobs.CancelledError("Cancelled.")


def _unasked(run: TeacherRun) -> list[int]:
    known = TeacherAnswer.objects.filter(run=run).values_list("item__number", flat=True)
    done = set(known)
    return [number for number in run.numbers if number not in done]


def _only_fault(run: TeacherRun) -> str:
    """Why nothing came of a run of which every call failed; "" where anything was said."""
    from learning.teachers.types import FAULT

    rows = TeacherAnswer.objects.filter(run=run)
    # One item or two may be at fault themselves, and are no reason to ask the teacher nothing more.
    if rows.count() < ONLY_FAULTS or rows.exclude(flags__contains=[FAULT]).exists():
        return ""
    return rows.order_by("-pk").values_list("abstained", flat=True).first() or ""


def _should_give_way(job: jobs.Run, began: float) -> bool:
    """Whether others wait for these workers and this piece has taken long enough."""
    beside = ("train",) if job.job.queue == "train" else ("io", "llm")
    waiting = Job.objects.waiting(*beside).exclude(kind=turns.KIND)
    return time.monotonic() - began > PIECE_SECONDS and waiting.exists()


def _end(job: jobs.Run, run: TeacherRun, state: TeacherRunState, error: str = "") -> None:
    with job.fence():
        teacher_runs.end(run, state, error)


@dataclass(kw_only=True)
class Desk:
    """Where answers of one piece arrive: written in small lots, faults counted, progress told."""

    job: jobs.Run
    run: TeacherRun
    schema: TeacherSchema
    switch: Switch
    waiting: list[Said] = field(default_factory=list)
    # What was said to planted items, and the ids that the model gave itself.
    planted: list[Said] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    faults: int = 0
    fault: str = ""
    _written_at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        teacher = self.run.teacher
        self.fingerprint = identity.fingerprint(teacher, self.run.params, self.schema)
        self.reader = calibrating.reader(teacher, self.schema, self.fingerprint)
        self.asked = self.run.asked
        calling = [each for each in self.switch.asked if each.plugin in teachers.CALLING]
        self.calls = bool(calling)
        self.at_once = max((each.concurrency for each in calling), default=1)

    def work_through(self, teacher: Any, items: list[Any]) -> None:
        """Put items to the teacher and write what comes, also when it ends before its time."""
        from learning.teachers.asking import ask

        answers: Iterator[Said] = ask(teacher, items, self.schema, report=self.report)
        try:
            for answer in answers:
                if STOPPED_CAUSE in answer.abstained:
                    continue
                if answer.number < 0:
                    self.planted.append(answer)
                    continue
                self.waiting.append(answer)
                self.asked += 1
                self._note_fault(answer)
                self._write_some()
        finally:
            _close(answers)  # ends the calls under way before the last lot is written
            self.write()

    def report(self, done: int, total: int) -> None:
        """Tell how far the run is; raises when it was stopped."""
        self._write_some()
        self.switch.look()
        spent = TeacherRun.objects.filter(pk=self.run.pk).values_list("spent", flat=True).first()
        told = f"Asking, {float(spent or 0):.4f} spent" if spent else "Asking"
        self.job.progress(min(self.asked, self.run.wanted), max(self.run.wanted, 1), told)

    def note(self, facts: dict[str, Any]) -> None:
        """Keep what was measured before anything was asked."""
        with self.job.fence():
            TeacherRun.objects.filter(pk=self.run.pk).update(facts=self.run.facts | facts)

    def _note_fault(self, answer: Said) -> None:
        if not testing.is_fault(answer):
            self.faults = 0
            return
        self.faults = self.faults + 1 if answer.abstained == self.fault else 1
        self.fault = answer.abstained
        if self.faults >= FAULTS or teacher_runs.BUDGET_CAUSE in answer.abstained:
            raise HopelessError(answer.abstained)

    def _write_some(self) -> None:
        due = time.monotonic() - self._written_at >= WRITE_SECONDS
        if due or len(self.waiting) >= WRITE_AT:
            self.write()

    def write(self) -> None:
        """Write what arrived: words into the ledger, prices and causes beside them."""
        said, self.waiting = self.waiting, []
        planted, self.planted = self.planted, []
        self._written_at = time.monotonic()
        if not said and not planted:
            return
        self._note_models(said)
        with self.job.fence():
            canarying.keep(self.run, planted, self.schema, self.fingerprint)
            said = _unquoted(self.run, said)
            rows = _fresh_rows(self.run, said, self.schema, self.fingerprint)
            other = self.schema.questions and not lending.asks_the_same(
                self.schema, self.run.project_id
            )
            for row in rows if other else ():
                answer_rows.refuse(row, OTHER_FORM)
            if self.reader is not None:
                self.reader.rate(rows)
            if self.run.kind == TeacherRunKind.LABEL:
                _enter(self.run, rows, {answer.number: answer for answer in said})
                disagreeing.note(self.run, [row for row in rows if row.annotation])
            TeacherAnswer.objects.bulk_create(rows)
            _count(self.run, rows)
        if other:
            raise HopelessError(f"{OTHER_FORM} Nothing of them was entered; start the run again.")
        if self.run.kind == TeacherRunKind.LABEL:
            settling.wish(self.run.teacher.project)

    def _note_models(self, said: list[Said]) -> None:
        fresh = {answer.model for answer in said if answer.model} - self.models
        if fresh:
            self.models |= fresh
            drifting.note_models(self.run.teacher, fresh)


def _close(answers: Iterator[Any]) -> None:
    close: Callable[[], None] | None = getattr(answers, "close", None)
    if close is not None:
        close()


def _unquoted(run: TeacherRun, said: list[Said]) -> list[Said]:
    """The answers, without what quotes an item that was redacted meanwhile."""
    sealing.hold(run.project_id)  # as who redacts does
    numbers = [answer.number for answer in said]
    items = Item.objects.filter(project=run.project_id, number__in=numbers)
    blanked = {item.number for item in items if item.is_blanked}
    texts = [one.text for one in said if one.number in blanked and one.text is not None]
    if texts:
        answer_cache.forget_texts(run.project_id, texts)
    return [_without_words(one) if one.number in blanked else one for one in said]


def _without_words(answer: Said) -> Said:
    if answer.text is None:
        return replace(answer, reason="")
    return replace(answer, reason="", text=None, probabilities=None, abstained=GONE)


def _fresh_rows(
    run: TeacherRun, said: list[Said], schema: TeacherSchema, print_: str
) -> list[TeacherAnswer]:
    numbers = [answer.number for answer in said]
    items = dict(
        Item.objects.filter(project=run.project_id, number__in=numbers).values_list("number", "pk")
    )
    known = set(
        TeacherAnswer.objects.filter(run=run, item__in=items.values()).values_list(
            "item", flat=True
        )
    )
    return [
        answer_rows.row_of(run, items[answer.number], answer, schema, print_)
        for answer in said
        if items[answer.number] not in known
    ]


def _enter(run: TeacherRun, rows: list[TeacherAnswer], said: dict[int, Said]) -> None:
    """Write the answers as annotations; its own word of before is taken back by the new one."""
    voice = run.teacher.voice
    answered = [row for row in rows if not row.abstained]
    items = [row.item_id for row in answered]
    numbers = dict(Item.objects.filter(pk__in=items).values_list("pk", "number"))
    before = dict(
        Annotation.objects.filter(annotator=voice, item__in=items, successor=None).values_list(
            "item", "pk"
        )
    )
    # What stands already was said with these settings; earlier settings that came back say it anew.
    there = set(
        TeacherAnswer.objects.filter(
            annotation__in=before.values(), fingerprint__in={row.fingerprint for row in answered}
        ).values_list("item", flat=True)
    )
    made = [
        Annotation(
            uuid=uuid5(_SPACE, _name(run, row, before.get(row.item_id))),
            project_id=run.project_id,
            item_id=row.item_id,
            annotator=voice,
            previous_id=before.get(row.item_id),
            kind=AnnotationKind.ANSWER,
            stream=Stream.ACTIVE,
            labels=row.labels,
            value=answer_rows.value_of(row),
            reason=clean(said[numbers[row.item_id]].reason, 200),
            blind=True,
            seconds=row.seconds,
        )
        for row in answered
        if row.item_id not in there
    ]
    Annotation.objects.bulk_create(made)
    written = {annotation.item_id: annotation for annotation in made}
    for row in answered:
        row.annotation = written.get(row.item_id)


def _name(run: TeacherRun, row: TeacherAnswer, before: int | None) -> str:
    after = "" if before is None else f":{before}"
    return f"{run.teacher_id}:{row.item_id}:{row.fingerprint}{after}"


def _count(run: TeacherRun, rows: list[TeacherAnswer]) -> None:
    abstained = sum(bool(row.abstained) for row in rows)
    TeacherRun.objects.filter(pk=run.pk).update(
        answered=F("answered") + len(rows) - abstained,
        abstained=F("abstained") + abstained,
        tokens_in=F("tokens_in") + sum(row.tokens_in for row in rows),
        tokens_out=F("tokens_out") + sum(row.tokens_out for row in rows),
    )
