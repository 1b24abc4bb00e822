"""Label a whole file: choose it, follow the work, take the labelled one away."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from annotator.actions.students import predictions, teaching
from annotator.errors import AnnotatorError, NotFoundError
from annotator.formats import WRITERS
from annotator.models import Can, ItemKind, PredictedFile, Project, Shape, StudentVersion
from annotator.web import jobs
from annotator.web.entrance import refuse
from annotator.web.imports import ACCEPTED
from annotator.web.pages import page, person, project_for

PER_PAGE = 20
OFFERED = 30
OF_IMAGES = "A zip of PNG, JPEG, WebP or GIF. Nothing of it is imported."
SOFT_OF_SPANS = "One more column: how likely each is marked in the text."
WRITTEN = [(name, WRITERS.entry(name).label) for name in predictions.WRITTEN]


class FileForm(forms.Form):
    """A file, and who labels it."""

    file = forms.FileField(
        label="File",
        help_text="CSV, TSV, Excel, JSON, JSONL or Parquet. Nothing of it is imported.",
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
    )
    text = forms.CharField(
        label="Column with the text", max_length=200, required=False, help_text="Empty: guessed."
    )
    text_b = forms.CharField(
        label="Column with the second text",
        max_length=200,
        required=False,
        help_text="Empty: guessed.",
    )
    student = forms.ChoiceField(label="Student", choices=())
    format = forms.ChoiceField(
        label="Written as", choices=WRITTEN, widget=forms.RadioSelect, initial="csv"
    )
    soft = forms.BooleanField(
        label="Every label’s probability",
        required=False,
        help_text="One more column; without it the label and its probability.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer the versions whose files are there, the current one first."""
        super().__init__(*args, **kwargs)
        if project.item_kind != ItemKind.PAIR:
            del self.fields["text_b"]
        if project.item_kind == ItemKind.IMAGE:
            del self.fields["text"]
            self.fields["file"].help_text = OF_IMAGES
            self.fields["file"].widget.attrs["accept"] = ".zip"
        if project.shape == Shape.SPANS:
            self.fields["soft"].help_text = SOFT_OF_SPANS
        ready = StudentVersion.objects.filter(project=project).ready().exclude(folder="")
        fields: Any = self.fields
        fields["student"].choices = [
            (each.number, f"{each.number} {each.kind}{_mark(project, each)}")
            for each in sorted(
                ready.order_by("-number")[:OFFERED],
                key=lambda each: (each.pk != project.current_student_id, -each.number),
            )
        ]

    def wish(self) -> predictions.Wish:
        """The choices as the action knows them."""
        data = self.cleaned_data
        return predictions.Wish.from_json(
            {name: value for name, value in data.items() if name not in ("file", "student")}
        )


def _mark(project: Project, version: StudentVersion) -> str:
    return " (current)" if version.pk == project.current_student_id else ""


@require_http_methods(["GET", "POST"])
@login_required
def files(request: HttpRequest, project_id: int) -> HttpResponse:
    """The labelled files, latest first, polled while there is work; a POST begins one."""
    project = project_for(request, project_id, Can.MANAGE)
    if told := teaching.why_silent(project):
        raise NotFoundError(told)
    form = FileForm(request.POST or None, request.FILES or None, project=project)
    if request.method == "POST" and form.is_valid():
        chosen, file = form.cleaned_data["student"], form.cleaned_data["file"]
        version = StudentVersion.objects.for_user(request.user, Can.MANAGE).get(
            project=project, number=chosen
        )
        try:
            predictions.create(
                project, file, form.wish(), person(request), name=file.name, version=version
            )
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, "The file is being labelled. This page shows how far.")
            return redirect("predictions", project_id=project.pk)
    rows = PredictedFile.objects.filter(project=project).select_related("created_by", "student")
    context = {
        "form": form,
        "files": Paginator(rows.order_by("-pk"), PER_PAGE).get_page(request.GET.get("page")),
        "live": PredictedFile.objects.live().filter(project=project).exists(),
        "kept_days": predictions.KEPT_DAYS,
        "has_student": bool(form["student"].field.choices),  # type: ignore[attr-defined]
        **jobs.context_for(project, "predictions"),
    }
    if request.method == "GET" and request.headers.get("HX-Request"):
        return render(request, "students/file_list.html", {"project": project, **context})
    status = 422 if form.errors else 200
    return page(request, "students/files.html", project, "students", context, status)


@require_GET
@login_required
def download(request: HttpRequest, project_id: int, prediction_id: int) -> FileResponse:
    """The labelled file."""
    project = project_for(request, project_id, Can.MANAGE)
    rows = PredictedFile.objects.for_user(request.user).filter(project=project)
    found = rows.filter(pk=prediction_id).first()
    if found is None:
        raise NotFoundError("There is no such labelled file in this project.")
    response = FileResponse(
        predictions.path_of(found).open("rb"),
        as_attachment=True,
        filename=predictions.download_name(found),
        content_type="application/octet-stream",
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response
