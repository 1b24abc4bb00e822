"""My answers: each annotator reads and changes their own."""

from __future__ import annotations

from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from annotator.actions.desk import assigning, revising
from annotator.actions.projects import finding
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Annotation, AnnotationKind, Can, Project
from annotator.web import asked, choosing, marks, texts, words
from annotator.web.choosing import label_views
from annotator.web.pages import page, person, project_for

PER_PAGE = 50


@require_GET
@never_cache
@login_required
def mine(request: HttpRequest, project_id: int) -> HttpResponse:
    """The person's standing answers and skips, latest first."""
    project = project_for(request, project_id, Can.LABEL)
    said = (
        Annotation.objects.filter(project=project)
        .by_user(person(request))
        .last_words()
        .exclude(kind=AnnotationKind.RETRACTION)
        .select_related("item")
        .order_by("-id")
    )
    answers = Paginator(said, PER_PAGE).get_page(request.GET.get("page"))
    labels = words.LabelBook(project)
    labels.want(pk for each in answers for pk in each.labels)
    rows, names = [], texts.names_of(project)
    for each in answers:
        parts = marks.parts_of(each.value, each.item.text, labels)
        chosen = words.beside(words.named(labels, each.labels), parts)
        told = words.told(project, each.value)
        written = texts.of_value(names, each.value)
        rows.append((each, chosen, words.about(each, labels), parts, told, written))
    return page(request, "label/mine.html", project, "label", {"answers": answers, "rows": rows})


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def change(request: HttpRequest, project_id: int, uuid: UUID) -> HttpResponse:
    """One own answer, to read and to change; a change is a new annotation after the old one."""
    project = project_for(request, project_id, Can.LABEL)
    said = Annotation.objects.filter(project=project, uuid=uuid, kind=AnnotationKind.ANSWER)
    answer = said.by_user(person(request)).select_related("item").first()
    if answer is None:
        raise NotFoundError("There is no such answer of yours in this project.")
    if request.method == "POST":
        _revise(request, project, answer)
        messages.success(request, f"Changed the answer to #{answer.item}.")
        return redirect("label_mine", project_id=project.pk)
    wide = finding.is_wide(project)
    own = [*answer.labels, *([answer.question_id] if answer.question_id else [])]
    labels = choosing.few_views(project, own) if wide else label_views(project)
    book = words.LabelBook(project)
    parts = marks.parts_of(answer.value, answer.item.text, book)
    question = [each for each in labels if each["id"] == answer.question_id]
    questions = texts.with_texts(asked.questions_of(project, labels), answer.value)
    context = {
        "answer": answer,
        "labels": labels,
        "markable": asked.markable(questions, labels),
        "questions": asked.with_places(questions, [(part, True) for part in parts]),
        "searches_labels": wide,
        "given": next(iter(words.named(book, answer.labels)), None),
        "question": question[0] if question else None,
        "parts": parts,
        "marked": marks.marked(answer.item.text, parts),
        "told": words.told(project, answer.value),
        "fresh_uuid": uuid4(),
    }
    return page(request, "label/change.html", project, "label", context)


def _revise(request: HttpRequest, project: Project, answer: Annotation) -> None:
    chosen = [each for each in asked.given(request.POST, "labels") if each]
    if not all(each.isascii() and each.isdigit() for each in chosen):
        raise InvalidError("A label is given by its number.", field="labels")
    try:
        fresh = UUID(request.POST.get("uuid", ""))
    except ValueError as error:
        raise InvalidError("The form is too old. Reload it and choose again.") from error
    revising.revise(
        project,
        assigning.voice_of(project, person(request)),
        uuid=fresh,
        annotation_uuid=answer.uuid,
        labels=[int(each) for each in chosen],
        value=words.value_in(project, request.POST),
        comment=request.POST.get("comment", ""),
    )
