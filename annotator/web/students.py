"""Students: versions and their figures, promote, fine-tune, try, download."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotator.actions.figures import advising
from annotator.actions.students import (
    choices,
    leaving,
    promoting,
    teaching,
    version_figures,
    warm_starts,
    warming,
)
from annotator.errors import AnnotatorError, InvalidError, NotFoundError, UnavailableError
from annotator.formats.zipping import zipped
from annotator.models import Can, ItemKind, Label, Project, Shape, StudentVersion
from annotator.web import besides, jobs, measures, promotions, sets
from annotator.web.charts import Bar, bars
from annotator.web.entrance import refuse
from annotator.web.pages import allowed, page, person, project_for
from annotator.web.training_form import TrainForm

PER_PAGE = 30
TOP = 8
# Words that are told, and the push (in log odds) from which on a word is marked at all.
TOLD, LEAST_PUSH = 6, 0.1


@require_GET
@login_required
def students(request: HttpRequest, project_id: int) -> HttpResponse:
    """The versions, latest first."""
    project = project_for(request, project_id, Can.SEE)
    return _listed(request, project, TrainForm(project=project))


def _listed(
    request: HttpRequest, project: Project, form: TrainForm, status: int = 200
) -> HttpResponse:
    every = StudentVersion.objects.filter(project=project).order_by("-number")
    versions = Paginator(every, PER_PAGE).get_page(request.GET.get("page"))
    current = project.current_student
    told = version_figures.headlines(project, [*versions, *([current] if current else [])])
    head, start = newest_head(project), warming.start_of(project)
    context = {
        "versions": versions,
        "rows": [(each, told[each.pk]) for each in versions],
        "current": current,
        "current_figure": current and told[current.pk],
        "figure_name": advising.name_of(project),
        "is_coming": measures.student_is_coming(project),
        "may_manage": allowed(project, Can.MANAGE),
        "form": form,
        "texts": project.item_kind != ItemKind.IMAGE and project.shape == Shape.LABELS,
        "paired": project.item_kind == ItemKind.PAIR,
        "besides": besides.others(project, head),
        "start": start,
        "start_told": besides.warm(head, start),
        "starts": warm_starts.suits(project),
        **promotions.context(project),
        **sets.context(project),
        **jobs.context_for(project, "students"),
    }
    return page(request, "students/students.html", project, "students", context, status)


def newest_head(project: Project) -> StudentVersion | None:
    """The head that was trained last."""
    heads = StudentVersion.objects.filter(project=project, kind__in=besides.KINDS).ready()
    return heads.order_by("-number").first()


def student_for(request: HttpRequest, project: Project, number: int, can: Can) -> StudentVersion:
    """A version by its number; 404 in another project."""
    rows = StudentVersion.objects.for_user(request.user, can).filter(project=project)
    found = rows.select_related("encoding").filter(number=number).first()
    if found is None:
        raise NotFoundError("There is no such student in this project.")
    return found


def number_of(text: str, meant: str = "a student's number", field: str = "number") -> int:
    """A student's number, or another one, from an address or a form."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidError(f"“{text[:40]}” is not {meant}.", field=field)
    return int(text)


@require_POST
@login_required
def promote(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Make a version the current one, forwards or back."""
    project = project_for(request, project_id, Can.MANAGE)
    promoting.promote(
        project, student_for(request, project, number, Can.MANAGE), by=person(request)
    )
    messages.success(
        request, f"Student {number} is the current one, and stays until you decide again."
    )
    return redirect("students", project_id=project.pk)


@require_POST
@login_required
def unpin(request: HttpRequest, project_id: int) -> HttpResponse:
    """Let newer students take over again."""
    project = project_for(request, project_id, Can.MANAGE)
    promoting.unpin(project)
    messages.success(request, "Newer students take over again, from the next one on.")
    return redirect("students", project_id=project.pk)


@require_POST
@login_required
def finetune(request: HttpRequest, project_id: int) -> HttpResponse:
    """Begin to train another student than the head."""
    project = project_for(request, project_id, Can.MANAGE)
    form = TrainForm(request.POST, project=project)
    if not form.is_valid():
        return _listed(request, project, form, 422)
    try:
        teaching.start_finetune(project, person(request), form.params(), form.cleaned_data["kind"])
    except AnnotatorError as error:
        refuse(form, error)
        return _listed(request, project, form, error.status)
    messages.success(
        request, "Training has begun; the student takes over only if it wins on the sample."
    )
    return redirect("students", project_id=project.pk)


@require_POST
@login_required
def attempt(request: HttpRequest, project_id: int) -> HttpResponse:
    """Ask a student about a typed text. A model that is starting is asked again by the page."""
    project = project_for(request, project_id, Can.SEE)
    text = _typed(project, request)
    context: dict[str, Any] = {"text": text, "project": project}
    try:
        context["bars"] = _bars(project, _word_on(project, text))
        context["draws_a_line"] = choices.draws_a_line(teaching.asked(project, None))
        context["explainable"] = len(text.split()) > 1
    except UnavailableError as error:
        context["waiting"] = error.detail
    except AnnotatorError as error:
        if not request.headers.get("HX-Request"):
            raise
        context["problem"] = error.detail  # the page shows only what is answered with 200
    if request.headers.get("HX-Request"):
        return render(request, "students/guess.html", context)
    return page(request, "students/guess_page.html", project, "students", context)


@require_POST
@login_required
def explain(request: HttpRequest, project_id: int) -> HttpResponse:
    """Which words of a typed text pushed the likeliest label."""
    project = project_for(request, project_id, Can.SEE)
    text = request.POST.get("text", "")
    context: dict[str, Any] = {"project": project, "text": text}
    try:
        if len(text) > teaching.LONGEST_TEXT:
            raise InvalidError(f"Type a text of 1 to {teaching.LONGEST_TEXT:,} characters.")
        context["evidence"] = _explained(project, teaching.evidence(project, text))
    except UnavailableError as error:
        context["waiting"] = error.detail
    except AnnotatorError as error:
        if not request.headers.get("HX-Request"):
            raise
        context["problem"] = error.detail
    if request.headers.get("HX-Request"):
        return render(request, "students/evidence.html", context)
    return page(request, "students/evidence_page.html", project, "students", context)


def _explained(project: Project, found: teaching.Evidence) -> dict[str, Any]:
    """The text with marks of three strengths, and the words that pushed most."""
    known = [(words, push) for words, push in found.parts if push is not None]
    most = max(*(abs(push) for _, push in known), LEAST_PUSH)
    ranked = sorted(known, key=lambda pair: -abs(pair[1]))
    return {
        "label": Label.objects.get(project=project, pk=found.label),
        "whole": found.whole,
        "parts": [
            (words, _strength(push, most), push is not None and push > 0)
            for words, push in found.parts
        ],
        "told": [pair for pair in ranked[:TOLD] if abs(pair[1]) >= LEAST_PUSH],
    }


def _strength(push: float | None, most: float) -> int:
    """0 none … 3 among the strongest."""
    if push is None or abs(push) < LEAST_PUSH:
        return 0
    return min(3, 1 + int(3 * abs(push) / most))


def _typed(project: Project, request: HttpRequest) -> str:
    """What was typed, of a pair both texts as one string."""
    text = request.POST.get("text", "")
    if project.item_kind != ItemKind.PAIR or "text_b" not in request.POST:
        return text
    if not text.strip() or not request.POST["text_b"].strip():
        return ""
    return teaching.pair_of(text, request.POST["text_b"])


def _word_on(project: Project, text: str) -> teaching.Guess:
    if not text.strip() or len(text) > teaching.LONGEST_TEXT:
        what = "both texts, of" if project.item_kind == ItemKind.PAIR else "a text of"
        raise InvalidError(f"Type {what} 1 to {teaching.LONGEST_TEXT:,} characters.")
    (guess,) = teaching.predict(project, [text])
    return guess


def _bars(project: Project, guess: teaching.Guess) -> list[tuple[Bar, float]]:
    labels = Label.objects.filter(project=project).in_bulk()
    shown = [(labels[pk], share) for pk, share in guess.labels[:TOP] if pk in labels]
    drawn = bars([(each.name, round(p * 1_000_000), each.colour % 12) for each, p in shown])
    return [(bar, share) for bar, (_, share) in zip(drawn, shown, strict=True)]


@require_GET
@login_required
def download(request: HttpRequest, project_id: int, number: int) -> StreamingHttpResponse:
    """The student as a folder that works elsewhere, as a zip."""
    project = project_for(request, project_id, Can.MANAGE)
    version = student_for(request, project, number, Can.MANAGE)
    members = leaving.members(version)
    response = StreamingHttpResponse(zipped(members), content_type="application/zip")
    name = f"{leaving.package_of(version)}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
