"""Encoders of a project: which one serves, how others do on its labels, and changing it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotator.actions.encoders import bakeoffs, switching
from annotator.actions.encoders.encoding import current_encoding
from annotator.actions.students import recipes
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import BakeOff, Can, ItemKind, Project, StudentVersion
from annotator.web import jobs
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for

# The strategy that labels what chance draws.
RANDOM = "random"


class CandidatesForm(forms.Form):
    """Which encoders to compare with the one in use."""

    encoders = forms.MultipleChoiceField(
        label="Compare with", widget=forms.CheckboxSelectMultiple, choices=(), required=False
    )
    name = forms.CharField(
        label="Another model of a hub",
        max_length=200,
        required=False,
        help_text="owner/name, such as intfloat/e5-small-v2.",
    )
    revision = forms.CharField(
        label="Its commit",
        max_length=40,
        required=False,
        help_text="40 hexadecimal digits: everybody gets the same vectors.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer what is installed, but for the one in use, which is always compared."""
        super().__init__(*args, **kwargs)
        self.project = project
        own = bakeoffs.candidate(project.encoder, project.encoder_params)
        self.offered = [each for each in bakeoffs.installed(project) if each != own]
        fields: Any = self.fields
        fields["encoders"].choices = [(str(i), each.label) for i, each in enumerate(self.offered)]
        fields["encoders"].initial = [str(i) for i in range(len(self.offered))]

    def candidates(self) -> list[bakeoffs.Candidate]:
        """The choices as the action knows them."""
        chosen = [self.offered[int(place)] for place in self.cleaned_data["encoders"]]
        if name := self.cleaned_data["name"].strip():
            image = self.project.item_kind == ItemKind.IMAGE
            params = {"name": name, "revision": self.cleaned_data["revision"].strip()}
            kind = "vision" if image else "sentence-transformers"
            chosen.append(bakeoffs.candidate(kind, params))
        return chosen


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def encoder(request: HttpRequest, project_id: int) -> HttpResponse:
    """The encoder in use and the last comparison; a POST begins another."""
    project = project_for(request, project_id, Can.MANAGE)
    form = CandidatesForm(request.POST if request.method == "POST" else None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            bakeoffs.create(project, form.candidates(), person(request))
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return redirect("encoder", project_id=project.pk)
    context = {"form": form, "tab": "encoder", **_ranking(project)}
    status = 422 if form.errors else 200
    return page(request, "encoders/encoder.html", project, "settings", context, status)


@require_GET
@never_cache
@login_required
def ranking(request: HttpRequest, project_id: int) -> HttpResponse:
    """The encoder in use and the ranking again, polled while there is work."""
    project = project_for(request, project_id, Can.MANAGE)
    return render(request, "encoders/ranking.html", {"project": project, **_ranking(project)})


@require_POST
@login_required
def use(request: HttpRequest, project_id: int, bakeoff_id: int) -> HttpResponse:
    """Begin to change to an encoder of a comparison."""
    project = project_for(request, project_id, Can.MANAGE)
    rows = BakeOff.objects.for_user(request.user).filter(project=project)
    found = rows.select_related("project").filter(pk=bakeoff_id).first()
    if found is None:
        raise NotFoundError("There is no such comparison in this project.")
    bakeoffs.use(found, _number(request.POST.get("number", "")), person(request))
    messages.success(
        request, "Every item is being encoded anew. The present encoder serves until then."
    )
    return redirect("encoder", project_id=project.pk)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 3:
        raise InvalidError("Name an encoder of the comparison by its number.", field="number")
    return int(text)


def reads(project: Project, version: StudentVersion) -> str:
    """What a version reads, and its vectors by which encoder; "" where nobody knows that any more."""
    if recipes.reads_items(version.kind):
        return "images" if project.item_kind == ItemKind.IMAGE else "texts"
    read = recipes.encoder_of(version)
    return f"vectors by {bakeoffs.candidate(*read).label}" if read else ""


def beside(project: Project, version: StudentVersion) -> str:
    """The encoder whose vectors a version reads, where the project uses another one now."""
    read = recipes.encoder_of(version)
    if read is None or read == (project.encoder, project.encoder_params):
        return ""
    return bakeoffs.candidate(*read).label


def _ranking(project: Project) -> dict[str, Any]:
    rows = BakeOff.objects.filter(project=project).select_related("job", "created_by", "project")
    last = rows.order_by("-pk").first()
    found = bakeoffs.standings(last) if last is not None else []
    changing = switching.under_way(project)
    former = recipes.former_encoder(project)
    return {
        "own": bakeoffs.candidate(project.encoder, project.encoder_params),
        "former": former and bakeoffs.candidate(*former),
        "encoding": current_encoding(project),
        "bakeoff": last,
        "standings": found,
        "measure": bakeoffs.measure_of(project),
        "chosen": project.strategy != RANDOM,
        "said": bakeoffs.in_words(found),
        "changing": changing,
        "live": changing is not None or (last is not None and last.is_live),
        **jobs.context_for(project, "encoders"),
    }
