"""Progress: one sentence to send, the learning curve, who did what, and the work behind it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from annotator.actions.figures import advising, costing, domains, estimating
from annotator.actions.imports import differing
from annotator.actions.queue import auditing
from annotator.models import Can, Project, Verdict, VerdictState
from annotator.web import estimates, jobs, measures
from annotator.web.charts import curve
from annotator.web.pages import allowed, page, person, project_for


@require_GET
@login_required
def progress(request: HttpRequest, project_id: int) -> HttpResponse:
    """The whole page, drawn from what is stored now."""
    project = project_for(request, project_id, Can.SEE)
    return page(request, "progress/progress.html", project, "progress", _context(project))


def _context(project: Project) -> dict[str, Any]:
    decided = Verdict.objects.filter(project=project, state=VerdictState.DECIDED).count()
    is_coming = measures.student_is_coming(project)
    fill, reach = measures.audit_fill(project), auditing.reach(project)
    speeds = measures.speeds(project)
    sheet = estimating.shown_sheet(project)
    figures = sheet.figures if sheet is not None else None
    measured = figures if figures and figures["accuracy"] else None
    measure = advising.name_of(project)
    series = measures.learning_series(project)
    if measured and measured["curve"]:
        series = [*estimates.curve_series(measured), *series[1:]]
    return {
        "decided": decided,
        "is_coming": is_coming,
        "left": max(project.present_count - decided, 0),
        "summary": advising.sentence(project, measured)
        if measured
        else measures.summary(project, fill, decided, reach, is_coming=is_coming),
        "curve": curve(
            series,
            description=f"Learning curve of {project.name}: {measure} by labelled items",
            x_name="labelled items",
        ),
        **estimates.context(project, figures),
        "measure": measure,
        "columns": domains.columns(project) if measured and measured["macro_f1"] else {},
        "warnings": _warnings(project),
        "may_manage": allowed(project, Can.MANAGE),
        "fill": fill,
        "reach": reach,
        "tied": auditing.tied(project),
        "too_small": measures.too_small(fill),
        "audit_needed": auditing.FEWEST_ITEMS,
        "fewest": auditing.FEWEST_TO_SHOW,
        "balance": measures.balance(project),
        "speeds": speeds,
        "people_per_hour": sum(each.per_hour or 0 for each in speeds if each.kind == "person"),
        "costs": costing.costs(project),
        **jobs.context_for(project, "all"),
    }


def _warnings(project: Project) -> list[dict[str, Any]]:
    return [
        {"batch": batch, "text": differing.sentence(project, batch.report["difference"])}
        for batch in differing.warnings(project)
    ]


@require_POST
@login_required
def by_domain(request: HttpRequest, project_id: int) -> HttpResponse:
    """Ask for the class shares by a metadata column; a job estimates them."""
    project = project_for(request, project_id, Can.MANAGE)
    column = request.POST.get("column", "")
    domains.start(project, column, person(request))
    messages.success(
        request,
        f"Class shares by {column} are being estimated. They are here as soon as the job below is done.",
    )
    return redirect(f"{reverse('progress', args=[project.pk])}#domains")
