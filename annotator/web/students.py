"""Students: versions and their figures, compare, promote, fine-tune, try, download."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotator.actions import leaving, promoting, teaching
from annotator.errors import AnnotatorError, InvalidError, NotFoundError, UnavailableError
from annotator.formats.zipping import zipped
from annotator.models import Can, ItemKind, Label, Project, StudentVersion
from annotator.web import jobs, promotions, sets
from annotator.web.charts import Bar, bars
from annotator.web.pages import allowed, page, person, project_for

PER_PAGE = 30
TOP = 8


@require_GET
@login_required
def students(request: HttpRequest, project_id: int) -> HttpResponse:
    """The versions, latest first."""
    project = project_for(request, project_id, Can.SEE)
    rows = StudentVersion.objects.filter(project=project).order_by("-number")
    context = {
        "versions": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "current": project.current_student,
        "may_manage": allowed(project, Can.MANAGE),
        "texts": project.item_kind != ItemKind.IMAGE,
        **promotions.context(project),
        **sets.context(project),
        **jobs.context_for(project, "students"),
    }
    return page(request, "students/students.html", project, "students", context)


def student_for(request: HttpRequest, project: Project, number: int, can: Can) -> StudentVersion:
    """A version by its number; 404 in another project."""
    rows = StudentVersion.objects.for_user(request.user, can).filter(project=project)
    found = rows.select_related("encoding").filter(number=number).first()
    if found is None:
        raise NotFoundError("There is no such student in this project.")
    return found


@require_GET
@login_required
def compare(request: HttpRequest, project_id: int) -> HttpResponse:
    """Two versions side by side, and whether their difference means anything."""
    project = project_for(request, project_id, Can.SEE)
    chosen = sorted({_number(each) for each in request.GET.getlist("number")})
    if len(chosen) != 2:
        raise InvalidError("Choose two students to compare.", field="number")
    one, other = (student_for(request, project, number, Can.SEE) for number in chosen)
    names = sorted(set(one.metrics) | set(other.metrics))
    context = {
        "one": one,
        "other": other,
        "metrics": [(name, one.metrics.get(name), other.metrics.get(name)) for name in names],
        "said": difference(one, other),
    }
    return page(request, "students/compare.html", project, "students", context)


def difference(one: StudentVersion, other: StudentVersion) -> str:
    """What may be said about two figures, no more."""
    if one.accuracy is None or other.accuracy is None:
        return "At least one of them was never measured, so they cannot be compared."
    if one.estimate != other.estimate:
        return (
            "One was measured on the random sample, the other out of fold: the two figures are "
            "not comparable."
        )
    better = one if one.accuracy > other.accuracy else other
    points = abs(one.accuracy - other.accuracy) * 100
    overlap = (one.accuracy_low or 0) <= (other.accuracy_high or 1) and (
        other.accuracy_low or 0
    ) <= (one.accuracy_high or 1)
    if overlap:
        return (
            f"They differ by {points:.1f} points, and their intervals overlap: this may be chance."
        )
    return (
        f"Student {better.number} is better by {points:.1f} points; the intervals do not overlap."
    )


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidError(f"“{text[:40]}” is not a student's number.", field="number")
    return int(text)


@require_POST
@login_required
def promote(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Make a version the current one, forwards or back."""
    project = project_for(request, project_id, Can.MANAGE)
    promoting.promote(
        project, student_for(request, project, number, Can.MANAGE), by=person(request)
    )
    messages.success(
        request, f"Student {number} is the current one, and stays until you decide again."
    )
    return redirect("students", project_id=project.pk)


@require_POST
@login_required
def unpin(request: HttpRequest, project_id: int) -> HttpResponse:
    """Let newer students take over again."""
    project = project_for(request, project_id, Can.MANAGE)
    promoting.unpin(project)
    messages.success(request, "Newer students take over again, from the next one on.")
    return redirect("students", project_id=project.pk)


@require_POST
@login_required
def finetune(request: HttpRequest, project_id: int) -> HttpResponse:
    """Begin to fine-tune a transformer."""
    project = project_for(request, project_id, Can.MANAGE)
    params: dict[str, Any] = {}
    if request.POST.get("model", "").strip():
        params["model"] = request.POST["model"].strip()
    if request.POST.get("epochs", "").strip():
        params["epochs"] = _number(request.POST["epochs"].strip())
    teaching.start_finetune(project, person(request), params)
    messages.success(request, "Fine-tuning has begun; it takes over only if it wins on the sample.")
    return redirect("students", project_id=project.pk)


@require_POST
@login_required
def attempt(request: HttpRequest, project_id: int) -> HttpResponse:
    """Ask a student about a typed text. A model that is starting is asked again by the page."""
    project = project_for(request, project_id, Can.SEE)
    text = request.POST.get("text", "")
    context: dict[str, Any] = {"text": text, "project": project}
    try:
        context["bars"] = _bars(project, _word_on(project, text))
    except UnavailableError as error:
        context["waiting"] = error.detail
    except AnnotatorError as error:
        if not request.headers.get("HX-Request"):
            raise
        context["problem"] = error.detail  # the page shows only what is answered with 200
    if request.headers.get("HX-Request"):
        return render(request, "students/guess.html", context)
    return page(request, "students/guess_page.html", project, "students", context)


def _word_on(project: Project, text: str) -> teaching.Guess:
    if not text.strip() or len(text) > teaching.LONGEST_TEXT:
        raise InvalidError(f"Type a text of 1 to {teaching.LONGEST_TEXT:,} characters.")
    (guess,) = teaching.predict(project, [text])
    return guess


def _bars(project: Project, guess: teaching.Guess) -> list[tuple[Bar, float]]:
    labels = Label.objects.filter(project=project).in_bulk()
    shown = [(labels[pk], share) for pk, share in guess.labels[:TOP] if pk in labels]
    drawn = bars([(each.name, round(p * 1_000_000), each.colour % 12) for each, p in shown])
    return [(bar, share) for bar, (_, share) in zip(drawn, shown, strict=True)]


@require_GET
@login_required
def download(request: HttpRequest, project_id: int, number: int) -> StreamingHttpResponse:
    """The student as a folder that works elsewhere, as a zip."""
    project = project_for(request, project_id, Can.MANAGE)
    version = student_for(request, project, number, Can.MANAGE)
    members = leaving.members(version)
    response = StreamingHttpResponse(zipped(members), content_type="application/zip")
    name = f"{leaving.package_of(version)}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
