"""Questions of a form: their answers, and after which answers one is asked."""

from __future__ import annotations

from typing import Any, TypedDict

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.projects import form_questions as actions
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import Can, FormQuestion, ItemKind, Project
from annotator.web.pages import page, project_for

LONGEST_PASTE = 50_000
KINDS = {
    "single": "one answer",
    "rating": "one grade, the lowest first",
    "multi": "any number of answers",
    "preference": "which of the two texts is better",
    "spans": "spans of the text, each with an answer",
    "text": "a text that is written",
}


@require_http_methods(["GET", "POST"])
@login_required
def questions(request: HttpRequest, project_id: int) -> HttpResponse:
    """The questions in their order; a POST adds one with its answers."""
    project = project_for(request, project_id, Can.MANAGE)
    problem = ""
    if request.method == "POST":
        try:
            added = actions.add_question(
                project,
                request.POST.get("name", ""),
                kind=request.POST.get("kind", "single"),
                labels=_answers(request.POST),
                only_if=_numbers(request.POST.getlist("only_if")),
                **_writing(request.POST),
            )
        except AnnotatorError as error:
            problem = error.detail
        else:
            messages.success(request, f"“{added.name}” is asked.")
            return redirect(f"{reverse('form_questions', args=[project.pk])}#question-{added.pk}")
    answered = actions.is_answered(project)
    run = None if answered else actions.run_under_way(project)
    context = {
        "rows": rows_of(project),
        "asks": project.has_questions,
        "fixed": answered or run is not None or not project.has_questions,
        "run": run,
        "kinds": [(kind, words) for kind, words in KINDS.items() if actions.fits(project, kind)],
        "without_choices": actions.WITHOUT_CHOICES,
        "problem": problem,
        "typed": request.POST,
        "has_pairs": project.item_kind == ItemKind.PAIR,
        "tab": "questions",
    }
    status = 422 if problem else 200
    return page(request, "settings/questions.html", project, "settings", context, status)


def rows_of(project: Project) -> list[dict[str, Any]]:
    """Each question with its live labels, its condition in words, and what it may wait for."""
    found: list[dict[str, Any]] = []
    labels = {label.pk: label for label in project.labels.select_related("form_question")}
    for one in FormQuestion.objects.filter(project=project):
        own = list(project.live_labels().filter(form_question=one))
        waits = [labels[pk] for pk in one.only_if if pk in labels]
        found.append(
            {
                "question": one,
                "kind": KINDS[one.kind],
                "labels": own,
                "waits": waits,
                "after": waits[0].form_question if waits else None,
                "earlier": [row for row in found if row["labels"]],
            }
        )
    return found


@require_POST
@login_required
def change(request: HttpRequest, project_id: int, question_id: int) -> HttpResponse:
    """Rename a question, ask it otherwise, or give it more answers."""
    project = project_for(request, project_id, Can.MANAGE)
    question = _question(request, project, question_id)
    # A page of questions that stay as they are asks for the name and more answers alone.
    whole = "kind" in request.POST
    question = actions.change_question(
        question,
        name=request.POST.get("name", ""),
        kind=request.POST.get("kind"),
        only_if=_numbers(request.POST.getlist("only_if")) if whole else None,
        **(_writing(request.POST) if whole else _Writing()),
    )
    actions.add_answers(question, _answers(request.POST))
    messages.success(request, f"“{question.name}” is saved.")
    return redirect(f"{reverse('form_questions', args=[project.pk])}#question-{question.pk}")


@require_POST
@login_required
def move(request: HttpRequest, project_id: int, question_id: int) -> HttpResponse:
    """Ask a question one place earlier or later."""
    project = project_for(request, project_id, Can.MANAGE)
    question = _question(request, project, question_id)
    direction = request.POST.get("to", "")
    if direction not in {"up", "down"}:
        raise InvalidError("A question moves up or down.", field="to")
    actions.move_question(question, up=direction == "up")
    address = reverse("form_questions", args=[project.pk])
    return redirect(f"{address}#{direction}-{question.pk}")


@require_POST
@login_required
def remove(request: HttpRequest, project_id: int, question_id: int) -> HttpResponse:
    """Take a question away that nobody has answered."""
    project = project_for(request, project_id, Can.MANAGE)
    question = _question(request, project, question_id)
    actions.remove_question(question)
    messages.success(request, f"“{question.name}” is gone, with its answers.")
    return redirect("form_questions", project_id=project.pk)


def _question(request: HttpRequest, project: Project, question_id: int) -> FormQuestion:
    found = FormQuestion.objects.for_user(request.user, Can.MANAGE).filter(project=project)
    question = found.filter(pk=question_id).first()
    if question is None:
        raise NotFoundError("There is no such question in this project.")
    return question


class _Writing(TypedDict, total=False):
    optional: bool
    edits: bool


def _writing(form: QueryDict) -> _Writing:
    """What is chosen for a text; of another kind of question it says nothing."""
    writes = form.get("kind") == FormQuestion.WRITTEN
    return {
        "optional": writes and form.get("optional") == "1",
        "edits": writes and form.get("edits") == "1",
    }


def _answers(form: QueryDict) -> list[tuple[str, str]]:
    """An answer per line: “name”, or “name: description”."""
    text = form.get("answers", "")
    if len(text) > LONGEST_PASTE:
        raise InvalidError("That is too much at once.", field="answers")
    lines = (line.strip().partition(": ") for line in text.splitlines() if line.strip())
    return [(name.strip(), about.strip()) for name, _, about in lines]


def _numbers(values: list[str]) -> list[int]:
    if not all(each.isascii() and each.isdigit() and len(each) < 18 for each in values):
        raise InvalidError("A label is given by its number.", field="only_if")
    return [int(each) for each in values]
