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

from annotator.actions.desk import labeling
from annotator.actions.explore.neighbours import nearest
from annotator.actions.projects import codebook, finding, paths
from annotator.actions.review import alike, cases, corrections, flagging, reviewed, reviewing
from annotator.actions.review.cases import Place
from annotator.errors import InvalidError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Can,
    Flag,
    Item,
    Label,
    Outcome,
    Project,
    Shape,
    Stream,
    VerdictState,
)
from annotator.web import asked, choosing, deciding, facts, jobs, texts, words
from annotator.web.choosing import few_views, label_views
from annotator.web.explore import item_of
from annotator.web.pages import allowed, page, person, project_for
from annotator.web.review_figures import MOST_COUNTED, figures_view, next_sentence

NEIGHBOURS, FACTS = 8, 6
SHOWN_DIVIDED = 100


@require_GET
@never_cache
@login_required
def review(request: HttpRequest, project_id: int) -> HttpResponse:
    """Lease the next item that waits to this reviewer; from the start again at the end."""
    project = project_for(request, project_id, Can.REVIEW)
    only = request.GET.get("only", "")
    after = Place.read(request.GET.get("after", ""))
    found = cases.take_next(project, person(request), after=after, only=only)
    if found is not None:
        told = {"only": only, "unsure": _digits(request.GET.get("unsure", ""))}
        return redirect(_address("review_item", project, found[0].number, **told))
    context = {
        "item": None,
        "left": cases.left_by(project, person(request)),
        "held": cases.held_by_others(project, person(request)),
        **_around(request, project),
    }
    return page(request, "review/review.html", project, "review", context)


@require_GET
@never_cache
@login_required
def review_item(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """One item: blind until the address carries the reviewer's own guess, then everything."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    guess = _given(asked.given(request.GET, "guess"))
    seen = bool(guess) or request.GET.get("none") == "1"
    flags = cases.open_flags(item)
    wide = finding.is_wide(project)
    near = words.named_about(item, flags) if seen else []
    few = [*guess, *near, *choosing.recent_ids(project, person(request))] if wide else []
    views = choosing.with_digits(few_views(project, few)) if wide else label_views(project)
    context: dict[str, Any] = {
        "item": item,
        "image_url": words.image_url(project, item),
        "labels": views,
        **asked.context_of(project, views),
        "searches_labels": wide,
        "seen": seen,
        "guess": guess,
        "guess_names": [view["name"] for view in views if view["id"] in guess],
        "fresh_uuid": uuid4(),
        "flags": [flag for flag in flags if flag.raised_by_id],
        "doubted": next((flag for flag in flags if flag.by_machine), None),
        "redefined": [flag for flag in flags if flag.change_id],
        "tied": words.tied(item),
        **facts.shown(item.meta, FACTS),
        "after": str(cases.place_of(project, item)),
        "held": cases.held_by_another(item, person(request)),
        **_around(request, project),
    }
    if seen:
        context |= evidence(project, item)
        context |= _decision(context)
        context["redefined"] = [_redefined(flag) for flag in context["redefined"]]
        context |= deciding.offered(project, item, context)
    return page(request, "review/review.html", project, "review", context)


def evidence(project: Project, item: Item) -> dict[str, Any]:
    """The voices, the student's word and the nearest labelled items, in rows and in a sentence."""
    labels = words.LabelBook(project)
    found = nearest(project, item, NEIGHBOURS, labelled=True)
    scores = dict(found.pairs) if found else {}
    near = Item.objects.present().filter(project=project, number__in=scores)
    ordered = sorted(near.select_related("verdict"), key=lambda each: -scores[each.number])
    rows = words.rows_of(project, ordered, labels)
    verdict = words.verdict_of(item)
    # It learned from a decided label and would only repeat it; what it says without is in the flag.
    unlearned = verdict is None or verdict.state != VerdictState.DECIDED
    return {
        "said": [each for each in words.history(project, item, labels) if each.stands],
        "verdict": verdict,
        "verdict_labels": words.decided(verdict, labels),
        "guesses": words.StudentWord(project, labels).guesses(item, 3) if unlearned else [],
        "neighbours": [{"row": row, "score": scores[row.item.number]} for row in rows],
        "sentence": _sentence(rows),
        "same": alike.near_identical(project, item),
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


def _decision(context: dict[str, Any]) -> dict[str, Any]:
    """What the keys do: the label in question, whether the reviewer agrees (never, by labels alone, where
    places or texts are decided too), what else might fit."""
    question: list[Label] = context["verdict_labels"]
    had = [label.pk for label in question]
    agrees = (
        bool(question)
        and set(had) == set(context["guess"])
        and not (context["marks"] or context["writes"])
    )
    doubted = context["doubted"]
    suggested = doubted.suggested if doubted else []
    other = suggested if agrees else context["guess"] or suggested
    by_id = {view["id"]: view["name"] for view in context["labels"]}
    fits = [pk for pk in other if pk in by_id]
    return {
        "question": question,
        "agrees": agrees,
        "also": fits,
        "also_names": [by_id[pk] for pk in fits if pk not in had],
        "parting": _parting(question, [pk for pk in fits if pk not in had]),
    }


def _redefined(flag: Flag) -> dict[str, Any]:
    """What a label said when the item was answered, beside what it says now."""
    assert flag.change is not None  # noqa: S101 - such flags are chosen
    label, change = flag.change.label, flag.change
    assert label is not None  # noqa: S101 - guidelines put no items in doubt
    return {
        "label": label,
        "change": change,
        "name_before": change.name_before if change.name_before != label.name else "",
        "parts": codebook.difference(change.before, label.description),
    }


def _parting(question: list[Label], others: list[int]) -> str:
    """Where the label in question and another part in their tree; empty where there is none."""
    if not question or not others or not question[0].project.task.nested:
        return ""
    other = Label.objects.get(pk=others[0])
    return paths.difference(question[0].name, other.name)


@require_POST
@login_required
def settle(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Write the reviewer's word and go on."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    after = cases.place_of(project, item)
    outcome = request.POST.get("outcome", "")
    labels = _given(asked.given(request.POST, "labels"))
    guess = _given(request.POST.getlist("guess"))
    if outcome == Outcome.AMBIGUOUS and not labels:
        labels = _given(request.POST.getlist("also"))
    form = request.POST.copy()
    if outcome == Outcome.KEEP:  # what the page showed, should the label have changed meanwhile
        labels = _given(form.getlist("question"))
        form.setlist("part", form.getlist("had"))
        form["written"] = form.get("had", "")
        texts.keep(form)
    reviewing.settle(
        project,
        person(request),
        uuid=_uuid(request.POST.get("uuid", "")),
        item=item,
        labels=labels,
        value=words.value_in(project, form)
        if form.get("parts") and outcome != Outcome.BAD
        else None,
        outcome=outcome,
        comment=request.POST.get("comment", "")[: labeling.LONGEST_COMMENT],
        guess=guess,
        same=_given(request.POST.getlist("same")),
    )
    return _go_on(request, project, after)


@require_POST
@login_required
def unsure(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Leave the item to a second reviewer, or take that back."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    if request.POST.get("back") == "1":
        cases.be_sure_again(item, person(request))
        return redirect("review_item", project_id=project.pk, number=number)
    after = cases.place_of(project, item)
    cases.be_unsure(project, item, person(request))
    return _go_on(request, project, after, unsure=number)


@require_POST
@login_required
def skip(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Give the item back and go on behind it."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    cases.give_back(item, person(request))
    return _go_on(request, project, cases.place_of(project, item))


@require_POST
@login_required
def dismiss(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """Close an item's flags and leave its label as it is."""
    project = project_for(request, project_id, Can.REVIEW)
    item = item_of(project, number)
    after = cases.place_of(project, item)
    reviewing.settle_flags(item, person(request))
    return _go_on(request, project, after)


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


@require_POST
@login_required
def look(request: HttpRequest, project_id: int) -> HttpResponse:
    """Look for wrong labels now."""
    project = project_for(request, project_id, Can.REVIEW)
    flagging.look_now(project, person(request))
    messages.success(request, "The labels are being looked at; what looks wrong appears here.")
    return redirect("review_report", project_id=project.pk)


@require_POST
@login_required
def compare(request: HttpRequest, project_id: int) -> HttpResponse:
    """Ask what the corrections bought; a job trains the student with and without them."""
    project = project_for(request, project_id, Can.REVIEW)
    corrections.start(project, person(request))
    messages.success(request, "The student is being trained with and without the corrections.")
    return redirect("review_report", project_id=project.pk)


@require_GET
@never_cache
@login_required
def report(request: HttpRequest, project_id: int) -> HttpResponse:
    """What review found, how many wrong labels are left, and the cases that divide people."""
    project = project_for(request, project_id, Can.REVIEW)
    labels = words.LabelBook(project)
    divided = reviewing.divided(project)
    figures = reviewed.figures(project)
    context = {
        **figures_view(project, figures),
        "waiting": figures.waiting,
        "next_sentence": next_sentence(figures),
        "divided": [_divided(said, labels) for said in divided[:SHOWN_DIVIDED]],
        "divided_count": len(divided),
        "bought": corrections.last(project),
        "may_manage": allowed(project, Can.MANAGE),
        **jobs.context_for(project, "review"),
    }
    return page(request, "review/report.html", project, "review", context)


def _divided(said: Annotation, labels: words.LabelBook) -> dict[str, Any]:
    verdict = words.verdict_of(said.item)
    soft = verdict.soft if verdict is not None else {}
    labels.want(map(int, soft))
    shares = [(labels[int(pk)], share) for pk, share in soft.items() if int(pk) in labels]
    return {"item": said.item, "shares": sorted(shares, key=lambda each: -each[1])}


def _around(request: HttpRequest, project: Project) -> dict[str, Any]:
    """What surrounds every case: what is left, the bar of figures, and what undo takes back."""
    mine = Annotation.objects.filter(
        project=project, stream=Stream.REVIEW, annotator__user=person(request), successor=None
    ).exclude(kind=AnnotationKind.RETRACTION)
    last = mine.filter(reason="").select_related("item").order_by("-pk").first()
    return {
        "last": last,
        "has_values": project.shape != Shape.LABELS,
        "spelled": project.task.spelled,
        "undo_uuid": uuid4(),
        "only": request.GET.get("only", ""),
        "tabs": cases.ONLY.items(),
        "left_over": _digits(request.GET.get("unsure", "")),
        **figures_view(project, reviewed.figures(project, MOST_COUNTED + 1)),
    }


def _digits(text: str) -> str:
    """A number in an address, as it came; "" for anything else."""
    return text if text.isascii() and text.isdigit() and len(text) < 10 else ""


def _address(name: str, project: Project, *arguments: int, **query: str | int) -> str:
    told = urlencode({key: value for key, value in query.items() if value != ""})
    address = reverse(name, args=[project.pk, *arguments])
    return f"{address}?{told}" if told else address


def _go_on(request: HttpRequest, project: Project, after: Place, **more: str | int) -> HttpResponse:
    only = request.POST.get("only", "")
    return redirect(_address("review", project, after=str(after), only=only, **more))


def _given(values: list[str]) -> list[int]:
    if not all(each.isascii() and each.isdigit() and len(each) < 18 for each in values):
        raise InvalidError("A label is given by its number.", field="labels")
    return [int(each) for each in values]


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidError("The page is too old. Reload it and choose again.") from error
