"""What labels cost so far, of people's time and of money: a label, a right label, a point of accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from annotator.actions.routing import overview, policies
from annotator.models import (
    EstimateSource,
    Project,
    Purse,
    StudentVersion,
    TeacherAnswer,
    TeacherRunKind,
    Verdict,
    VerdictSource,
)

# People's standing answers, and how long those took that were timed.
_SPENT = """
SELECT count(*), count(a.seconds), coalesce(sum(a.seconds), 0)
FROM annotator_annotation a JOIN annotator_annotator v ON v.id = a.annotator_id
WHERE a.project_id = %s AND v.kind = 'person' AND a.kind = 'answer'
  AND (%s::timestamptz IS NULL OR a.created_at >= %s)
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of people and money (theirs, if an hour has a price, and the teachers'); `count` of
    what is bought. None where it cannot be told."""

    count: float | None
    seconds: float | None
    money: float | None


@dataclass(frozen=True, kw_only=True)
class Costs:
    """total: all so far. label, right, point: of one. priced: whether an hour of a person has a price.

    right: people's labels count as right, the teacher's as often as checks found. point: of a point
    of accuracy, from the first student that was measured on the audit sample to the current one.
    """

    total: Cost
    label: Cost
    right: Cost
    point: Cost
    priced: bool


def costs(project: Project) -> Costs:
    """From rows alone."""
    price = float(policies.policy_of(project).hour_price) / 3600
    answers, seconds = _people(project)
    purse = Purse.objects.filter(pk=project.pk).first()
    spent = float(purse.spent) if purse is not None else 0.0
    total = Cost(count=None, seconds=seconds, money=seconds * price + spent)
    decided = Verdict.objects.filter(project=project).decided()
    labels = decided.count()
    pace = seconds / answers if answers else 0.0
    return Costs(
        total=total,
        label=_each(total, labels),
        right=_each(total, _right(project, labels)),
        point=_point(project, pace, price),
        priced=price > 0,
    )


def since(project: Project, moment: datetime) -> Cost:
    """What people's answers and the teachers' took from this moment on; `count` of people's. Trials
    and tests of teachers are not in it."""
    price = float(policies.policy_of(project).hour_price) / 3600
    answers, seconds = _people(project, moment)
    said = TeacherAnswer.objects.filter(project=project, created_at__gte=moment)
    said = said.filter(run__kind=TeacherRunKind.LABEL)
    paid = said.aggregate(sum=Sum("money"))["sum"] or Decimal(0)
    return Cost(count=answers, seconds=seconds, money=seconds * price + float(paid))


def _people(project: Project, moment: datetime | None = None) -> tuple[int, float]:
    """Answers and seconds; an answer that was not timed counts as the others' mean."""
    with connection.cursor() as cursor:
        cursor.execute(_SPENT, [project.pk, moment, moment])
        answers, timed, seconds = cursor.fetchone()
    return answers, float(seconds) * answers / timed if timed else 0.0


def _each(total: Cost, count: float | None) -> Cost:
    if not count or total.seconds is None or total.money is None:
        return Cost(count=count, seconds=None, money=None)
    return Cost(count=count, seconds=total.seconds / count, money=total.money / count)


def _right(project: Project, labels: int) -> float | None:
    """Labels that are right; None while a teacher decided some and too few of them were checked."""
    decided = Verdict.objects.filter(project=project, source=VerdictSource.TEACHER)
    by_teacher = decided.count()
    if not by_teacher:
        return float(labels)
    checked = overview.overview(project).checked.value
    return None if checked is None else labels - by_teacher * (1 - checked)


def _point(project: Project, pace: float, price: float) -> Cost:
    versions = StudentVersion.objects.filter(project=project, estimate=EstimateSource.AUDIT)
    measured = list(versions.order_by("number").only("accuracy", "answers", "created_at"))
    if len(measured) < 2:
        return Cost(count=None, seconds=None, money=None)
    first, last = measured[0], measured[-1]
    gained = 100 * ((last.accuracy or 0.0) - (first.accuracy or 0.0))
    if gained <= 0:
        return Cost(count=gained, seconds=None, money=None)
    seconds = max(last.answers - first.answers, 0) * pace
    asked = TeacherAnswer.objects.filter(
        project=project, created_at__gt=first.created_at, created_at__lte=last.created_at
    )
    paid = asked.aggregate(sum=Sum("money"))["sum"] or Decimal(0)
    total = Cost(count=None, seconds=seconds, money=seconds * price + float(paid))
    return _each(total, gained)
