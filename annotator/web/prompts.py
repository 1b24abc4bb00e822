"""The prompt of a teacher: edited, seen as it is sent, compared version by version, restored."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.teachers import prompt_trials, prompts
from annotator.actions.teachers.prompt_versions import latest
from annotator.errors import AnnotatorError, InvalidError
from annotator.models import Can, Item, Teacher, TeacherPrompt
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for
from annotator.web.teachers import teacher_for

SHOWN = 50


class PromptForm(forms.Form):
    """What a language model is told beside labels, guidelines and rules."""

    instructions = forms.CharField(
        label="Instructions",
        max_length=20_000,
        required=False,
        help_text="The first paragraph; guidelines, labels if there are any, and rules follow. Empty: the usual one.",
        widget=forms.Textarea(attrs={"rows": 8}),
    )
    demonstrations = forms.IntegerField(
        label="Solved examples in a prompt",
        min_value=0,
        max_value=50,
        help_text="Items that people decided, the likest to those asked about, of different labels.",
    )
    candidates = forms.IntegerField(
        label="Labels offered for an item",
        min_value=0,
        max_value=1_000,
        help_text="0 offers all. With many labels the likely ones are cheaper; a run says how often "
        "the right one was among them.",
    )
    confidence = forms.BooleanField(label="Ask how sure it is", required=False)
    reason = forms.BooleanField(label="Ask for a short reason, before the answer", required=False)


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def prompt(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """The editor, the prompt as it is sent, and all versions; a POST makes the next one."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    prompts.require_prompt(found)
    kept = {name: found.params.get(name) for name in PromptForm.base_fields}
    form = PromptForm(request.POST or None, initial=kept)
    for name in prompts.idle_settings(found):
        del form.fields[name]
    if request.method == "POST" and form.is_valid():
        try:
            made = prompts.change(found, person(request), **form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"Version {made.version} is told from now on.")
            return redirect("teacher_prompt", project_id=project.pk, teacher_id=found.pk)
    context = {
        "teacher": found,
        "form": form,
        "compared": prompt_trials.latest(found),
        **_versions(request, found),
        **_written(found, request.GET.get("item", "")),
    }
    status = 422 if form.errors else 200
    return page(request, "teachers/prompt.html", project, "annotators", context, status)


def _versions(request: HttpRequest, found: Teacher) -> dict[str, Any]:
    """All versions, and one of them beside the one before it or another one chosen."""
    rows = list(
        TeacherPrompt.objects.filter(teacher=found)
        .select_related("created_by")
        .order_by("-version")[:SHOWN]
    )
    by_number = {str(row.version): row for row in rows}
    shown = by_number.get(request.GET.get("version", ""), rows[0] if rows else None)
    if shown is None:
        return {"versions": []}
    before = by_number.get(request.GET.get("against", str(shown.version - 1)))
    return {
        "versions": rows,
        "current": latest(found),
        "shown": shown,
        "before": before,
        "difference": prompts.difference(before, shown),
    }


def _written(found: Teacher, item: str) -> dict[str, Any]:
    """The prompt about an item, the pool's first if none is named, or why it cannot be shown."""
    told: dict[str, Any] = {"item": item[:9]}
    try:
        told["usual"] = prompts.usual_instructions(found)
        number = _number(found, item)
        if number is None:
            return told | {"unwritten": "The project has no items yet."}
        return told | {"item": number, "written": prompts.written(found, number)}
    except AnnotatorError as refusal:
        return told | {"unwritten": refusal.detail}


def _number(found: Teacher, item: str) -> int | None:
    if item:
        if not (item.isascii() and item.isdigit() and len(item) <= 9):
            raise InvalidError("Name an item by its number.", field="item")
        return int(item)
    rows = Item.objects.filter(project=found.project_id).present().order_by("number")
    return rows.values_list("number", flat=True).first()


@require_POST
@login_required
def restore(request: HttpRequest, project_id: int, teacher_id: int, version: int) -> HttpResponse:
    """Tell an earlier version again."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    made = prompts.restore(found, version, person(request))
    messages.success(request, f"Version {made.version} tells what version {version} told.")
    return redirect("teacher_prompt", project_id=project.pk, teacher_id=found.pk)


@require_POST
@login_required
def compare(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Put versions to the same items in the background."""
    project = project_for(request, project_id, Can.MANAGE)
    found = teacher_for(request, project, teacher_id)
    chosen = [int(each) for each in request.POST.getlist("versions") if each.isdecimal()]
    try:
        run = prompt_trials.start(found, chosen, person(request))
    except AnnotatorError as refusal:
        messages.warning(request, refusal.detail)
        return redirect("teacher_prompt", project_id=project.pk, teacher_id=found.pk)
    return redirect("teacher_run", project_id=project.pk, run_id=run.pk)
