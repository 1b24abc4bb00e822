"""Label chosen items or all hits: look first, then one action, then one undo."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotator.actions.explore import bulk
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Can, Job
from annotator.web import asked, words
from annotator.web.explore import filter_of
from annotator.web.pages import page, person, project_for


@require_POST
@login_required
def preview(request: HttpRequest, project_id: int) -> HttpResponse:
    """Say what would happen, and ask."""
    project = project_for(request, project_id, Can.REVIEW)
    wanted = filter_of(request.POST)
    chosen = chosen_labels(request)
    seen = bulk.preview(project, person(request), wanted, chosen)
    context = {
        "preview": seen,
        "wanted": wanted,
        "labels": words.named(words.LabelBook(project), chosen),
        "back": f"{reverse('explore', args=[project.pk])}?{_address(wanted.given())}",
    }
    return page(request, "explore/preview.html", project, "explore", context)


@require_POST
@login_required
def start(request: HttpRequest, project_id: int) -> HttpResponse:
    """Begin; the page of jobs shows how far it is."""
    project = project_for(request, project_id, Can.REVIEW)
    bulk.start_bulk(
        project,
        person(request),
        filter_of(request.POST),
        chosen_labels(request),
        overrule=request.POST.get("overrule") == "1",
    )
    messages.success(request, "Labelling has begun. It is one action: taken back as one, below.")
    return redirect("bulk_list", project_id=project.pk)


@require_POST
@login_required
def undo(request: HttpRequest, project_id: int, job_id: int) -> HttpResponse:
    """Take one labelling of many items back."""
    project = project_for(request, project_id, Can.REVIEW)
    job = Job.objects.for_user(request.user, Can.REVIEW).filter(pk=job_id, project=project).first()
    if job is None:
        raise NotFoundError("There is no such labelling of many items in this project.")
    bulk.undo_bulk(project, person(request), job)
    messages.success(request, "Its answers are being taken back.")
    return redirect("bulk_list", project_id=project.pk)


def chosen_labels(request: HttpRequest) -> list[int]:
    """Label ids of a form. Raises InvalidError while none is chosen."""
    given = [each for each in asked.given(request.POST, "labels") if each]
    if not given:
        raise InvalidError("Choose a label first.", field="labels")
    if not all(each.isascii() and each.isdigit() and len(each) < 18 for each in given):
        raise InvalidError("A label is given by its number.", field="labels")
    return [int(each) for each in given]


def _address(given: dict[str, object]) -> str:
    return urlencode({name: value for name, value in given.items() if name != "items"})
