"""What a teacher has done so far: answers, agreement with people, money, time left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Count, Q, Sum
from django.utils import timezone

from annotator.actions.figures import marking, ordered, worded
from annotator.models import Project, Shape, Teacher, TeacherAnswer, TeacherRun, TeacherRunKind

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# Fewer shared items than this say nothing about a teacher.
FEWEST = 5

_SAID = """
SELECT a.annotator_id, count(*), count(v.item_id),
       count(v.item_id) FILTER (WHERE a.labels @> v.labels AND v.labels @> a.labels)
FROM annotator_annotation a
JOIN annotator_annotator voice ON voice.id = a.annotator_id AND voice.kind = 'teacher'
JOIN annotator_item i ON i.id = a.item_id
-- A label that came with a file is nobody's answer.
LEFT JOIN annotator_verdict v ON v.item_id = a.item_id AND v.state = 'decided' AND i.answers > 0
WHERE voice.project_id = %s AND a.kind = 'answer'
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
GROUP BY a.annotator_id
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A teacher's numbers. Of `shared` items that were decided without it, `same` as it said; where
    answers mark spans, `same` is None and `f1` tells how its marks meet those that were decided; where
    they are orders, `pairs` is the share of pairs of candidates that stand as decided; where they are texts,
    `near` is how near they come to the decided ones, 1 less the share of edits. `abstained` of the items that
    it was to label, by its own word; `failed` on the way to it, in trials too.
    """

    answers: int = 0
    shared: int = 0
    same: int | None = 0
    f1: float | None = None
    pairs: float | None = None
    near: float | None = None
    low: float | None = None
    high: float | None = None
    spent: Decimal = Decimal(0)
    # See `Costs.per_answer`: `spent` is all that it took, trials and tests too.
    per_answer: Decimal | None = None
    abstained: int = 0
    failed: int = 0
    tokens: int = 0

    @property
    def share(self) -> float | None:
        """None while too few items are shared."""
        if self.shared < FEWEST:
            return None
        if self.same is None:
            told = (self.f1, self.pairs, self.near)
            return next((each for each in told if each is not None), None)
        return self.same / self.shared


def figures(project: Project) -> dict[int, Figures]:
    """By teacher; verdicts are never of a teacher's making, so agreement is with people."""
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [project.pk])
        said = {row[0]: row[1:] for row in cursor.fetchall()}
    paid: dict[int, Any] = {
        row["teacher"]: dict(row)
        for row in TeacherRun.objects.filter(project=project)
        .order_by()
        .values("teacher")
        .annotate(
            money=Sum("spent"),
            read=Sum("tokens_in"),
            written=Sum("tokens_out"),
        )
    }
    labelling = costs(project)
    silent = _silent(project)
    alike = _told_apart(project)
    found = {}
    for teacher_id, voice_id in Teacher.objects.filter(project=project).values_list("pk", "voice"):
        answers, shared, same = said.get(voice_id, (0, 0, 0))
        all_runs = paid.get(teacher_id, {})
        abstained, failed = silent.get(teacher_id, (0, 0))
        found[teacher_id] = Figures(
            answers=answers,
            **(_same(shared, same) if alike is None else alike(voice_id)),
            spent=all_runs.get("money") or Decimal(0),
            per_answer=labelling.get(teacher_id, Costs()).per_answer,
            abstained=abstained,
            failed=failed,
            tokens=(all_runs.get("read") or 0) + (all_runs.get("written") or 0),
        )
    return found


def _silent(project: Project) -> dict[int, tuple[int, int]]:
    """Teacher -> (items of labelling runs on which it abstained, items on which the way to it failed)."""
    own = Q(run__kind=TeacherRunKind.LABEL) & ~_fault()
    rows = TeacherAnswer.objects.filter(project=project).exclude(abstained="").order_by()
    counted = rows.values_list("run__teacher").annotate(
        own=Count("pk", filter=own), faults=Count("pk", filter=_fault())
    )
    return {teacher: (abstained, failed) for teacher, abstained, failed in counted}


def failed(runs: Sequence[TeacherRun]) -> dict[int, int]:
    """Run -> items on which the way to the teacher failed, where there are any."""
    rows = TeacherAnswer.objects.filter(_fault(), run__in=[run.pk for run in runs if run.abstained])
    return dict(rows.order_by().values_list("run").annotate(Count("pk")))


def _fault() -> Q:
    from learning.teachers.types import FAULT

    return Q(flags__contains=[FAULT])


def _same(shared: int, same: int) -> dict[str, Any]:
    from learning.metrics import wilson

    low, high = wilson(same, shared) if shared >= FEWEST else (None, None)
    return {"shared": shared, "same": same, "low": low, "high": high}


def _told_apart(project: Project) -> Callable[[int], dict[str, Any]] | None:
    """What tells of a voice where answers are more than labels; None where they are labels."""
    if project.shape == Shape.SPANS:
        marks = marking.agreement(project)
        return lambda voice: _alike(marks.get(voice), "f1")
    if project.task.ranked:
        orders = ordered.agreement(project)
        return lambda voice: _alike(orders.get(voice), "pairs")
    if project.task.written:
        texts = worded.agreement(project)
        return lambda voice: _alike(texts.get(voice), "near")
    return None


def _alike(found: Estimate | None, name: str) -> dict[str, Any]:
    if found is None or found.n < FEWEST:
        return {"shared": 0 if found is None else found.n, "same": None}
    return {
        "shared": found.n, "same": None, name: found.value, "low": found.low, "high": found.high,
    }  # fmt: skip


_COSTS = """
SELECT r.teacher_id, count(*) FILTER (WHERE t.abstained = ''),
       count(*) FILTER (WHERE t.abstained <> '' AND NOT %s = ANY(t.flags)),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY t.seconds)
           FILTER (WHERE t.abstained = '' AND NOT 'cached' = ANY(t.flags))
FROM annotator_teacheranswer t JOIN annotator_teacherrun r ON r.id = t.run_id
WHERE r.project_id = %s AND r.kind = 'label' GROUP BY r.teacher_id
"""


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a teacher's labels took. `silent` abstentions were its own; faults on the way are none."""

    answered: int = 0
    silent: int = 0
    median_seconds: float | None = None
    spent: Decimal = Decimal(0)

    @property
    def per_answer(self) -> Decimal | None:
        """What one answer cost, abstentions and faults of those runs paid with it."""
        return self.spent / self.answered if self.answered else None

    def per_right(self, share: float) -> float | None:
        """Money for one right answer, where `share` of the answers is right."""
        if self.per_answer is None or share <= 0:
            return None
        return float(self.per_answer) / share


def costs(project: Project) -> dict[int, Costs]:
    """By teacher, of runs that label: trials and tests are not in it."""
    from learning.teachers.types import FAULT

    with connection.cursor() as cursor:
        cursor.execute(_COSTS, [FAULT, project.pk])
        counted = {row[0]: row[1:] for row in cursor.fetchall()}
    labelling = TeacherRun.objects.filter(project=project, kind=TeacherRunKind.LABEL)
    paid = dict(labelling.order_by().values_list("teacher").annotate(Sum("spent")))
    return {
        pk: Costs(
            answered=answered,
            silent=silent,
            median_seconds=median,
            spent=paid.get(pk, Decimal(0)),
        )
        for pk, (answered, silent, median) in counted.items()
    }


def causes(run: TeacherRun) -> list[tuple[str, int]]:
    """Why items of a run got no answer, commonest first."""
    rows = TeacherAnswer.objects.filter(run=run).exclude(abstained="")
    counted = rows.values_list("abstained").annotate(count=Count("pk")).order_by("-count")
    return list(counted[:10])


def seconds_left(run: TeacherRun) -> float | None:
    """Time left at the pace so far; None while it cannot be told."""
    if not run.is_live or run.started_at is None or not run.asked:
        return None
    spent = (timezone.now() - run.started_at).total_seconds()
    left: int = run.wanted - run.asked
    return spent * max(left, 0) / run.asked
