"""Students: versions and their figures, promote, fine-tune, try, download."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from annotator.actions.figures import advising
from annotator.actions.students import (
    leaving,
    promoting,
    teaching,
    version_figures,
    warm_starts,
    warming,
)
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import Can, ItemKind, Project, StudentState, StudentVersion
from annotator.web import besides, encoders, jobs, measures, onward, promotions, sets
from annotator.web.entrance import refuse
from annotator.web.pages import allowed, page, person, project_for
from annotator.web.training_form import TrainForm

if TYPE_CHECKING:
    from collections.abc import Iterable

PER_PAGE = 30


@require_GET
@login_required
def students(request: HttpRequest, project_id: int) -> HttpResponse:
    """The versions, latest first."""
    project = project_for(request, project_id, Can.SEE)
    return _listed(request, project, TrainForm(project=project))


def _listed(
    request: HttpRequest, project: Project, form: TrainForm, status: int = 200
) -> HttpResponse:
    every = StudentVersion.objects.filter(project=project).select_related("encoding")
    every = every.order_by("-number")
    versions = Paginator(every, PER_PAGE).get_page(request.GET.get("page"))
    current = project.current_student
    told = version_figures.headlines(project, [*versions, *([current] if current else [])])
    head, start = newest_head(project), warming.start_of(project)
    context = {
        "versions": versions,
        "rows": [(each, told[each.pk], encoders.beside(project, each)) for each in versions],
        "current": current,
        "current_figure": current and told[current.pk],
        "current_beside": current and encoders.beside(project, current),
        "chosen": onward.chosen(project),
        "onward": onward.told(project),
        "flattered": current is not None and version_figures.flattered(current),
        "figure_name": advising.name_of(project),
        "is_coming": measures.student_is_coming(project),
        "may_manage": allowed(project, Can.MANAGE),
        "form": form,
        "tried": tried(project, versions),
        "paired": project.item_kind == ItemKind.PAIR,
        "besides": besides.others(project, head),
        "start": start,
        "start_told": besides.warm(head, start),
        "starts": warm_starts.suits(project),
        **promotions.context(project),
        **sets.context(project),
        **jobs.context_for(project, "students"),
    }
    return page(request, "students/students.html", project, "students", context, status)


def may_try(project: Project) -> bool:
    """Whether its students have a word on any text that somebody types, or any image that somebody shows."""
    return not teaching.why_silent(project)


def tried(project: Project, listed: Iterable[StudentVersion]) -> list[StudentVersion]:
    """Of those that are listed, whom a typed text or an image may be shown to, the current one first."""
    if not may_try(project):
        return []
    current = project.current_student
    others = [each for each in listed if each.state == StudentState.READY and each != current]
    first = [] if current is None else [current]
    return [each for each in first + others if each.folder]


def newest_head(project: Project) -> StudentVersion | None:
    """The head that was trained last."""
    heads = StudentVersion.objects.filter(project=project, kind__in=besides.KINDS).ready()
    return heads.order_by("-number").first()


def student_for(request: HttpRequest, project: Project, number: int, can: Can) -> StudentVersion:
    """A version by its number; 404 in another project."""
    rows = StudentVersion.objects.for_user(request.user, can).filter(project=project)
    found = rows.select_related("encoding").filter(number=number).first()
    if found is None:
        raise NotFoundError("There is no such student in this project.")
    return found


def number_of(text: str, meant: str = "a student's number", field: str = "number") -> int:
    """A student's number, or another one, from an address or a form."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidError(f"“{text[:40]}” is not {meant}.", field=field)
    return int(text)


@require_POST
@login_required
def promote(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Make a version the current one, forwards or back."""
    project = project_for(request, project_id, Can.MANAGE)
    promoting.promote(
        project, student_for(request, project, number, Can.MANAGE), by=person(request)
    )
    project.refresh_from_db(fields=["student_pinned"])
    messages.success(request, f"Student {number} is the current one. {onward.chosen(project)}")
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
    """Begin to train another student than the head."""
    project = project_for(request, project_id, Can.MANAGE)
    form = TrainForm(request.POST, project=project)
    if not form.is_valid():
        return _listed(request, project, form, 422)
    try:
        teaching.start_finetune(project, person(request), form.params(), form.cleaned_data["kind"])
    except AnnotatorError as error:
        refuse(form, error)
        return _listed(request, project, form, error.status)
    messages.success(request, f"Training has begun. {onward.takes_over(project)}")
    return redirect("students", project_id=project.pk)


@require_GET
@login_required
def download(request: HttpRequest, project_id: int, number: int) -> StreamingHttpResponse:
    """The student as a folder that works elsewhere, as a zip."""
    project = project_for(request, project_id, Can.MANAGE)
    version = student_for(request, project, number, Can.MANAGE)
    content = leaving.archive(version)
    response = StreamingHttpResponse(content, content_type="application/zip")
    name = f"{leaving.package_of(version)}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
