"""Review: ties and flags, one at a time, first without seeing what the others said."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotator.actions import labeling, reviewing
from annotator.actions.neighbours import nearest
from annotator.errors import InvalidError
from annotator.models import Annotation, AnnotationKind, Can, Item, Label, Project, Stream
from annotator.web import words
from annotator.web.explore import item_of
from annotator.web.label import label_views
from annotator.web.pages import page, person, project_for

NEIGHBOURS = 8


@require_GET
@never_cache
@login_required
def review(request: HttpRequest, project_id: int) -> HttpResponse:
    """The next item that waits, after the one just seen; from the start again at the end."""
    project = project_for(request, project_id, Can.REVIEW)
    after = request.GET.get("after", "")
    waiting = reviewing.waiting(project)
    found = None
    if after.isascii() and after.isdigit() and len(after) < 10:
        found = waiting.filter(number__gt=int(after)).first()
    found = found or waiting.first()
    if found is not None:
        return redirect("review_item", project_id=project.pk, number=found.number)
    context = {"item": None, "waiting": 0, **_last(request, project)}
    return page(request, "review/review.html", project, "review", context)


@require_GET
@never_cache
@login_required
def review_item(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """One item: blind until the address carries the reviewer's own guess, then everything."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    guess = _given(request.GET.getlist("guess"))
    seen = bool(guess) or request.GET.get("none") == "1"
    views = label_views(project)
    context: dict[str, Any] = {
        "item": item,
        "image_url": words.image_url(project, item),
        "labels": views,
        "waiting": reviewing.waiting(project).count(),
        "seen": seen,
        "guess": guess,
        "guess_names": [view["name"] for view in views if view["id"] in guess],
        "fresh_uuid": uuid4(),
        "flags": [each for each in item.flags.all() if each.state == "open"],
        "tied": words.tied(item),
        "facts": list(item.meta.items())[:6],
        **_last(request, project),
    }
    if seen:
        context |= evidence(project, item)
    return page(request, "review/review.html", project, "review", context)


def evidence(project: Project, item: Item) -> dict[str, Any]:
    """The voices, the student's word and the nearest labelled items, in rows and in a sentence."""
    labels = words.labels_by_id(project)
    found = nearest(project, item, NEIGHBOURS, labelled=True)
    scores = dict(found.pairs) if found else {}
    near = Item.objects.present().filter(project=project, number__in=scores)
    ordered = sorted(near.select_related("verdict"), key=lambda each: -scores[each.number])
    rows = words.rows_of(project, ordered, labels)
    verdict = words.verdict_of(item)
    return {
        "said": [each for each in words.history(item, labels) if each.stands],
        "verdict": verdict,
        "verdict_labels": words.decided(verdict, labels),
        "guesses": words.StudentWord(project, labels).guesses(item, 3),
        "neighbours": [{"row": row, "score": scores[row.item.number]} for row in rows],
        "sentence": _sentence(rows),
    }


def _sentence(rows: list[words.Row]) -> str:
    """What most of the nearest labelled items say."""
    counts: dict[Label, int] = {}
    for row in rows:
        for label in row.labels:
            counts[label] = counts.get(label, 0) + 1
    if not counts:
        return ""
    label = max(counts, key=lambda each: counts[each])
    return f"{counts[label]} of {len(rows)} nearest labelled items say “{label.name}”."


@require_POST
@login_required
def settle(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Write the reviewer's word and go on."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    labels = _given(request.POST.getlist("labels"))
    reviewing.settle(
        project,
        person(request),
        uuid=_uuid(request.POST.get("uuid", "")),
        item=item,
        labels=labels,
        comment=request.POST.get("comment", "")[: labeling.LONGEST_COMMENT],
    )
    return _go_on(project, number)


@require_POST
@login_required
def dismiss(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Close an item's flags and leave its label as it is."""
    project = project_for(request, project_id, Can.REVIEW)
    reviewing.settle_flags(item_of(project, number), person(request))
    return _go_on(project, number)


@require_POST
@login_required
def undo(request: HttpRequest, project_id: int) -> HttpResponse:
    """Take the reviewer's last word back and show its item again."""
    project = project_for(request, project_id, Can.REVIEW)
    said = _uuid(request.POST.get("annotation", ""))
    fresh = _uuid(request.POST.get("uuid", ""))
    taken = reviewing.take_back(project, person(request), uuid=fresh, annotation_uuid=said)
    messages.success(request, "Taken back; the votes count again.")
    return redirect("review_item", project_id=project.pk, number=taken.item.number)


def _last(request: HttpRequest, project: Project) -> dict[str, Any]:
    """The reviewer's own last word, which undo takes back."""
    mine = Annotation.objects.filter(
        project=project, stream=Stream.REVIEW, annotator__user=person(request), successor=None
    ).exclude(kind=AnnotationKind.RETRACTION)
    last = mine.select_related("item").order_by("-pk").first()
    return {"last": last, "undo_uuid": uuid4()}


def _go_on(project: Project, number: int) -> HttpResponse:
    query = urlencode({"after": number})
    return redirect(f"{reverse('review', args=[project.pk])}?{query}")


def _given(values: list[str]) -> list[int]:
    if not all(each.isascii() and each.isdigit() and len(each) < 18 for each in values):
        raise InvalidError("A label is given by its number.", field="labels")
    return [int(each) for each in values]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidError("The page is too old. Reload it and choose again.") from error
