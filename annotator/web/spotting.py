"""Search by type: hits in their sentences, confirmed or refused by key, kept as one step."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.explore import spotting
from annotator.actions.explore.spot_examples import Place
from annotator.errors import ConflictError, InvalidError
from annotator.models import Can, Label, Project, Seeding
from annotator.templatetags.concord import amount
from annotator.web.pages import allowed, page, person, project_for

# Characters of a text that are shown before and behind a hit.
AROUND = 160
_PLACE = re.compile(r"(\d{1,9})-(\d{1,9})-(\d{1,9})")


@require_http_methods(["GET", "POST"])
@login_required
def spots(request: HttpRequest, project_id: int) -> HttpResponse:
    """The hits of a label; a form says which of them are right."""
    can = Can.REVIEW if request.method == "POST" else Can.SEE
    project = project_for(request, project_id, can)
    if request.method != "POST":
        return _hits(request, project, request.GET)
    try:
        return _judge(request, project)
    except ConflictError as refusal:
        # What was said of up to fifty hits stays on the page, to be kept later.
        return _hits(request, project, request.POST, refusal)


def _hits(
    request: HttpRequest, project: Project, asked: QueryDict, refusal: ConflictError | None = None
) -> HttpResponse:
    """The page, with what was said of its hits and why it was not kept."""
    label = _label(project, asked.get("label", ""))
    such_as, like = asked.get("such_as", "").strip(), asked.get("like", "")
    context: dict[str, Any] = {
        "refusal": refusal.detail if refusal else "",
        "labels": list(project.live_labels()),
        "label": label,
        "such_as": such_as,
        "like": like,
        "may_judge": allowed(project, Can.REVIEW),
        "steps": [(each, told(each)) for each in spotting.latest(project)],
    }
    if label is not None:
        try:
            found = spotting.search(
                project, label, such_as=such_as, like=_place(like) if like else None
            )
        except ConflictError as problem:
            context["problem"] = problem.detail
        else:
            context |= {"found": found, "rows": [_row(hit, asked) for hit in found.hits]}
    status = refusal.status if refusal else 200
    return page(request, "explore/spots.html", project, "explore", context, status)


def _row(hit: spotting.Hit, asked: QueryDict) -> dict[str, Any]:
    """A hit as the list shows it: long texts only around it."""
    before, quote, behind = hit.parts
    key = f"{hit.place.number}-{hit.place.start}-{hit.place.end}"
    return {
        "hit": hit,
        "key": key,
        "said": asked.get(f"say-{key}", ""),
        "before": before if len(before) <= AROUND else "…" + before[-AROUND:],
        "quote": quote,
        "behind": behind if len(behind) <= AROUND else behind[:AROUND] + "…",
    }


def _judge(request: HttpRequest, project: Project) -> HttpResponse:
    label = _label(project, request.POST.get("label", ""))
    if label is None:
        raise InvalidError("Choose a label first.", field="label")
    said = {
        word: [
            _place(name.removeprefix("say-"))
            for name, value in request.POST.items()
            if name.startswith("say-") and value == word
        ]
        for word in ("yes", "no")
    }
    made = spotting.judge(project, person(request), label, said["yes"], said["no"])
    messages.success(request, f"Kept: {told(made)}.")
    given = {name: request.POST.get(name, "") for name in ("label", "such_as", "like")}
    asked = urlencode({name: value for name, value in given.items() if value})
    return redirect(f"{reverse('spots', args=[project.pk])}?{asked}")


def told(made: Seeding) -> str:
    """What a person said of hits, in words."""
    name = made.label.name if made.label else ""
    parts = []
    if made.kept:
        many = amount(len(made.kept), "stretch is,stretches are")
        parts.append(f"{many} “{name}”")
    if made.refused:
        many = amount(len(made.refused), "is,are")
        parts.append(f"{many} not" if made.kept else f"{many} not “{name}”")
    return ", ".join(parts)


@require_POST
@login_required
def take_back(request: HttpRequest, project_id: int, seeding_id: int) -> HttpResponse:
    """Forget what was said of some hits."""
    project = project_for(request, project_id, Can.REVIEW)
    made = spotting.take_back(project, seeding_id)
    messages.success(request, "Taken back. The answers that were given stay.")
    return redirect(f"{reverse('spots', args=[project.pk])}?label={made.label_id}")


def _label(project: Project, given: str) -> Label | None:
    if not given:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise InvalidError(f"“{given[:40]}” is not a label.", field="label")
    found = project.live_labels().filter(pk=int(given)).first()
    if found is None:
        raise InvalidError("This label is not in the project’s schema.", field="label")
    return found


def _place(key: str) -> Place:
    found = _PLACE.fullmatch(key)
    if found is None:
        raise InvalidError("The list is too old. Search again.", field="like")
    number, start, end = map(int, found.groups())
    return Place(number=number, start=start, end=end)
