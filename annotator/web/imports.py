"""Files on their way in: the new-project wizard, columns, labels, what became of a file."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from annotator.actions.imports import differing, importing, undoing
from annotator.actions.projects import starting
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import BatchState, Can, ImportBatch, ItemKind, Project, User
from annotator.web.columns import Choices
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for

SHOWN_PROBLEMS = 200
PER_PAGE = 30
UNDER_WAY = (BatchState.WAITING, BatchState.READING)
ACCEPTED = (
    ".csv,.tsv,.txt,.xlsx,.xls,.xlsb,.ods,.json,.jsonl,.ndjson,.parquet,.spacy,.conll,.zip,.gz"
)


class UploadForm(forms.Form):
    """A file and, for a new project, its name."""

    file = forms.FileField(
        label="File",
        help_text="CSV, TSV, Excel, JSON, JSONL or Parquet; a text with an item on each line; an export of Label Studio, doccano, Prodigy, Argilla or "
        "spaCy; a zip of images, in which COCO’s and YOLO’s boxes are read too.",
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
    )


# Beside the upload of a project that has images.
OF_IMAGES_HELP = (
    "A zip of images, in which COCO’s, YOLO’s and other tools’ labels and boxes are read too; or such a file alone, "
    "whose answers go to the images that are here."
)


class NewProjectForm(UploadForm):
    name = forms.CharField(
        label="Name", max_length=200, required=False, help_text="Left empty: named after the file."
    )
    like = forms.ModelChoiceField(
        Project.objects.none(),
        label="Set up like",
        required=False,
        empty_label="no other project",
        help_text="Its labels, questions, guidelines and settings; nothing that was answered.",
    )

    def __init__(self, viewer: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Project.objects.for_user(viewer, Can.MANAGE).order_by("name", "pk")
        if known:
            cast("forms.ModelChoiceField[Project]", self.fields["like"]).queryset = known
        else:
            del self.fields["like"]


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def new(request: HttpRequest) -> HttpResponse:
    """The first step of a new project: the file."""
    form = NewProjectForm(
        person(request), request.POST or None, request.FILES or None, initial=request.GET.dict()
    )
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            batch = starting.open_project(
                person(request),
                file,
                file_name=file.name,
                name=form.cleaned_data["name"],
                like=form.cleaned_data.get("like"),
            )
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return redirect("import", project_id=batch.project_id, import_id=batch.pk)
    return render(request, "imports/new.html", {"form": form})


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def imports(request: HttpRequest, project_id: int) -> HttpResponse:
    """Every file of the project, and one more."""
    project = project_for(request, project_id, Can.MANAGE)
    form = UploadForm(request.POST or None, request.FILES or None)
    if project.item_kind == ItemKind.IMAGE and project.item_count:
        form.fields["file"].help_text = OF_IMAGES_HELP
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            batch = importing.receive(project, file, person(request), name=file.name)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return redirect("import", project_id=project.pk, import_id=batch.pk)
    rows = ImportBatch.objects.for_user(request.user).filter(project=project).order_by("-pk")
    batches = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return page(
        request, "imports/list.html", project, "imports", {"form": form, "batches": batches}
    )


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def one(request: HttpRequest, project_id: int, import_id: int) -> HttpResponse:
    """One file: its columns while it waits, its progress, what became of it."""
    project, batch = _batch(request, project_id, import_id)
    if request.method == "POST" or _wants_columns(batch):
        return _columns(request, project, batch)
    return page(request, "imports/one.html", project, "imports", _told(project, batch))


@require_GET
@login_required
def state(request: HttpRequest, project_id: int, import_id: int) -> HttpResponse:
    """How far an import is, polled by its page; at the end the page moves on by itself."""
    project, batch = _batch(request, project_id, import_id)
    if batch.state in UNDER_WAY and batch.job_id:
        context = _told(project, batch) | {"project": project}
        return render(request, "imports/state.html", context)
    is_first = not project.batches.exclude(pk=batch.pk).exists()
    if batch.state == BatchState.DONE and is_first and not batch.report.get("bad_rows"):
        return HttpResponseClientRedirect(reverse("label", args=[project.pk]))
    return HttpResponseClientRefresh()


@require_POST
@login_required
def decide(request: HttpRequest, project_id: int, import_id: int) -> HttpResponse:
    """Import the good rows of a file, or nothing of it."""
    project, batch = _batch(request, project_id, import_id)
    decision = request.POST.get("decision", "")
    if decision == "rest":
        importing.decide(batch, "rest", person(request))
        return redirect("import", project_id=project.pk, import_id=batch.pk)
    if decision != "discard":
        raise InvalidError("Decide for the rest or for nothing.", field="decision")
    importing.discard(batch)
    messages.success(request, f"Nothing of {batch.file_name} was imported. Upload the mended file.")
    return redirect("imports", project_id=project.pk)


@require_POST
@login_required
def undo(request: HttpRequest, project_id: int, import_id: int) -> HttpResponse:
    """Take an import back while nobody has answered an item of it."""
    project, batch = _batch(request, project_id, import_id)
    undoing.undo_import(batch, person(request))
    messages.success(request, f"{batch.file_name} is being taken back.")
    return redirect("import", project_id=project.pk, import_id=batch.pk)


def _batch(request: HttpRequest, project_id: int, import_id: int) -> tuple[Project, ImportBatch]:
    project = project_for(request, project_id, Can.MANAGE)
    rows = ImportBatch.objects.for_user(request.user).filter(project=project)
    batch = rows.select_related("project", "job").filter(pk=import_id).first()
    if batch is None:
        raise NotFoundError("There is no such import in this project.")
    return project, batch


def _wants_columns(batch: ImportBatch) -> bool:
    """True while nothing was begun, or what was begun has failed and may be begun otherwise."""
    is_new = batch.state == BatchState.WAITING and batch.job_id is None
    return is_new or batch.state == BatchState.FAILED


def _columns(request: HttpRequest, project: Project, batch: ImportBatch) -> HttpResponse:
    """Rows, columns and labels; a POST looks again or begins."""
    if not _wants_columns(batch):
        return redirect("import", project_id=project.pk, import_id=batch.pk)
    error: AnnotatorError | None = None
    choices = Choices.of_batch(batch)
    if request.method == "POST":
        try:
            choices = Choices.of_form(batch, request.POST)
            if request.POST.get("do") == "start":
                _start(request, batch, choices)
                return redirect("import", project_id=project.pk, import_id=batch.pk)
        except AnnotatorError as refusal:
            error = refusal
    context: dict[str, Any] = {
        "batch": batch,
        "choices": choices,
        "error": error,
        "is_first": not project.item_count,
        "refused": batch.report.get("refused", ""),
        "problems": batch.report.get("problems", [])[:SHOWN_PROBLEMS],
        "label_names": list(project.live_labels().values_list("name", flat=True)),
    }
    status = error.status if error else 200
    return page(request, "imports/columns.html", project, "imports", context, status=status)


def _start(request: HttpRequest, batch: ImportBatch, choices: Choices) -> None:
    options = importing.Options.from_json(choices.options)
    starting.begin(
        batch,
        choices.mapping,
        options,
        person(request),
        task_type=choices.task_type,
        labels=choices.typed_labels,
    )


def _told(project: Project, batch: ImportBatch) -> dict[str, Any]:
    """What the page of a begun import shows."""
    report, job = batch.report, batch.job
    duplicates = report.get("duplicates") or {}
    return {
        "batch": batch,
        "job": job,
        "under_way": batch.state in UNDER_WAY,
        "seconds_left": job.seconds_left if job is not None and not job.is_over else None,
        "report": report,
        "problems": report.get("problems", [])[:SHOWN_PROBLEMS],
        "unlisted": max(report.get("problem_count", 0) - SHOWN_PROBLEMS, 0),
        "labels": report.get("labels", []),
        "duplicates": duplicates,
        "duplicate_count": duplicates.get("in_file", 0) + duplicates.get("in_project", 0),
        "has_items": bool(project.item_count),
        **_difference(project, report.get("difference")),
    }


def _difference(project: Project, told: dict[str, Any] | None) -> dict[str, Any]:
    """Whether the items differ from those before them, once they were compared."""
    if told is None:
        return {}
    text = differing.sentence(project, told) if told["differs"] else ""
    return {"difference": told, "difference_text": text}
