"""Files of answers that models gave elsewhere: upload, columns, progress, decision."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRefresh

from annotator.actions.imports import hearing, recordings
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import Can, Project, Recording, RecordingState, Teacher
from annotator.web.answer_columns import AnswerChoices
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for

SHOWN_PROBLEMS = 200
UNDER_WAY = (RecordingState.WAITING, RecordingState.READING)


class AnswersForm(forms.Form):
    """A file of answers."""

    file = forms.FileField(
        label="File",
        help_text="CSV, TSV, Excel, JSON, JSONL or Parquet: one row for each answer, with your item's id "
        "or text and what was answered.",
        widget=forms.FileInput(
            attrs={"accept": ".csv,.tsv,.xlsx,.xls,.xlsb,.ods,.json,.jsonl,.ndjson,.parquet,.gz"}
        ),
    )


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def new(request: HttpRequest, project_id: int) -> HttpResponse:
    """The first step: the file."""
    project = project_for(request, project_id, Can.MANAGE)
    form = AnswersForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = recordings.receive(project, file, person(request), name=file.name)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return redirect("recording", project_id=project.pk, recording_id=made.pk)
    status = 422 if form.errors else 200
    context = {"form": form, "kind": hearing.kind_of(project)}
    return page(request, "recordings/new.html", project, "annotators", context, status)


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def one(request: HttpRequest, project_id: int, recording_id: int) -> HttpResponse:
    """One file: its columns while it waits, its progress, what became of it."""
    project, found = _recording(request, project_id, recording_id)
    if _wants_columns(found):
        return _columns(request, project, found)
    if request.method == "POST":
        return redirect("recording", project_id=project.pk, recording_id=found.pk)
    return page(request, "recordings/one.html", project, "annotators", _told(found))


@require_GET
@never_cache
@login_required
def state(request: HttpRequest, project_id: int, recording_id: int) -> HttpResponse:
    """How far the reading is, polled by its page."""
    project, found = _recording(request, project_id, recording_id)
    if found.state in UNDER_WAY and found.job_id:
        return render(request, "recordings/state.html", _told(found) | {"project": project})
    return HttpResponseClientRefresh()


@require_POST
@login_required
def decide(request: HttpRequest, project_id: int, recording_id: int) -> HttpResponse:
    """Take the good rows of a file, or nothing of it."""
    project, found = _recording(request, project_id, recording_id)
    decision = request.POST.get("decision", "")
    if decision == "rest":
        recordings.decide(found, "rest", person(request))
        return redirect("recording", project_id=project.pk, recording_id=found.pk)
    if decision != "discard":
        raise InvalidError("Decide for the rest or for nothing.", field="decision")
    recordings.discard(found)
    messages.success(request, f"Nothing of {found.file_name} was taken. Upload the mended file.")
    return redirect("recording_new", project_id=project.pk)


def _recording(
    request: HttpRequest, project_id: int, recording_id: int
) -> tuple[Project, Recording]:
    project = project_for(request, project_id, Can.MANAGE)
    rows = Recording.objects.for_user(request.user).filter(project=project, pk=recording_id)
    found = rows.select_related("project", "job").first()
    if found is None:
        raise NotFoundError("There is no such file of answers in this project.")
    return project, found


def _wants_columns(found: Recording) -> bool:
    """True while nothing was begun, or what was begun has failed and may be begun otherwise."""
    is_new = found.state == RecordingState.WAITING and found.job_id is None
    return is_new or found.state == RecordingState.FAILED


def _columns(request: HttpRequest, project: Project, found: Recording) -> HttpResponse:
    """Rows and columns; a POST looks again or begins."""
    error: AnnotatorError | None = None
    choices = AnswerChoices.of_recording(found)
    if request.method == "POST":
        try:
            choices = AnswerChoices.of_form(found, request.POST)
            if request.POST.get("do") == "start":
                _begin(request, found, choices)
                return redirect("recording", project_id=project.pk, recording_id=found.pk)
        except AnnotatorError as refusal:
            error = refusal
    context: dict[str, Any] = {
        "recording": found,
        "choices": choices,
        "error": error,
        "refused": found.report.get("refused", ""),
        "problems": choices.problems,
    }
    status = error.status if error else 200
    return page(request, "recordings/columns.html", project, "annotators", context, status)


def _begin(request: HttpRequest, found: Recording, choices: AnswerChoices) -> None:
    recordings.begin(
        found,
        choices.found.mapping,
        person(request),
        name=choices.name,
        reader=choices.reader,
        bad_rows=choices.bad_rows,
    )


def _told(found: Recording) -> dict[str, Any]:
    """What the page of a begun file shows."""
    report, job = found.report, found.job
    return {
        "recording": found,
        "job": job,
        "under_way": found.state in UNDER_WAY,
        "seconds_left": job.seconds_left if job is not None and not job.is_over else None,
        "report": report,
        "kind": hearing.kind_of(found.project),
        # Reports of before tell no place.
        "unknown": [(*one, 0, "")[:4] for one in report.get("unknown", [])],
        "problems": report.get("problems", [])[:SHOWN_PROBLEMS],
        "unlisted": max(report.get("problem_count", 0) - SHOWN_PROBLEMS, 0),
        "teachers": Teacher.objects.filter(recording=found).select_related("voice").order_by("pk"),
    }
