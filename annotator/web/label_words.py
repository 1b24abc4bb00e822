"""Label words: offered from the project's own texts, accepted, edited or dropped by a person."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.projects import finding
from annotator.actions.teachers import label_words
from annotator.errors import AnnotatorError
from annotator.models import Can
from annotator.web.pages import page, person, project_for


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def words(request: HttpRequest, project_id: int) -> HttpResponse:
    """Each label with its words and what was found; a POST keeps what was chosen and typed."""
    project = project_for(request, project_id, Can.MANAGE)
    problem = ""
    if request.method == "POST":
        try:
            label_words.keep(project, _chosen(request))
        except AnnotatorError as refusal:
            problem = refusal.detail
        else:
            messages.success(request, "The words are kept. Teachers read them from now on.")
            return redirect(request.get_full_path())
    job = label_words.latest(project)
    pages = Paginator(project.live_labels(), finding.LISTED_AT_MOST)
    labels = pages.get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "offered": label_words.offered(project, labels),
        "labels": labels,
        "job": job,
        "under_way": job is not None and not job.is_over,
        "seconds_left": job.seconds_left if job is not None and not job.is_over else None,
        "problem": problem,
        "tab": "labels",
    }
    status = 422 if problem else 200
    return page(request, "settings/words.html", project, "settings", context, status)


def _chosen(request: HttpRequest) -> dict[int, list[str]]:
    """By label: what stands in its field, one a line or parted by commas, and what was ticked."""
    found: dict[int, list[str]] = {}
    for name, typed in request.POST.items():
        _, dash, label = name.partition("words-")
        if dash and label.isascii() and label.isdigit() and len(label) <= 18:
            lines = str(typed).replace(",", "\n").splitlines()
            found[int(label)] = [*lines, *request.POST.getlist(f"take-{label}")]
    return found


@require_POST
@login_required
def ask(request: HttpRequest, project_id: int) -> HttpResponse:
    """Look for words in the texts."""
    project = project_for(request, project_id, Can.MANAGE)
    try:
        label_words.ask(project, person(request))
    except AnnotatorError as refusal:
        messages.warning(request, refusal.detail)
    return redirect("label_words", project_id=project.pk)
