"""Start from another project: whose labels match, what was taken over, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.students import warm_starts, warming
from annotator.errors import AnnotatorError, InvalidError
from annotator.models import Can, Job, Label, Project
from annotator.web import besides
from annotator.web.pages import page, person, project_for
from annotator.web.students import newest_head, number_of

FIELD = "label-"
# A form has at most 1,000 fields.
MOST_ROWS = 900


@dataclass(frozen=True, kw_only=True)
class Row:
    """A label of the other project and the name of the one here that it is; "" for none."""

    label: Label
    meant: str


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The other project whose labels are shown, how many more it has, the names of ours, and of those that
    none of its is."""

    project: Project
    rows: list[Row]
    rest: int
    ours: list[str]
    alone: list[str]


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def start(request: HttpRequest, project_id: int) -> HttpResponse:
    """What the head starts from, and a choice of another; a POST takes over what was matched."""
    project, by = project_for(request, project_id, Can.MANAGE), person(request)
    problem, typed = "", request.POST if request.method == "POST" else None
    asked = (request.GET if typed is None else typed).get("source", "")
    try:
        warm_starts.check(project)
        if typed is not None or asked:
            wanted = number_of(asked, "a project's number", "source")
            source = warm_starts.source_named(project, by, wanted)
        if typed is not None:
            warm_starts.begin(project, by, wanted, _matches(project, source, typed))
            messages.success(
                request, f"What “{source.name}” knows of these labels is being taken over."
            )
            return redirect("students_start", project_id=project.pk)
    except AnnotatorError as refusal:
        problem = refusal.detail
    context: dict[str, Any] = {
        **_current(project),
        "problem": problem,
        "suits": warm_starts.suits(project),
    }
    if context["suits"]:
        context |= _choice(request, project, asked, typed)
    return page(
        request, "students/start.html", project, "students", context, 422 if problem else 200
    )


def _current(project: Project) -> dict[str, Any]:
    found = warming.start_of(project)
    job = Job.objects.filter(project=project, kind="warm").order_by("-pk").first()
    head = newest_head(project)
    ours = {label.pk: label.name for label in Label.objects.filter(project=project)}
    return {
        "start": found,
        "job": job if found is not None and not found.folder else None,
        "under_way": job is not None and not job.is_over,
        "matches": [(one["called"], ours.get(one["ours"], "")) for one in found.matches]
        if found
        else [],
        "told": besides.warm(head, found),
    }


def _choice(request: HttpRequest, project: Project, asked: str, typed: Any) -> dict[str, Any]:
    """The projects there are, and the labels of the one that is chosen."""
    found = warm_starts.sources(project, person(request))
    fit = [one.project for one in found if not one.trouble]
    source = next((one for one in fit if str(one.pk) == asked), None)
    return {
        "fit": fit,
        "unfit": [one for one in found if one.trouble],
        "chosen": source and _chosen(project, source, typed),
    }


def _chosen(project: Project, source: Project, typed: Any) -> Chosen:
    here, theirs = list(project.live_labels()), list(source.live_labels())
    ours = {label.pk: label.name for label in here}
    matched = warm_starts.matched(here, theirs)
    rows = [
        Row(
            label=label,
            meant=ours.get(matched.get(label.pk, 0), "")
            if typed is None
            else typed.get(f"{FIELD}{label.pk}", "").strip(),
        )
        for label in theirs[:MOST_ROWS]
    ]
    rest = len(theirs) - len(rows)
    meant = {row.meant for row in rows}
    names = list(ours.values())
    alone = [name for name in names if name not in meant]
    return Chosen(project=source, rows=rows, rest=rest, ours=names, alone=alone)


def _matches(project: Project, source: Project, typed: Any) -> dict[int, int]:
    """Their label's id -> ours, by the names that were typed or chosen."""
    ours = {label.name: label.pk for label in project.live_labels()}
    found: dict[int, int] = {}
    for label in source.live_labels():
        name = typed.get(f"{FIELD}{label.pk}", "").strip()
        if not name:
            continue
        if name not in ours:
            raise InvalidError(f"“{name[:60]}” is no label of this project.", field="labels")
        found[label.pk] = ours[name]
    return found


@require_POST
@login_required
def withdraw(request: HttpRequest, project_id: int) -> HttpResponse:
    """Start from nothing again."""
    project = project_for(request, project_id, Can.MANAGE)
    try:
        warm_starts.withdraw(project)
    except AnnotatorError as refusal:
        messages.warning(request, refusal.detail)
    else:
        messages.success(request, "The next student learns from this project's answers alone.")
    return redirect("students_start", project_id=project.pk)
