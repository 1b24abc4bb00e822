"""The label schema: add, rename, describe, order, archive, restore; no answer is ever lost."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.projects import codebook, finding, schema
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import Can, Label, Project
from annotator.web import measures
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for

LONGEST_PASTE = 500_000


class LabelForm(forms.Form):
    """One label as people see it."""

    name = forms.CharField(label="Name", max_length=200)
    description = forms.CharField(
        label="Description",
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="When this label fits, in a sentence; shown beside the answer.",
    )
    means_else = forms.BooleanField(label="What it means has changed", required=False)
    hotkey = forms.CharField(
        label="Key",
        max_length=1,
        required=False,
        help_text="The key that answers this label. Empty: a free one.",
    )
    colour = forms.TypedChoiceField(
        label="Colour",
        coerce=int,
        choices=[(number, f"Colour {number + 1}") for number in range(schema.COLOURS)],
        widget=forms.RadioSelect,
    )


@require_http_methods(["GET", "POST"])
@login_required
def labels(request: HttpRequest, project_id: int) -> HttpResponse:
    """The schema in order, archived labels below; a POST adds one or many, a line each."""
    project = project_for(request, project_id, Can.MANAGE)
    problem = ""
    if request.method == "POST":
        try:
            added = _add(request, project)
        except AnnotatorError as error:
            problem = error.detail
        else:
            messages.success(request, f"{len(added)} label{'s' if len(added) > 1 else ''} added.")
            return redirect("labels", project_id=project.pk)
    typed = request.GET.get("q", "").strip()
    archived = project.labels.exclude(archived_at=None).order_by("-archived_at", "pk")
    context = {
        "live": _some(project, request.GET.get("page"), typed),
        "count": project.live_labels().count(),
        "searches_labels": finding.is_wide(project),
        "query": typed,
        "archived": Paginator(archived, finding.LISTED_AT_MOST).get_page(
            request.GET.get("archived")
        ),
        "used": measures.uses(project),
        "sides": {pk for each in schema.sides_of(project) for pk in each},
        "problem": problem,
        "typed": request.POST.get("names", ""),
        "tab": "labels",
    }
    status = 422 if problem else 200
    return page(request, "settings/labels.html", project, "settings", context, status)


def _some(project: Project, number: str | None, typed: str) -> Page[Label]:
    """The labels that fit what is typed, or one page of all of them in their order."""
    labels = project.live_labels().select_related("parent", "form_question")
    if typed:
        found = finding.find_labels(project, typed, finding.LISTED_AT_MOST)
        return Paginator(found, finding.LISTED_AT_MOST).get_page(1)
    if project.task.nested and not finding.is_wide(project):
        tree = sorted(labels, key=lambda each: each.name.casefold().split(Label.BELOW))
        return Paginator(tree, finding.LISTED_AT_MOST).get_page(1)
    return Paginator(labels, finding.LISTED_AT_MOST).get_page(number)


def _add(request: HttpRequest, project: Project) -> list[Label]:
    """Add a label per line: “name”, or “name: description”."""
    text = request.POST.get("names", "")
    if len(text) > LONGEST_PASTE:
        raise InvalidError("That is too much at once.", field="names")
    entries = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        name, _, description = line.partition(": ")
        entries.append((name, "", description, ""))
    if not entries:
        raise InvalidError("Type a name, or several, one per line.", field="names")
    return schema.add_labels(project, entries, parent=_parent(request, project))


def _parent(request: HttpRequest, project: Project) -> Label | None:
    given = request.POST.get("parent", "")
    return label_for(request, project, int(given)) if given.isdecimal() else None


def label_for(request: HttpRequest, project: Project, label_id: int) -> Label:
    found = Label.objects.for_user(request.user, Can.MANAGE).filter(project=project, pk=label_id)
    label = found.first()
    if label is None:
        raise NotFoundError("There is no such label in this project.")
    return label


@require_http_methods(["GET", "POST"])
@login_required
def label(request: HttpRequest, project_id: int, label_id: int) -> HttpResponse:
    """Change one label."""
    project = project_for(request, project_id, Can.MANAGE)
    found = label_for(request, project, label_id)
    names = ("name", "description", "hotkey", "colour")
    initial = {name: getattr(found, name) for name in names}
    if found.branch:
        initial["name"] = found.part
    form = LabelForm(request.POST or None, initial=initial)
    has_it = codebook.with_label(found)
    if has_it:
        form.fields["means_else"].help_text = _second_look(has_it, nested=project.task.nested)
    else:
        del form.fields["means_else"]
    if request.method == "POST" and form.is_valid():
        try:
            schema.change_label(found, by=person(request), **form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            second = (
                " Items that have it wait in Review." if form.cleaned_data.get("means_else") else ""
            )
            messages.success(request, f"“{found.name}” is saved.{second}")
            return redirect("labels", project_id=project.pk)
    context: dict[str, Any] = {"form": form, "label": found, "has_it": has_it, "tab": "labels"}
    status = 422 if form.errors else 200
    return page(request, "settings/label.html", project, "settings", context, status)


def _second_look(has_it: int, *, nested: bool) -> str:
    it = "it, or a label below it," if nested else "it"
    items = f"1 item that has {it} goes" if has_it == 1 else f"{has_it:,} items that have {it} go"
    return f"Not for a clearer wording of the same. {items} to Review, with the difference."


@require_POST
@login_required
def move(request: HttpRequest, project_id: int, label_id: int) -> HttpResponse:
    """Move a label one place up or down."""
    project = project_for(request, project_id, Can.MANAGE)
    found = label_for(request, project, label_id)
    if found.archived_at is not None:
        raise NotFoundError("An archived label has no place in the order.")
    direction = request.POST.get("to", "")
    if direction in {"up", "down"}:
        schema.move_label(found, up=direction == "up")
    before = project.live_labels().filter(position__lt=found.position).count()
    number = before // finding.LISTED_AT_MOST + 1
    at = f"?page={number}" if number > 1 else ""
    return redirect(f"{reverse('labels', args=[project.pk])}{at}#{direction}-{found.pk}")


@require_POST
@login_required
def archive(request: HttpRequest, project_id: int, label_id: int) -> HttpResponse:
    """Take a label off the screen."""
    project = project_for(request, project_id, Can.MANAGE)
    found = label_for(request, project, label_id)
    schema.archive_label(found)
    messages.success(request, f"“{found.name}” is archived. Its answers stay.")
    return redirect("labels", project_id=project.pk)


@require_POST
@login_required
def restore(request: HttpRequest, project_id: int, label_id: int) -> HttpResponse:
    """Put an archived label back."""
    project = project_for(request, project_id, Can.MANAGE)
    found = label_for(request, project, label_id)
    schema.restore_label(found)
    messages.success(request, f"“{found.name}” is back, at the end of the list.")
    return redirect("labels", project_id=project.pk)
