"""A student's word on a typed text, and which of its words speak for it; or on an image that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from annotator.actions.students import choices, looked_at, teaching
from annotator.errors import AnnotatorError, InvalidError, UnavailableError
from annotator.formats import LIMITS
from annotator.models import Can, ItemKind, Label, Project, StudentVersion
from annotator.web import marks
from annotator.web.charts import Bar, bars
from annotator.web.pages import page, project_for
from annotator.web.students import number_of, student_for

if TYPE_CHECKING:
    from annotator.formats.images import CleanImage

TOP = 8
# Marks that are listed below the text.
MARKS = 50
# Words that are told, and the push (in log odds) from which on a word is marked at all.
TOLD, LEAST_PUSH = 6, 0.1


@require_POST
@login_required
def attempt(request: HttpRequest, project_id: int) -> HttpResponse:
    """Ask a student about a typed text or an image. A model that is starting or busy is asked again by the page."""
    project = project_for(request, project_id, Can.SEE)
    text, version = _typed(project, request), _asked(request, project)
    context: dict[str, Any] = {"text": text, "project": project, "version": version}
    context["shown"] = getattr(request.FILES.get("image"), "name", "")
    try:
        guess = _word_on(project, request, text, version)
        if guess.marks is None:
            context["bars"] = _bars(project, guess)
            context["draws_a_line"] = choices.draws_a_line(teaching.asked(project, version))
            context["explainable"] = len(text.split()) > 1
        else:
            context |= _marked(project, text, guess.marks)
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
    text, version = request.POST.get("text", ""), _asked(request, project)
    context: dict[str, Any] = {"project": project, "text": text, "version": version}
    try:
        if len(text) > teaching.LONGEST_TEXT:
            raise InvalidError(f"Type a text of 1 to {teaching.LONGEST_TEXT:,} characters.")
        context["evidence"] = _explained(project, teaching.evidence(project, text, version))
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
    """What was typed, of a pair both texts as one string; forms send two characters for a line break."""
    text, text_b = (request.POST.get(name, "").replace("\r\n", "\n") for name in ("text", "text_b"))
    if project.item_kind != ItemKind.PAIR or "text_b" not in request.POST:
        return text
    if not text.strip() or not text_b.strip():
        return ""
    return teaching.pair_of(text, text_b)


def _asked(request: HttpRequest, project: Project) -> StudentVersion | None:
    """The version that the form names; none: the current one."""
    named = request.POST.get("number", "")
    return (
        student_for(request, project, number_of(named), Can.SEE)
        if named
        else project.current_student
    )


def _word_on(
    project: Project, request: HttpRequest, text: str, version: StudentVersion | None
) -> teaching.Guess:
    if project.item_kind == ItemKind.IMAGE:
        (guess,) = teaching.predict(project, _shown(project, request, version), version)
        return guess
    if not text.strip() or len(text) > teaching.LONGEST_TEXT:
        what = "both texts, of" if project.item_kind == ItemKind.PAIR else "a text of"
        raise InvalidError(f"Type {what} 1 to {teaching.LONGEST_TEXT:,} characters.")
    (guess,) = teaching.predict(project, [text], version)
    return guess


def _shown(
    project: Project, request: HttpRequest, version: StudentVersion | None
) -> list[CleanImage]:
    """The image that was chosen, as a list of it."""
    teaching.asked(project, version)  # before work is put into it
    file = request.FILES.get("image")
    if not isinstance(file, UploadedFile):
        raise InvalidError("Choose an image.", field="image")
    data = file.read(LIMITS.image_bytes + 1)
    return looked_at.shown([data], [file.name or "The image"], "image")


def _marked(project: Project, text: str, said: Sequence[teaching.Mark]) -> dict[str, Any]:
    """The text with its marks, and the first of them with how sure the student is."""
    value = {"spans": [asdict(mark) for mark in said]}
    parts = marks.parts_of(value, text, Label.objects.filter(project=project).in_bulk())
    return {
        "marks": [
            (part, mark.probability) for part, mark in zip(parts, said[:MARKS], strict=False)
        ],
        "more_marks": max(len(said) - MARKS, 0),
        "marked": marks.marked(text, parts),
    }


def _bars(project: Project, guess: teaching.Guess) -> list[tuple[Bar, float]]:
    labels = Label.objects.filter(project=project).in_bulk()
    shown = [(labels[pk], share) for pk, share in guess.labels[:TOP] if pk in labels]
    drawn = bars([(each.name, round(p * 1_000_000), each.colour % 12) for each, p in shown])
    return [(bar, share) for bar, (_, share) in zip(drawn, shown, strict=True)]
