"""One run of a teacher: progress, spend, causes, what it said, cancel."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.text import Truncator
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import teacher_figures
from annotator.errors import ConflictError, NotFoundError
from annotator.models import Can, Label, Project, TeacherAnswer, TeacherRun
from annotator.templatetags.concord import amount
from annotator.web.marks import parts_of
from annotator.web.pages import allowed, page, project_for
from learning.tasks.values import spelled_task

SHOWN = 50
EXCERPT = 120
# Why a run asked about no planted instruction.
UNPLANTED = {
    "images": "items are images, and what is planted are orders in texts.",
    "short": "one as short as this has one only now and then.",
    "undecided": "people have not decided an item yet that one could be planted in.",
    "wrong": "it was wrong about every decided item that one could be planted in.",
}


def run_for(request: HttpRequest, project: Project, run_id: int) -> TeacherRun:
    """A run of this project; 404 in another one."""
    rows = TeacherRun.objects.for_user(request.user).listed().filter(project=project, pk=run_id)
    found = rows.select_related("teacher__voice", "job", "created_by").first()
    if found is None:
        raise NotFoundError("There is no such run in this project.")
    return found


@require_GET
@never_cache
@login_required
def run(request: HttpRequest, project_id: int, run_id: int) -> HttpResponse:
    """The run's page."""
    project = project_for(request, project_id, Can.SEE)
    found = run_for(request, project, run_id)
    context = {**_progress(project, found), **_said(project, found)}
    return page(request, "teachers/run.html", project, "annotators", context)


@require_GET
@never_cache
@login_required
def state(request: HttpRequest, project_id: int, run_id: int) -> HttpResponse:
    """How far it is, polled by its page, with the answers again when there are more."""
    project = project_for(request, project_id, Can.SEE)
    found = run_for(request, project, run_id)
    if not found.is_live:
        return HttpResponseClientRefresh()
    context = {"project": project, **_progress(project, found)}
    if request.GET.get("seen") != str(found.asked):
        context |= _said(project, found) | {"again": True}
    return render(request, "teachers/state.html", context)


@require_POST
@login_required
def cancel(request: HttpRequest, project_id: int, run_id: int) -> HttpResponse:
    """Stop it; what was answered stays."""
    project = project_for(request, project_id, Can.MANAGE)
    found = run_for(request, project, run_id)
    try:
        teacher_runs.cancel(found)
    except ConflictError as late:
        messages.warning(request, late.detail)
    else:
        messages.success(request, "The run is stopped. What was answered stays.")
    return redirect("teacher_run", project_id=project.pk, run_id=found.pk)


def _progress(project: Project, found: TeacherRun) -> dict[str, Any]:
    return {
        "run": found,
        "teacher": found.teacher,
        "seconds_left": teacher_figures.seconds_left(found),
        "may_manage": allowed(project, Can.MANAGE),
    }


def _planted(run: TeacherRun) -> str:
    """How many planted instructions were among its items, or why none; "" where none could be."""
    told = run.facts.get("planted")
    if told is None:
        return ""
    if told["count"]:
        return f"{amount(told['count'], 'planted instruction')} {'were' if told['count'] > 1 else 'was'} asked about beside its items."
    return f"No planted instruction was asked about: {UNPLANTED[told['why']]}"


def _order(project: Project, row: TeacherAnswer) -> str:
    """The order that it gave, in numbers; "" for other answers."""
    if row.value is None or "order" not in row.value:
        return ""
    return spelled_task(project.task_type).spell(row.value)


def _unmarked(row: TeacherAnswer) -> list[int]:
    """The labels that stand by themselves; those of marks stand with their words."""
    marked = {one["label"] for one in (row.value or {}).get("spans", [])}
    return [pk for pk in row.labels if pk not in marked]


def _said(project: Project, found: TeacherRun) -> dict[str, Any]:
    """The latest answers with the labels' names, and why others are missing."""
    labels = Label.objects.filter(project=project).in_bulk()
    rows = (
        TeacherAnswer.objects.filter(run=found).select_related("item", "annotation").order_by("-pk")
    )
    return {
        "answers": [
            {
                "row": row,
                "item": row.item,
                "text": Truncator(row.item.text).chars(EXCERPT),
                "labels": [labels[pk].name for pk in _unmarked(row) if pk in labels],
                "marks": parts_of(row.value, row.item.text, labels),
                "marked": "spans" in (row.value or {}),
                "order": _order(project, row),
                "wrote": (row.value or {}).get("text"),
            }
            for row in rows[:SHOWN]
        ],
        "causes": teacher_figures.causes(found),
        "planted": _planted(found),
    }
