"""Label chosen items or all hits: look first, then one action, then one undo."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotator.actions.explore import bulk
from annotator.actions.explore.searching import Filter, matching
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Can, Job, Project
from annotator.web import asked, words
from annotator.web.choosing import label_views
from annotator.web.explore import filter_of
from annotator.web.pages import page, person, project_for
from annotator.web.students import number_of


@require_POST
@login_required
def preview(request: HttpRequest, project_id: int) -> HttpResponse:
    """Say what would happen, and ask."""
    project = project_for(request, project_id, Can.REVIEW)
    wanted = filter_of(request.POST)
    example = request.POST.get("example", "")
    if example and not wanted.items:  # beside an item are those like it, never all
        messages.warning(request, "Choose the items to label first.")
        return redirect(
            "similar", project_id=project.pk, number=number_of(example, "a number", "example")
        )
    if project.has_questions and request.POST.get("answered") != "1":
        return _ask(request, project, wanted)
    chosen = chosen_labels(request, project)
    try:
        seen = bulk.preview(project, person(request), wanted, chosen)
    except InvalidError as refusal:
        if not project.has_questions:
            raise
        return _ask(request, project, wanted, chosen, refusal.detail)
    context = {
        "preview": seen,
        "wanted": wanted,
        "labels": words.named(words.LabelBook(project), chosen),
        "back": _back(project, wanted),
    }
    return page(request, "explore/preview.html", project, "explore", context)


def _ask(
    request: HttpRequest,
    project: Project,
    wanted: Filter,
    chosen: Sequence[int] = (),
    problem: str = "",
) -> HttpResponse:
    """Ask what many items have in common, question by question; with what was wrong with the answer."""
    found = asked.context_of(project, label_views(project))
    context = {
        **found,
        "own": [one["name"] for one in found["questions"] if asked.needs_own_value(one)],
        "hits": matching(project, wanted).count(),
        "wanted": wanted,
        "chosen": chosen,
        "problem": problem,
        "back": _back(project, wanted),
    }
    status = 422 if problem else 200
    return page(request, "explore/bulk_questions.html", project, "explore", context, status)


@require_POST
@login_required
def start(request: HttpRequest, project_id: int) -> HttpResponse:
    """Begin; the page of jobs shows how far it is."""
    project = project_for(request, project_id, Can.REVIEW)
    bulk.start_bulk(
        project,
        person(request),
        filter_of(request.POST),
        chosen_labels(request, project),
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


def chosen_labels(request: HttpRequest, project: Project) -> list[int]:
    """Label ids that were chosen. Raises InvalidError while none is, where none is no answer."""
    given = [each for each in asked.given(request.POST, "labels") if each]
    if not given and not project.has_questions:
        raise InvalidError("Choose a label first.", field="labels")
    if not all(each.isascii() and each.isdigit() and len(each) < 18 for each in given):
        raise InvalidError("A label is given by its number.", field="labels")
    return [int(each) for each in given]


def _back(project: Project, wanted: Filter) -> str:
    return f"{reverse('explore', args=[project.pk])}?{_address(wanted.given())}"


def _address(given: dict[str, object]) -> str:
    return urlencode({name: value for name, value in given.items() if name != "items"})
