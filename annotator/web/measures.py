"""What the progress and annotators pages count: one statement per table, whatever its size."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, Q

from annotator.actions.projects import finding
from annotator.actions.queue import auditing
from annotator.models import (
    Annotation,
    AnnotationKind,
    EstimateSource,
    Item,
    Job,
    Label,
    Part,
    Project,
    StudentVersion,
)
from annotator.web.charts import Bar, Point, Series, bars

# Wider than this, an interval is too wide to decide anything on.
WIDE = 0.2
# Below two labels there is nothing to tell apart.
FEWEST_TO_LEARN_FROM = 2


@dataclass(frozen=True, kw_only=True)
class AuditPart:
    name: str
    text: str
    wanted: int
    drawn: int
    answered: int


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One voice's answers that stand, and its pace."""

    annotator_id: int
    name: str
    kind: str
    answers: int
    median_seconds: float | None
    per_hour: float | None
    last_day: int


PART_TEXTS = {
    Part.EVALUATION: "measures the student; never trained on",
    Part.CALIBRATION: "tunes its probabilities; never trained on",
    Part.SEED: "trained on, drawn at random",
}

_SPEEDS = """
SELECT v.id, v.name, v.kind, count(a.id),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.seconds),
       3600.0 * count(a.seconds) / nullif(sum(a.seconds), 0),
       count(*) FILTER (WHERE a.created_at > now() - interval '1 day')
FROM annotator_annotator v
JOIN annotator_annotation a ON a.annotator_id = v.id AND a.kind = 'answer'
WHERE v.project_id = %s
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
GROUP BY v.id ORDER BY count(a.id) DESC, v.name
"""

_BALANCE = """
SELECT chosen.label, count(*) FROM annotator_verdict v CROSS JOIN unnest(v.labels) chosen(label)
WHERE v.project_id = %s AND v.state = 'decided' GROUP BY chosen.label
"""


def audit_fill(project: Project) -> list[AuditPart]:
    """How many items each part wants, has drawn and has answered."""
    counted = (
        Item.objects.filter(project=project)
        .exclude(part="")
        .values_list("part")
        .annotate(drawn=Count("pk"), done=Count("pk", filter=Q(answers__gt=0)))
    )
    known = {part: (drawn, done) for part, drawn, done in counted}
    size = auditing.size(project)
    return [
        AuditPart(
            name=part.label,
            text=PART_TEXTS[part],
            wanted=round(size * share),
            drawn=known.get(part, (0, 0))[0],
            answered=known.get(part, (0, 0))[1],
        )
        for part, share in auditing.SHARES.items()
    ]


def speeds(project: Project) -> list[Speed]:
    """Every voice that has said something, the busiest first."""
    with connection.cursor() as cursor:
        cursor.execute(_SPEEDS, [project.pk])
        rows = cursor.fetchall()
    return [
        Speed(
            annotator_id=pk,
            name=name,
            kind=kind,
            answers=answers,
            median_seconds=median,
            per_hour=None if rate is None else float(rate),
            last_day=last_day,
        )
        for pk, name, kind, answers, median, rate, last_day in rows
    ]


def uses(project: Project) -> dict[int, int]:
    """Decided items per label; labels without any are not in it."""
    with connection.cursor() as cursor:
        cursor.execute(_BALANCE, [project.pk])
        return dict(cursor.fetchall())


def balance(project: Project) -> list[Bar]:
    """Decided items per label, in the order of the schema; archived labels only if used.

    Of very many labels those that are used most.
    """
    counts = uses(project)
    every = Label.objects.filter(project=project).order_by("position", "pk")
    labels = list(every[: finding.LISTED_AT_MOST + 1])
    if len(labels) > finding.LISTED_AT_MOST:
        most = sorted(counts, key=lambda pk: -counts[pk])[: finding.LISTED_AT_MOST]
        labels = list(every.filter(pk__in=most))
    return bars(
        [
            (
                f"{each.name} (archived)" if each.archived_at else each.name,
                counts.get(each.pk, 0),
                each.colour % 12,
            )
            for each in labels
            if each.archived_at is None or counts.get(each.pk)
        ]
    )


def learning_series(project: Project) -> list[Series]:
    """Accuracy of every version against what it learned from: audit figures, and out-of-fold."""
    measured = (
        StudentVersion.objects.filter(project=project, accuracy__isnull=False)
        .order_by("number")
        .values_list(
            "number",
            "trained_on",
            "accuracy",
            "accuracy_low",
            "accuracy_high",
            "estimate",
            "evaluated_on",
        )
    )
    found: dict[str, list[Point]] = {EstimateSource.AUDIT: [], EstimateSource.FOLDS: []}
    for number, trained_on, accuracy, low, high, estimate, evaluated_on in measured:
        found.setdefault(estimate, []).append(
            Point(
                x=trained_on,
                y=accuracy or 0.0,
                low=low,
                high=high,
                title=f"Student {number}: {accuracy:.0%} after {trained_on:,} labelled items, "
                f"measured on {evaluated_on:,}",
            )
        )
    audit = sorted(found[EstimateSource.AUDIT], key=lambda point: point.x)
    folds = sorted(found[EstimateSource.FOLDS], key=lambda point: point.x)
    return [
        Series(name="random sample (audit)", points=audit),
        Series(name="cross-validated, an early estimate", points=folds, other=True),
    ]


def summary(
    project: Project,
    fill: list[AuditPart],
    decided: int,
    reach: auditing.Reach,
    *,
    is_coming: bool = False,
) -> str:
    """The state of the project in sentences that stand by themselves in an e-mail.

    reach: how much of the evaluation counts; is_coming: the first student is on its way.
    """
    what = "a label" if project.task.has_labels else "an answer"
    done = f"{decided:,} of {project.present_count:,} items have {what}"
    student = project.current_student
    if not project.task.students:
        return f"{project.name}: {done}."
    if student is None and is_coming:
        return f"{project.name}: {done}. The first student is on its way: it is trained as soon as the items are encoded."
    if student is None:
        needed = "different labels" if project.task.has_labels else "orders"
        return (
            f"{project.name}: {done}. There is no student yet; the first one is trained once two "
            f"{needed} are given."
        )
    if student.accuracy is None or student.accuracy_low is None or student.accuracy_high is None:
        return f"{project.name}: {done}. It is too early to say how good the student is."
    audited = student.estimate == EstimateSource.AUDIT
    value = f"{student.accuracy * 100:.0f} %"
    if "span_f1" in student.metrics:
        figure = f"reaches an F1 of spans of {value}"
    elif "pairs_right" in student.metrics:
        figure = f"puts {value} of the pairs of candidates in the right order"
    else:
        figure = f"{'is' if audited else 'looks'} {value} accurate"
    figure += (
        f", between {student.accuracy_low * 100:.0f} and {student.accuracy_high * 100:.0f} % "
        "with 95 % confidence"
    )
    if audited:
        wide = student.accuracy_high - student.accuracy_low > WIDE
        advice = " The interval is too wide to decide on; more audit answers narrow it."
        return (
            f"{project.name}: {done}. The student {figure}, on a random sample of "
            f"{student.evaluated_on:,} items that it never learned from."
            f"{f' {reach.told}' if reach.first else advice if wide else ''}"
        )
    return (
        f"{project.name}: {done}. The student {figure}, cross-validated on "
        f"{student.evaluated_on:,} of its own items, which were not drawn at random. "
        f"{_when_honest(project, fill, reach)}"
    )


def student_is_coming(project: Project) -> bool:
    """Whether work is under way that ends in the first student: there are labels to learn from."""
    if project.current_student_id is not None:
        return False
    if (
        not Job.objects.live()
        .filter(project=project, kind__in=("settle", "encode", "train"))
        .exists()
    ):
        return False
    answers = Annotation.objects.filter(project=project, kind=AnnotationKind.ANSWER)
    return len(answers.values_list("pk")[:FEWEST_TO_LEARN_FROM]) == FEWEST_TO_LEARN_FROM


def too_small(fill: list[AuditPart]) -> bool:
    """Whether the audit sample cannot grow to the answers that a figure needs."""
    evaluation = next(part for part in fill if part.name == Part.EVALUATION.label)
    return max(evaluation.wanted, evaluation.drawn) < auditing.FEWEST_TO_SHOW


def _when_honest(project: Project, fill: list[AuditPart], reach: auditing.Reach) -> str:
    if not reach.missing and not reach.first:
        return "An honest figure comes with the next training."
    if too_small(fill):
        if project.present_count < auditing.FEWEST_ITEMS:
            return "There are too few items for an honest figure."
        return "The audit sample is too small for an honest figure; a lead can enlarge it."
    return reach.told or f"An honest figure comes with {reach.missing:,} more evaluation answers."
