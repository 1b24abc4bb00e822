"""One student version and everything measured about it; two versions side by side."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from annotator.actions.figures import advising
from annotator.actions.queue import auditing
from annotator.actions.students import (
    choices,
    contrasting,
    distilling,
    origins,
    pools,
    promoting,
    recipes,
    version_figures,
)
from annotator.actions.students.contrasting import Differing
from annotator.models import Can, ItemKind, Label, Project, Promotion, StudentVersion
from annotator.web import besides, encoders, estimates, promotions, reliabilities
from annotator.web.charts import Curve, Point, Series, curve
from annotator.web.pages import allowed, page, project_for
from annotator.web.scorecards import confused
from annotator.web.students import may_try, number_of, student_for

if TYPE_CHECKING:
    from learning.audit.promotion import Paired

DECISIONS = 5
# A version with its figure.
Measured = tuple[StudentVersion, version_figures.Headline]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One label's figures as the table shows them."""

    name: str
    hue: int
    f1: estimates.Share
    recall: estimates.Share
    precision: estimates.Share


@require_GET
@login_required
def version(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Figures, labels, confusions, calibration, curve and settings of one version."""
    project = project_for(request, project_id, Can.SEE)
    student = student_for(request, project, number, Can.SEE)
    found = version_figures.figures_of(project, student)
    labels = Label.objects.filter(project=project).in_bulk()
    made = Promotion.objects.filter(project=project, number=number).select_related("made_by")
    current = project.current_student
    waits = current is not None and student in promoting.challengers(project, current)
    context = {
        "version": student,
        "current": current,
        "serves": current == student,
        "may_manage": allowed(project, Can.MANAGE),
        "found": found,
        "reach": auditing.reach(project),
        "tried": [student] if may_try(project) and student.folder else [],
        "paired": project.item_kind == ItemKind.PAIR,
        "measure": advising.NAMES[project.task.figure],
        "figure_name": advising.name_of(project),
        "when_trained": version_figures.when_trained(student),
        "accuracy": found.score.accuracy and _share(found.score.accuracy),
        "rows": estimates.listed(_rows(found, labels)),
        "confusions": _confusions(project, found, labels),
        "reliability": found.reliability,
        "calibration": _calibration(found),
        "learning": _learning(student, found),
        "training": _training(student),
        "params": _params(student),
        "kind": _kind(student),
        "made": origins.read(student),
        "beside": distilling.learned(student),
        "has_pool": pools.is_whole(student),
        "besides": besides.told(project, student),
        "flattered": version_figures.flattered(student),
        "decisions": [(each, promotions.told(each)) for each in made.order_by("-id")[:DECISIONS]],
        "waits": promotions.waits_for(project, student, current) if waits and current else "",
    }
    return page(request, "students/version.html", project, "students", context)


def _share(found: Any) -> estimates.Share:
    return estimates.Share(**asdict(found))


def _rows(found: version_figures.VersionFigures, labels: dict[int, Label]) -> list[Row]:
    rows = [
        Row(
            name=labels[each.label].name,
            hue=labels[each.label].colour % 12,
            f1=_share(each.f1),
            recall=_share(each.recall),
            precision=_share(each.precision),
        )
        for each in found.labels
    ]
    return sorted(rows, key=lambda row: (row.f1.high if row.f1.n else 2.0, row.f1.value or 0.0))


def _confusions(
    project: Project, found: version_figures.VersionFigures, labels: dict[int, Label]
) -> Any:
    """None before there are figures, and where an answer is more than labels that are taken for others."""
    alone = project.task.figure == "accuracy"
    return confused(project, found.score, labels) if alone and found.score.accuracy else None


def _calibration(found: version_figures.VersionFigures) -> Curve | None:
    if found.reliability is None:
        return None
    return reliabilities.drawn({"before": asdict(found.reliability), "after": None}, "the student")


def _learning(student: StudentVersion, found: version_figures.VersionFigures) -> Curve | None:
    """The versions of its kind on the same items, this one apart."""
    if len(found.points) < 2:
        return None
    points = [
        Point(
            x=version.trained_on,
            y=estimate.value or 0.0,
            low=estimate.low,
            high=estimate.high,
            title=f"student {version.number}: {estimate.value or 0:.0%} after "
            f"{version.trained_on:,} labelled items",
        )
        for version, estimate in found.points
    ]
    mine = [point for point, (each, _) in zip(points, found.points, strict=True) if each == student]
    return curve(
        [Series(name="versions of this kind", points=points), Series(name="this one", points=mine)],
        description=f"Accuracy of the versions of the kind {student.kind} by labelled items",
        x_name="labelled items",
    )


def _training(student: StudentVersion) -> Curve | None:
    """How much of its own items it had right after each epoch."""
    points = [
        Point(x=epoch, y=share, title=f"epoch {epoch}: {share:.0%} of its own items right")
        for epoch, share in enumerate(student.by_epoch, start=1)
    ]
    return curve(
        [Series(name="of its own items right", points=points)],
        description=f"Training of student {student.number}, epoch by epoch",
        x_name="epochs",
    )


def _kind(student: StudentVersion) -> str:
    known = recipes.registry_of(student.kind)
    return known.entry(student.kind).label if student.kind in known else student.kind


def _params(student: StudentVersion) -> list[tuple[str, Any, str]]:
    """(name, value, by whom it was chosen): of a kind that there is no longer only what was kept."""
    from learning.errors import LearningError
    from learning.registry import parameters_of

    try:
        known = parameters_of(
            recipes.registry_of(student.kind).create(student.kind, student.params)
        )
    except LearningError:
        known = dict(student.params)
    chosen = choices.chosen(student)
    told = []
    for name, given in known.items():
        value = chosen.get(name, given)
        whose = "set" if name in student.params else ""
        if value != given:
            whose = "set for the project" if name == "class_weights" else "chosen by the fit"
        shown = "not given" if value is None else _shown(name, value)
        told.append((name.replace("_", " "), shown, whose))
    return told


def _shown(name: str, value: Any) -> Any:
    """A model of ours by its name: where it lies on the machine is nobody's business."""
    if isinstance(value, float):
        return f"{value:.4g}"
    inside = name == "model" and Path(str(value)).is_absolute()
    return Path(str(value)).name if inside else value


@require_POST
@login_required
def delete(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Remove a version that does not serve."""
    project = project_for(request, project_id, Can.MANAGE)
    promoting.delete(project, student_for(request, project, number, Can.MANAGE))
    messages.success(request, f"Student {number} and its files are deleted.")
    return redirect("students", project_id=project.pk)


@require_GET
@login_required
def compare(request: HttpRequest, project_id: int) -> HttpResponse:
    """Two versions side by side, what their difference means, and where they differ."""
    project = project_for(request, project_id, Can.SEE)
    chosen = sorted({number_of(each) for each in request.GET.getlist("number")})
    if len(chosen) != 2:
        messages.warning(request, "Tick two students to compare them.")
        return redirect("students", project_id=project.pk)
    one, other = (student_for(request, project, number, Can.SEE) for number in chosen)
    found = contrasting.contrast(project, one, other)
    told = version_figures.headlines(project, [one, other])
    labels = Label.objects.filter(project=project).in_bulk()
    context = {
        "one": one,
        "other": other,
        "metrics": _metrics(project, one, other),
        "one_figure": told[one.pk],
        "other_figure": told[other.pk],
        "figure_name": advising.name_of(project),
        "one_reads": encoders.reads(project, one),
        "other_reads": encoders.reads(project, other),
        "said": difference((one, told[one.pk]), (other, told[other.pk]), found.paired),
        "found": found,
        "judged": [_named(each, labels) for each in found.judged],
        "pool": [_named(each, labels) for each in found.pool or []],
    }
    return page(request, "students/compare.html", project, "students", context)


def _metrics(
    project: Project, one: StudentVersion, other: StudentVersion
) -> list[tuple[str, float | None, float | None]]:
    """(name, of one, of the other) of figures beside the first one: on the random sample as it is now, and as they
    were measured when they were trained."""
    told: list[tuple[str, float | None, float | None]] = []
    left, right = (_calibration_error(project, each) for each in (one, other))
    if left is not None or right is not None:
        told.append(("calibration error, on the random sample", left, right))
    for name in sorted((set(one.metrics) | set(other.metrics)) - {"n", "accuracy"}):
        called = f"{name.replace('_', ' ').replace('f1', 'F1')}, when trained"
        told.append((called, one.metrics.get(name), other.metrics.get(name)))
    return told


def _calibration_error(project: Project, student: StudentVersion) -> float | None:
    found = version_figures.figures_of(project, student).reliability
    return None if found is None else found.error


def _named(each: Differing, labels: dict[int, Label]) -> dict[str, Any]:
    def tags(ids: list[int] | None) -> list[Label]:
        return [labels[pk] for pk in ids or [] if pk in labels]

    return {
        "item": each.item,
        "one": tags(each.one),
        "other": tags(each.other),
        "truth": tags(each.truth),
        "one_right": each.one == each.truth,
        "other_right": each.other == each.truth,
    }


def difference(first: Measured, second: Measured, paired: Paired) -> str:
    """What may be said about two versions, no more."""
    if not paired.n:
        return _by_figures(first, second)
    one, other = first[0], second[0]
    counted = (
        f"Of {paired.n:,} items that chance drew and neither learned from, student {one.number} is "
        f"better on {paired.wins:,} and student {other.number} on {paired.losses:,}."
    )
    if not (paired.wins or paired.losses):
        return f"{counted} They do not differ there."
    better = one if paired.difference > 0 else other
    points, ends = abs(paired.difference) * 100, promotions.between(paired.low, paired.high)
    chance = f"chance alone parts two equal ones so far in {promotions.share(paired.p)} of cases"
    if paired.p > promotions.CHANCE:
        return f"{counted} That is {points:.1f} points, and it may be chance: {chance}."
    return f"{counted} Student {better.number} is better by {points:.1f} points ({ends}): {chance}."


def _by_figures(first: Measured, second: Measured) -> str:
    """Of versions that were not asked about the same drawn items, from their own figures."""
    one, other = first[1], second[1]
    if one.value is None or other.value is None:
        return "At least one of them was never measured, so they cannot be compared."
    if one.source != other.source:
        return (
            "One was measured on the random sample, the other cross-validated: the two figures are "
            "not comparable."
        )
    better = first[0] if one.value > other.value else second[0]
    points = abs(one.value - other.value) * 100
    overlap = (one.low or 0) <= (other.high or 1) and (other.low or 0) <= (one.high or 1)
    if overlap:
        return (
            f"They differ by {points:.1f} points, and their intervals overlap: this may be chance."
        )
    return (
        f"Student {better.number} is better by {points:.1f} points; the intervals do not overlap."
    )
