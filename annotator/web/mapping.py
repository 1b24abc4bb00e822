"""The map of the corpus: what is alike lies together, and an area of it is a filter of Explore."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRefresh

from annotator.actions.explore import colouring, mapped, mapping, searching
from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import Can, JobState, Project
from annotator.web import jobs, words
from annotator.web.explore import filter_of, item_of
from annotator.web.pages import allowed, page, person, project_for

if TYPE_CHECKING:
    from learning.layouts.stored import StoredMap

GLANCE = 300


@require_GET
@login_required
def corpus_map(request: HttpRequest, project_id: int) -> HttpResponse:
    """The map with what it is coloured by, its regions as a list, and the hits of a filter on it."""
    project = project_for(request, project_id, Can.SEE)
    wanted = filter_of(request.GET)
    known = mapping.current_map(project)
    context: dict[str, Any] = {
        "wanted": wanted,
        "may_manage": allowed(project, Can.MANAGE),
        **_drawing(project, known),
    }
    if known is not None:
        seen = mapped.shown(project, known)
        filters = {name: each for name, each in wanted.given().items() if name != "area"}
        context |= {
            "seen": seen,
            "regions": mapped.regions_of(project, known, seen),
            "colourings": colouring.colourings(project),
            "filters": urlencode(filters, doseq=True),
            "query_only": set(filters) <= {"query"},
        }
    return page(request, "explore/map.html", project, "explore", context)


def _drawing(project: Project, known: StoredMap | None) -> dict[str, Any]:
    """Whether a drawing runs, and whether the page should ask for one."""
    live = mapping.under_way(project)
    last = project.jobs.filter(kind="map").order_by("-id").first()
    failed = last is not None and last.state in {JobState.FAILED, JobState.CANCELLED}
    fits = mapping.fits(project, known)
    encoded = mapping.rows_encoded(project)
    return {
        "encoded": encoded,
        "live": live,
        "failed": last if failed and not fits else None,
        "asks": bool(encoded) and not fits and live is None and not failed,
        **jobs.context_for(project, "map"),
    }


@require_POST
@login_required
def draw(request: HttpRequest, project_id: int) -> HttpResponse:
    """Draw the map, or place what is new on it; all of it anew where a manager asks for that."""
    project = project_for(request, project_id, Can.SEE)
    again = request.POST.get("again") == "1"
    if again and not allowed(project, Can.MANAGE):
        raise ForbiddenError("A manager has the map drawn anew: areas of the old one end with it.")
    mapping.wish(project, person(request), again=again)
    if request.headers.get("HX-Request"):
        return _state(request, project)
    messages.success(request, "The map is being drawn.")
    return redirect("map", project_id=project.pk)


@require_GET
@login_required
def state(request: HttpRequest, project_id: int) -> HttpResponse:
    """How far the drawing is, polled by its page, which is fetched again at the end; and as soon as there is
    something to draw.
    """
    project = project_for(request, project_id, Can.SEE)
    if not mapping.rows_encoded(project):
        return HttpResponse(status=204)
    return _state(request, project)


def _state(request: HttpRequest, project: Project) -> HttpResponse:
    """How far it is; it may have ended since it was asked for."""
    live = mapping.under_way(project)
    if live is None:
        return HttpResponseClientRefresh()
    return render(request, "explore/map_state.html", {"project": project, "live": live})


@require_GET
@login_required
def points(request: HttpRequest, project_id: int) -> HttpResponse:
    """Five bytes for each item by number: x and y, two each, low first; then every item's region.

    All x and y come first, then all regions. 65535 or region 255: not on the map.
    """
    _, seen = _shown(request, project_id)
    content = seen.places.astype("<u2").tobytes() + seen.regions.tobytes()
    tag = f'"{seen.name}-{seen.rows}-{seen.items}"'
    response: HttpResponse
    if request.headers.get("If-None-Match", "").removeprefix("W/") == tag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(content, content_type="application/octet-stream")
    response["ETag"], response["Cache-Control"] = tag, "private, no-cache"
    return response


@require_GET
@login_required
def colours(request: HttpRequest, project_id: int) -> HttpResponse:
    """The groups of a colouring, and which group each item is in: a byte each, base64."""
    project, seen = _shown(request, project_id)
    found = colouring.colouring(project, seen, request.GET.get("by", ""))
    groups = [{"name": g.name, "tone": g.tone, "items": g.items} for g in found.groups]
    codes = base64.b64encode(found.codes.tobytes()).decode()
    return _private({"groups": groups, "codes": codes})


@require_GET
@login_required
def hits(request: HttpRequest, project_id: int) -> HttpResponse:
    """The items that a filter finds: a bit each by number, base64, the lowest bit first."""
    import numpy as np

    project, seen = _shown(request, project_id)
    found = np.zeros(seen.rows, dtype=np.bool_)
    numbers = searching.numbers_of(searching.matching(project, filter_of(request.GET)))
    found[numbers[numbers < seen.rows]] = True
    found &= seen.regions != mapped.OFF
    packed = np.packbits(found, bitorder="little").tobytes()
    return _private({"items": int(found.sum()), "bits": base64.b64encode(packed).decode()})


@require_GET
@login_required
def glance(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """What is shown of an item where the pointer rests."""
    project = project_for(request, project_id, Can.SEE)
    found = item_of(project, number)
    said = " ⇄ ".join(each for each in (found.text, found.text_b) if each)
    named = words.decided(words.verdict_of(found), words.LabelBook(project))
    told = {
        "name": f"#{found.external_id or found.number}",
        "text": said[:GLANCE] + ("…" if len(said) > GLANCE else ""),
        "image": words.image_url(project, found),
        "labels": [label.name for label in named],
    }
    return _private(told)


def _shown(request: HttpRequest, project_id: int) -> tuple[Project, mapped.Shown]:
    project = project_for(request, project_id, Can.SEE)
    known = mapping.current_map(project)
    if known is None:
        raise NotFoundError("The map is not drawn yet.")
    return project, mapped.shown(project, known)


def _private(content: dict[str, Any]) -> JsonResponse:
    return JsonResponse(content, headers={"Cache-Control": "private, no-store"})
