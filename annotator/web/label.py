"""The label page: one item, keys for everything, the next items already there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotator.actions.desk import assigning, entering, labeling, revising, siding
from annotator.actions.imports import importing, media
from annotator.actions.projects import finding
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Annotator, Assignment, Can, Item, ItemKind, Project, Shape, Stream
from annotator.web import asked, choosing, facts, figures
from annotator.web.choosing import label_views
from annotator.web.facts import Beside
from annotator.web.markdown import to_html
from annotator.web.pages import page, person, project_for
from annotator.web.widgets import widget_of

# Labels that the guidelines explain; more are found by the search.
LONGEST_GLOSSARY = 100
FACTS = 4
SKIP_REASONS = (
    "I cannot tell",
    "No label fits",
    "The item is broken or empty",
    "Wrong language",
    "I should not judge this one",
)


@dataclass(frozen=True)
class Card:
    """An item as the page shows it."""

    assignment: int
    item_id: int
    stream: str
    question: int | None
    text: str
    text_b: str
    shown: str
    given: str
    marks: bool
    image_url: str
    name: str
    # The name of each is for a pointer and a screen reader; empty where the fact says it.
    facts: list[tuple[str, str]]
    beside: list[Beside]
    suggestion: str
    label_set: str
    # The labels that the card names, where the page does not have them all.
    labels: str
    why: str
    blind: bool
    fallback: bool
    flagged: bool


@require_GET
@never_cache
@login_required
def label(request: HttpRequest, project_id: int) -> HttpResponse:
    """The page with this person's leased items, topped up to three."""
    project = project_for(request, project_id, Can.LABEL)
    voice = assigning.voice_of(project, person(request))
    wide = finding.is_wide(project)
    labels = choosing.page_views(project, person(request)) if wide else label_views(project)
    labels = choosing.in_parts(labels)
    questions = asked.questions_of(project, labels)
    count = project.live_labels().count() if wide else len(labels)
    context = {
        "annotator": voice,
        "cards": [card_of(project, each) for each in _topped_up(project, voice)],
        "labels": labels,
        "label_data": labels,
        "searches_labels": wide,
        "label_count": count,
        "slots": labels[: _rows(len(labels), questions)],
        "questions": questions,
        "form_data": asked.told(questions),
        "digit_choice": bool(questions)
        or (not project.multi_label and project.shape == Shape.LABELS),
        "glossary": labels[:LONGEST_GLOSSARY],
        "has_search": (
            any(len(one["labels"]) > choosing.SLOTS for one in questions)
            if questions
            else count > choosing.SLOTS
        ),
        "has_sets": project.has_sets and not project.blind,
        "numbers": figures.of_voice(project, voice),
        "nothing": _nothing(project, voice),
        "guidelines": to_html(project.guidelines) if project.guidelines.strip() else "",
        "skip_reasons": SKIP_REASONS,
        "widget": widget_of(project),
        "writes": any(one["writes"] for one in questions),
        "asks_labels": project.asks_labels,
        "has_pairs": project.item_kind == ItemKind.PAIR,
    }
    return page(request, "label/label.html", project, "label", context)


def _rows(labels: int, questions: list[dict[str, Any]]) -> int:
    """How many rows of labels the page has: as many as its longest question, so that nothing jumps."""
    most = max((len(one["labels"]) for one in questions), default=labels)
    return min(most, choosing.SLOTS)


@require_POST
@login_required
def answer(request: HttpRequest, project_id: int) -> HttpResponse:
    """Store what the person said about an item and return what fills the gap in their page."""
    voice = assigning.seat(request.user, project_id)
    project = voice.project
    missing = assigning.HELD_AT_MOST - len(_ids(request.POST.get("held", "")))
    with transaction.atomic():  # the answer and what it brings wait for the disk once
        kept = _store(request, project, voice)
        fresh = [kept] if kept else assigning.take(project, voice, missing)
    return _pieces(request, project, voice, fresh, feedback=_feedback(request, project, voice))


@require_POST
@login_required
def renew(request: HttpRequest, project_id: int) -> HttpResponse:
    """Keep the page's leases alive, say which are lost, and fill the page up again."""
    project = project_for(request, project_id, Can.LABEL)
    voice = assigning.voice_of(project, person(request))
    shown = _ids(request.POST.get("held", ""))
    assigning.renew(voice, shown)
    live = _topped_up(project, voice)
    fresh = [each for each in live if each.pk not in shown]
    lost = set(shown) - {each.pk for each in live}
    return _pieces(request, project, voice, fresh, lost=sorted(lost), whole=True)


@require_POST
@login_required
def release(request: HttpRequest, project_id: int) -> HttpResponse:
    """Take back the leases of a page that was left."""
    project = project_for(request, project_id, Can.LABEL)
    voice = assigning.voice_of(project, person(request))
    assigning.release(voice, _ids(request.POST.get("held", "")))
    return HttpResponse(status=204)


@require_GET
@login_required
def image(request: HttpRequest, project_id: int, name: str) -> FileResponse:
    """An image of the project, with the type that its verified name says."""
    project = project_for(request, project_id, Can.OPEN)
    path = media.image_path(project.pk, name)
    response = FileResponse(path.open("rb"), content_type=media.TYPES[path.suffix[1:]])
    response["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


def _store(request: HttpRequest, project: Project, voice: Annotator) -> Assignment | None:
    """Do what the form asks for; a retraction gives the lease that lives again."""
    form = request.POST
    kind, uuid = form.get("kind", ""), _uuid(form.get("uuid", ""))
    if kind == "retract":
        said = _uuid(form.get("annotation", ""))
        return revising.retract(project, voice, uuid=uuid, annotation_uuid=said)
    assignment_id = _number(form.get("assignment", ""))
    seconds = _seconds(form.get("seconds", ""))
    if kind == "answer":
        labeling.store(
            project,
            voice,
            uuid=uuid,
            assignment_id=assignment_id,
            labels=[_number(each) for each in form.getlist("labels")],
            value=value_of(form.get("value", "")),
            question=_number(form["question"]) if form.get("question") else None,
            seconds=seconds,
            comment=form.get("comment", ""),
        )
    elif kind == "skip":
        labeling.skip(
            project,
            voice,
            uuid=uuid,
            assignment_id=assignment_id,
            reason=form.get("reason", ""),
            seconds=seconds,
        )
    elif kind == "flag":
        item = _held_item(voice, assignment_id)
        labeling.flag(project, voice, item=item, reason=form.get("comment", ""))
    else:
        raise InvalidError("An answer is an answer, a skip, a flag or a retraction.", field="kind")
    return None


def _held_item(voice: Annotator, assignment_id: int) -> Item:
    item = Item.objects.filter(assignments__pk=assignment_id, assignments__annotator=voice).first()
    if item is None:
        raise NotFoundError("That item is not yours in this project.")
    return item


def _feedback(request: HttpRequest, project: Project, voice: Annotator) -> dict[str, Any] | None:
    """What the entry round says of an answer; other projects and people pay nothing for it."""
    if not project.entry_items or request.POST.get("kind") != "answer":
        return None
    told = entering.feedback(project, voice, _number(request.POST.get("assignment", "")))
    if told is None:
        return None
    named = project.labels.filter(pk__in=[*told.said, *told.known])
    names = dict(named.values_list("pk", "name"))
    return {
        "told": told,
        "said": ", ".join(names.get(pk, "?") for pk in told.said) or "none",
        "known": ", ".join(names.get(pk, "?") for pk in told.known) or "none",
    }


def _topped_up(project: Project, voice: Annotator) -> list[Assignment]:
    """The person's live leases, and new ones up to what a page holds."""
    live = assigning.held(voice)
    missing = assigning.HELD_AT_MOST - len(live)
    return live + (assigning.lease(project, voice, missing) if missing > 0 else [])


def _pieces(
    request: HttpRequest,
    project: Project,
    voice: Annotator,
    fresh: Iterable[Assignment],
    *,
    lost: Iterable[int] = (),
    whole: bool = False,
    feedback: dict[str, Any] | None = None,
) -> HttpResponse:
    """Cards and figures, as pieces for the page that is open."""
    cards = [card_of(project, each) for each in fresh]
    context = {
        "project": project,
        "cards": cards,
        "lost": lost,
        "numbers": figures.of_voice(project, voice)
        if whole
        else figures.of_student(project, figures.measured_at([project])),
        "nothing": None if cards else _nothing(project, voice),
        "feedback": feedback,
    }
    return render(request, "label/pieces.html", context)


def card_of(project: Project, assignment: Assignment) -> Card:
    """What the page may show of a lease: nothing that hints where the item is labelled blind."""
    item = assignment.item
    blind = project.blind or assignment.stream in labeling.BLIND
    suggested = None if blind else assignment.suggestion
    shown = siding.shown(project, assignment, suggested)
    texts = (item.text_b, item.text) if shown == siding.SWAPPED else (item.text, item.text_b)
    widget = widget_of(project)
    image_url = reverse("item_image", args=[project.pk, item.image]) if item.image else ""
    return Card(
        assignment=assignment.pk,
        item_id=item.pk,
        # A gold item looks like an audit item.
        stream="audit" if assignment.stream == Stream.GOLD else assignment.stream,
        question=None if blind else assignment.question_id,
        text=texts[0],
        text_b=texts[1],
        shown=shown,
        given="" if widget is None else widget.data(item),
        marks=widget is not None and widget.marks,
        image_url=image_url,
        name=f"#{item.external_id or item.number}",
        **facts.shown(item.meta, FACTS),
        suggestion="[]" if blind else json.dumps(assignment.suggestion),
        label_set="" if blind or not assignment.label_set else json.dumps(assignment.label_set),
        labels="" if blind else _named_labels(project, assignment),
        why=_why(project, assignment),
        blind=blind,
        fallback=assignment.fallback,
        flagged=False,
    )


def _named_labels(project: Project, assignment: Assignment) -> str:
    named = choosing.named_ids(assignment)
    if not named or not finding.is_wide(project):
        return ""
    views = choosing.in_parts(choosing.few_views(project, named))
    return json.dumps(views, ensure_ascii=False)


def _why(project: Project, assignment: Assignment) -> str:
    """The reason of the draw; reasons name labels, so a blind project hears only the stream."""
    if project.blind and assignment.stream == Stream.ACTIVE:
        return "Chosen because an answer to it should teach the student much."
    if not assignment.reason:
        return "Next in the order of the project."
    reason = assignment.reason.rstrip(".")
    return f"{reason[:1].upper()}{reason[1:]}."


def _nothing(project: Project, voice: Annotator) -> dict[str, str]:
    """What an empty page says, and why it is empty; with `soon` the page looks again by itself."""
    if not project.item_count and importing.is_importing(project):
        return {
            "title": "A file is being read",
            "text": "Its items appear here by themselves, as soon as it is in.",
            "soon": "yes",
        }
    if not project.item_count:
        return {
            "title": "No items yet",
            "text": "Items appear here as soon as a file has been imported.",
        }
    task = project.task
    if task.has_labels and not task.writing and not project.live_labels().exists():
        return {
            "title": "No labels yet",
            "text": "A manager adds labels under Settings; then items can be answered.",
        }
    entry = entering.progress(project, voice)
    if entry is not None and entry.is_over:
        return {
            "title": "Your entry round is done",
            "text": f"{entry.right} of {entry.done} were right, a little less than is asked for. A "
            "manager looks at it and lets you in.",
        }
    return {
        "title": "Nothing left for you here",
        "text": "You have met every item that still wants an answer, or your share is done. "
        "What others hold, or another window of yours, comes back when it is left.",
    }


def _ids(text: str) -> list[int]:
    return [_number(part) for part in text.split(",") if part]


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidError(f"“{text[:40]}” is not a number.")
    return int(text)


def value_of(text: str) -> object:
    """The value that a form carries as JSON; None where labels are the answer."""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidError("The answer is not JSON. Reload the page.", field="value") from error


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidError(f"“{text[:40]}” is not a UUID.", field="uuid") from error


def _seconds(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError as error:
        raise InvalidError(f"“{text[:40]}” is not a number of seconds.") from error
