"""Exports: make a snapshot, follow it, read its manifest, take it away."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_http_methods

from annotator.actions.exports import export_options, exporting
from annotator.errors import AnnotatorError, NotFoundError
from annotator.formats import WRITERS
from annotator.models import Can, ItemKind, Project, Snapshot, SnapshotState
from annotator.web import jobs
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for

PER_PAGE = 20


# What each format is for.
PURPOSES = {
    "jsonl": "everything as it is, one item a line",
    "csv": "for a spreadsheet",
    "parquet": "everything, small and typed",
    "label-studio": "tasks with annotations",
    "doccano": "for its import, or scripts that read it",
    "prodigy": "tasks for db-in",
    "argilla": "for records.from_json",
    "spacy": "offsets and categories, one text a line",
    "docbin": "for spacy train",
    "conll": "a token a line, for taggers",
    "tokens": "tokens and tags, one text a line",
    "huggingface": "for load_dataset, labels as classes",
    "coco": "boxes in pixels, for detectors",
    "yolo": "a text for each image, for Ultralytics",
}


class SnapshotForm(forms.Form):
    """What a snapshot holds."""

    format = forms.ChoiceField(
        label="Format",
        widget=forms.RadioSelect,
        initial="jsonl",
        help_text="Formats of other tools hold the verdicts alone. Only those are listed that have a place "
        "for this project’s items and answers.",
    )
    contents = forms.MultipleChoiceField(
        label="Contents",
        choices=[
            ("verdicts", "Verdicts: one row per item, with its label"),
            ("annotations", "Annotations: one row per answer, every voice"),
        ],
        widget=forms.CheckboxSelectMultiple,
        initial=["verdicts"],
    )
    only_decided = forms.BooleanField(
        label="Only decided items",
        required=False,
        initial=True,
        help_text="Leaves out items without a label and ties.",
    )
    soft = forms.BooleanField(
        label="Soft labels", required=False, initial=True, help_text="Each label's share of votes."
    )
    streams = forms.BooleanField(
        label="Streams",
        required=False,
        initial=True,
        help_text="Why each item was shown, and which audit part it is in: what you need to "
        "evaluate honestly elsewhere.",
    )
    images = forms.BooleanField(label="The images themselves", required=False)
    formula_safe = forms.BooleanField(
        label="Safe for spreadsheets",
        required=False,
        initial=True,
        help_text="CSV only: a cell that a spreadsheet would run as a formula gets an apostrophe.",
    )
    train = forms.FloatField(label="Train", required=False, min_value=0, max_value=100)
    validation = forms.FloatField(label="Validation", required=False, min_value=0, max_value=100)
    test = forms.FloatField(label="Test", required=False, min_value=0, max_value=100)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer what fits the project: formats with a place for its answers, images if it has some."""
        super().__init__(*args, **kwargs)
        format: Any = self.fields["format"]
        format.choices = export_options.formats_for(project)
        if project.item_kind != ItemKind.IMAGE:
            del self.fields["images"]

    def clean(self) -> dict[str, Any]:
        """Splits are left empty, or make a whole."""
        cleaned = super().clean() or {}
        total = sum(cleaned.get(name) or 0 for name in export_options.SPLITS)
        if total and abs(total - 100) > 1e-6:
            self.add_error("train", f"The splits add up to {total:g} %, not to 100 %.")
        return cleaned

    def formats(self) -> list[tuple[Any, str]]:
        """The formats to choose from, each with what it is for."""
        names = (name for name, _ in self.fields["format"].choices)  # type: ignore[attr-defined]
        return [(each, PURPOSES[name]) for each, name in zip(self["format"], names, strict=True)]

    def splits(self) -> list[forms.BoundField]:
        """The three fields of the splits."""
        return [self[name] for name in export_options.SPLITS]

    def options(self) -> export_options.Options:
        """The choices as the action knows them."""
        data = dict(self.cleaned_data)
        shares = {name: data.pop(name) for name in export_options.SPLITS}
        splits = {name: share / 100 for name, share in shares.items() if share}
        return export_options.Options.from_json({**data, "splits": splits})


@require_http_methods(["GET", "POST"])
@login_required
def exports(request: HttpRequest, project_id: int) -> HttpResponse:
    """The snapshots, latest first; a POST makes one."""
    project = project_for(request, project_id, Can.MANAGE)
    form = SnapshotForm(request.POST or None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            exporting.create_snapshot(project, form.options(), person(request))
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, "The snapshot is being written. This page shows how far.")
            return redirect("exports", project_id=project.pk)
    rows = Snapshot.objects.filter(project=project).select_related("created_by").order_by("-pk")
    snapshots = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "form": form,
        "snapshots": snapshots,
        "is_writing": any(each.state == SnapshotState.WRITING for each in snapshots),
        "listed": [(each, WRITERS.entry(each.options["format"]).label) for each in snapshots],
        **jobs.context_for(project, "exports"),
    }
    status = 422 if form.errors else 200
    return page(request, "exports/exports.html", project, "exports", context, status)


def snapshot_for(request: HttpRequest, project: Project, snapshot_id: int) -> Snapshot:
    found = Snapshot.objects.for_user(request.user, Can.MANAGE).filter(
        project=project, pk=snapshot_id
    )
    snapshot = found.select_related("created_by").first()
    if snapshot is None:
        raise NotFoundError("There is no such snapshot in this project.")
    return snapshot


@require_GET
@login_required
def snapshot(request: HttpRequest, project_id: int, snapshot_id: int) -> HttpResponse:
    """One snapshot with its manifest."""
    project = project_for(request, project_id, Can.MANAGE)
    found = snapshot_for(request, project, snapshot_id)
    manifest = {name: value for name, value in found.manifest.items() if name != "frozen"}
    context = {
        "snapshot": found,
        "files": found.manifest.get("files", []),
        # As lists, for a template takes `items` of a dictionary for its entry of that name.
        "counts": [
            (title, list(values.items()))
            for title, values in found.manifest.get("counts", {}).items()
        ],
        "manifest": json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True),
    }
    return page(request, "exports/snapshot.html", project, "exports", context)


@require_GET
@login_required
def download(request: HttpRequest, project_id: int, snapshot_id: int) -> FileResponse:
    """The file; the same bytes each time."""
    project = project_for(request, project_id, Can.MANAGE)
    found = snapshot_for(request, project, snapshot_id)
    path = exporting.path_of(found)
    response = FileResponse(
        path.open("rb"), as_attachment=True, filename=exporting.download_name(found)
    )
    response["ETag"] = f'"{found.sha256}"'
    return response
