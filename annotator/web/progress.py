"""Progress: one sentence to send, the learning curve, who did what, and the work behind it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from annotator.actions import auditing
from annotator.models import Can, Project, Verdict, VerdictState
from annotator.web import jobs, measures
from annotator.web.charts import curve
from annotator.web.pages import page, project_for


@require_GET
@login_required
def progress(request: HttpRequest, project_id: int) -> HttpResponse:
    """The whole page, drawn from what is stored now."""
    project = project_for(request, project_id, Can.SEE)
    return page(request, "progress/progress.html", project, "progress", _context(project))


def _context(project: Project) -> dict[str, Any]:
    decided = Verdict.objects.filter(project=project, state=VerdictState.DECIDED).count()
    fill = measures.audit_fill(project)
    speeds = measures.speeds(project)
    return {
        "decided": decided,
        "left": max(project.present_count - decided, 0),
        "summary": measures.summary(project, fill, decided),
        "curve": curve(
            measures.learning_series(project),
            description=f"Learning curve of {project.name}: accuracy by labelled items",
            x_name="labelled items",
        ),
        "fill": fill,
        "fewest": auditing.FEWEST_TO_SHOW,
        "balance": measures.balance(project),
        "speeds": speeds,
        "people_per_hour": sum(each.per_hour or 0 for each in speeds if each.kind == "person"),
        **jobs.context_for(project, "all"),
    }
