"""Teachers: the list with their numbers, set-up, trial, runs, and what they may spend."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotator.actions.teachers import (
    budgets,
    endpoints,
    foretelling,
    forms,
    teacher_runs,
    teachers,
)
from annotator.actions.trust import teacher_figures
from annotator.errors import AnnotatorError, NotFoundError
from annotator.models import Can, ItemKind, Project, Purse, Teacher, TeacherRun
from annotator.web.entrance import refuse
from annotator.web.pages import allowed, page, person, project_for
from annotator.web.teacher_forms import CapsForm, RunForm, TeacherForm, plainly

RUNS_SHOWN = 20
# What the page of kinds says of each: its symbol, what it does and what it is good for.
KINDS = {
    "zero-shot": (
        "label",
        "Compares each item with the labels' names and descriptions. At once, without a key.",
    ),
    "openai": (
        "comment",
        "Asks a language model behind an endpoint of yours. For answers that want reading.",
    ),
    "local": (
        "lock",
        "Scores every label by a model of your own. No text leaves the machine, and it needs no key.",
    ),
    "student": (
        "student",
        "Lets the promoted student of a project answer: of this one or another one of yours.",
    ),
    "committee": (
        "people",
        "Asks several of this project's teachers, and weighs them by what audits say of each.",
    ),
}


@require_GET
@login_required
def teachers_list(request: HttpRequest, project_id: int) -> HttpResponse:
    """One card for each teacher, and the project's purse."""
    project = project_for(request, project_id, Can.SEE)
    return _list(request, project, None)


def _list(request: HttpRequest, project: Project, form: CapsForm | None) -> HttpResponse:
    known = teacher_figures.figures(project)
    rows = Teacher.objects.filter(project=project).select_related("voice", "endpoint")
    purse = Purse.objects.filter(project=project).first() or Purse(project=project)
    context = {
        "cards": [(each, known[each.pk]) for each in rows.order_by("pk")],
        "purse": purse,
        "spent_today": budgets.spent_today(purse),
        "form": form
        or CapsForm(initial={name: plainly(getattr(purse, name)) for name in budgets.CAPS}),
        "nothing_to_ask": forms.nothing_to_ask(project),
        "tab": "teachers",
        "may_manage": allowed(project, Can.MANAGE),
        "is_admin": endpoints.is_admin(request.user),
    }
    status = 422 if form is not None else 200
    return page(request, "teachers/list.html", project, "annotators", context, status)


@require_POST
@login_required
def money(request: HttpRequest, project_id: int) -> HttpResponse:
    """Change what all teachers may spend."""
    project = project_for(request, project_id, Can.MANAGE)
    form = CapsForm(request.POST)
    if not form.is_valid():
        return _list(request, project, form)
    budgets.change_caps(project, **form.cleaned_data)
    messages.success(request, "The caps are set. Calls that would pass them are refused.")
    return redirect("teachers", project_id=project.pk)


@sensitive_post_parameters("key")
@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def new(request: HttpRequest, project_id: int) -> HttpResponse:
    """Set up a teacher: first its kind, then what that needs."""
    project = project_for(request, project_id, Can.MANAGE)
    data = request.POST if request.method == "POST" else None
    kind = (data or request.GET).get("plugin", "")
    if kind not in dict(teachers.offered(project)):
        kinds = [(name, label, *KINDS[name]) for name, label in teachers.offered(project)]
        status = 200 if data is None else 422
        return page(request, "teachers/kinds.html", project, "annotators", {"kinds": kinds}, status)
    form = TeacherForm(data, project=project, kind=kind, sources=_sources(request, project))
    if data is not None and form.is_valid():
        try:
            made = teachers.create_teacher(project, person(request), **form.settings())
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{made.name} is set up. Try it on a few items first.")
            return redirect("teacher", project_id=project.pk, teacher_id=made.pk)
    return _form_page(request, project, form)


def _sources(
    request: HttpRequest, project: Project, teacher: Teacher | None = None
) -> QuerySet[Project]:
    """Projects with a promoted student that reads what is here, which this person may see, and the one chosen
    before."""
    images = Q(item_kind=ItemKind.IMAGE)
    alike = images if project.item_kind == ItemKind.IMAGE else ~images
    seen = Project.objects.for_user(request.user, Can.SEE).exclude(current_student=None)
    seen = seen.filter(alike)
    chosen = [teacher.source_id] if teacher and teacher.source_id else []
    return Project.objects.filter(Q(pk__in=seen) | Q(pk__in=chosen)).order_by("name")


@sensitive_post_parameters("key")
@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def change(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Change a teacher's settings; its kind and what it said stay."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    form = TeacherForm(
        request.POST or None,
        project=project,
        kind=found.plugin,
        sources=_sources(request, project, found),
        teacher=found,
    )
    if request.method == "POST" and form.is_valid():
        try:
            teachers.change_teacher(found, person(request), **form.settings())
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{found.name} is changed.")
            return redirect("teacher", project_id=project.pk, teacher_id=found.pk)
    return _form_page(request, project, form)


def _form_page(request: HttpRequest, project: Project, form: TeacherForm) -> HttpResponse:
    context = {
        "form": form,
        "teacher": form.teacher,
        "kind": dict(teachers.offered(project)).get(form.kind, form.kind),
        "calls": form.kind in teachers.CALLING,
        "any_endpoint": endpoints.offered().exists(),
        "is_admin": endpoints.is_admin(request.user),
    }
    status = 422 if form.errors else 200
    return page(request, "teachers/form.html", project, "annotators", context, status)


def teacher_for(request: HttpRequest, project: Project, teacher_id: int) -> Teacher:
    """A teacher of this project; 404 in another one."""
    rows = Teacher.objects.for_user(request.user).filter(project=project, pk=teacher_id)
    found = rows.select_related("voice", "endpoint", "project", "recording", "source").first()
    if found is None:
        raise NotFoundError("There is no such teacher in this project.")
    return found


@require_GET
@never_cache
@login_required
def teacher(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """One teacher: numbers, a trial, a run with its estimate, past runs."""
    project = project_for(request, project_id, Can.SEE)
    return _teacher(request, project, teacher_for(request, project, teacher_id), None)


def _teacher(
    request: HttpRequest, project: Project, found: Teacher, form: RunForm | None
) -> HttpResponse:
    runs = TeacherRun.objects.listed().filter(teacher=found).order_by("-pk")
    latest = list(runs.select_related("created_by")[:RUNS_SHOWN])
    failed = teacher_figures.failed(latest)
    may_manage = allowed(project, Can.MANAGE)
    context: dict[str, Any] = {
        "teacher": found,
        "kind": teachers.kind_of(found),
        "figures": teacher_figures.figures(project)[found.pk],
        "runs": [
            # A run at work may have failed more since it was read.
            (run, max(run.abstained - failed.get(run.pk, 0), 0), failed.get(run.pk, 0))
            for run in latest
        ],
        "live": next((run for run in latest if run.is_live), None),
        "may_manage": may_manage,
        "tried": teacher_runs.TRIED,
        "form": form or RunForm(),
        "members": teachers.asked_of(found) if found.plugin == "committee" else [],
    }
    if may_manage and form is None:
        context |= _estimate(project, found, 50, teacher_runs.OPEN)
    status = 422 if form is not None else 200
    return page(request, "teachers/teacher.html", project, "annotators", context, status)


def _estimate(project: Project, found: Teacher, count: int, pool: str) -> dict[str, Any]:
    """What such a run would cost, or why it cannot be."""
    try:
        numbers = teacher_runs.drawn(project, found, count, pool)
        return {"estimate": foretelling.estimate(found, numbers)}
    except AnnotatorError as error:
        return {"no_estimate": error.detail}


@require_GET
@login_required
def estimate(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """The estimate for what the run's form says now."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    form = RunForm(request.GET)
    context: dict[str, Any] = {"teacher": found}
    if form.is_valid():
        context |= _estimate(project, found, form.cleaned_data["items"], form.cleaned_data["pool"])
    return render(request, "teachers/estimate.html", context)


@require_POST
@login_required
def attempt(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Try it on a few items."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    try:
        run = teacher_runs.try_on(project, found, person(request))
    except AnnotatorError as error:
        messages.warning(request, error.detail)
        return redirect("teacher", project_id=project.pk, teacher_id=found.pk)
    return redirect("teacher_run", project_id=project.pk, run_id=run.pk)


@require_POST
@login_required
def begin(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Start a run."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    form = RunForm(request.POST)
    if form.is_valid():
        count, pool = form.cleaned_data["items"], form.cleaned_data["pool"]
        try:
            run = teacher_runs.start_run(project, found, person(request), count, pool=pool)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return redirect("teacher_run", project_id=project.pk, run_id=run.pk)
    return _teacher(request, project, found, form)


@require_POST
@login_required
def switch(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Switch a teacher off, or on again."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    teachers.change_teacher(found, person(request), enabled=request.POST.get("enabled") == "1")
    told = "asks again when told to" if found.enabled else "is off; its calls end within seconds"
    messages.success(request, f"{found.name} {told}.")
    return redirect("teacher", project_id=project.pk, teacher_id=found.pk)


@require_POST
@login_required
def withdraw(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Forget the project's key for a teacher's endpoint."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    teachers.withdraw_key(found)
    messages.success(request, f"The key for {found.endpoint} is forgotten.")
    return redirect("teacher_change", project_id=project.pk, teacher_id=found.pk)
