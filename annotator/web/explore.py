"""Explore: search, filter, look closely, find similar items."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.db.models import Prefetch
from django.http import FileResponse, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.actions.explore import bulk, mapped, searching, seeding
from annotator.actions.explore.neighbours import nearest
from annotator.actions.imports import indexing
from annotator.errors import InvalidError, NotFoundError
from annotator.formats.delimited import Csv
from annotator.formats.writing import Field
from annotator.models import (
    Annotator,
    Can,
    Flag,
    ImportBatch,
    Item,
    Part,
    Project,
    Shape,
    Stream,
)
from annotator.web import jobs, marks, texts, words
from annotator.web.pages import allowed, page, person, project_for

SIZE = 50
SIMILAR = 30


@require_GET
@login_required
def explore(request: HttpRequest, project_id: int) -> HttpResponse:
    """One page of hits."""
    project = project_for(request, project_id, Can.SEE)
    wanted = filter_of(request.GET)
    sort = request.GET.get("sort") or "number"
    after = _number(request.GET.get("after"))
    found = searching.hits(project, wanted, sort, after, SIZE)
    labels = words.LabelBook(project)
    address = wanted.given() | ({"sort": sort} if sort != "number" else {})
    total = searching.count(searching.matching(project, wanted))
    context = {
        "rows": words.rows_of(project, found.items, labels),
        "wanted": wanted,
        "sort": sort,
        "after": found.after,
        "began": after is not None,
        "query": urlencode(address) + ("&" if address else ""),
        "total": total,
        "more_than": total > searching.COUNTED_TO,
        "counted_to": searching.COUNTED_TO,
        "filtered": bool(wanted.given()),
        "area": _area(project, wanted),
        "mapped": urlencode({k: each for k, each in wanted.given().items() if k != "items"}),
        **_picking(project),
        "seedings": seeding.standing(project),
        "labels": labels.live(),
        "searches_labels": not labels.is_whole,
        "doubt_known": project.current_student_id is not None,
        "searchable": _searchable(project, wanted),
        "filters": filters(project, labels),
        "sorts": searching.SORTS.items(),
        "filtered_label": labels.get(wanted.label or 0),
    }
    return page(request, "explore/explore.html", project, "explore", context)


@require_GET
@login_required
def ids(request: HttpRequest, project_id: int) -> FileResponse:
    """The numbers and ids of all hits, as a CSV file."""
    project = project_for(request, project_id, Can.SEE)
    items = searching.matching(project, filter_of(request.GET)).order_by("number")
    rows = items.values("number", "external_id").iterator(chunk_size=5_000)
    content = BytesIO()
    Csv().write(rows, [Field("number", "integer"), Field("external_id")], content)
    content.seek(0)
    return FileResponse(content, as_attachment=True, filename=f"project-{project.pk}-ids.csv")


def filter_of(address: QueryDict) -> searching.Filter:
    """The filter that an address or a form asks for."""
    given: dict[str, Any] = {name: address.get(name, "") for name in FILTERS}
    given["items"] = address.getlist("items")
    return searching.read_filter(given)


FILTERS = ("query", "label", "annotator", "batch", "stream", "part", "status", "doubt", "area")


def _area(project: Project, wanted: searching.Filter) -> dict[str, str] | None:
    """What part of the map is shown, and the way out of it."""
    if not wanted.area:
        return None
    left = {name: each for name, each in wanted.given().items() if name not in ("area", "items")}
    return {"words": mapped.words_of(project, wanted.area), "left": urlencode(left)}


def filters(project: Project, labels: words.LabelBook) -> list[tuple[str, str, Any]]:
    """What the filters offer."""
    batches = ImportBatch.objects.filter(project=project, state="done").order_by("-id")[:50]
    named = [(pk, each.name) for pk, each in labels.items()] if labels.is_whole else []
    return [
        ("status", "Status", list(searching.STATUSES.items())),
        ("label", "Label", named),
        ("annotator", "Answered by", _voices(project)),
        ("doubt", "Student", [("high", "in doubt"), ("low", "sure")]),
        ("stream", "Stream", Stream.choices),
        ("part", "Audit part", [(value, name) for value, name in Part.choices if value]),
        ("batch", "Import", [(each.pk, each.file_name) for each in batches]),
    ]


def _voices(project: Project) -> list[tuple[int, str]]:
    return list(
        Annotator.objects.filter(project=project).order_by("name").values_list("pk", "name")[:200]
    )


def _searchable(project: Project, wanted: searching.Filter) -> dict[str, int] | None:
    """How far the index is, while a search would miss something."""
    if not wanted.query:
        return None
    ready, there = indexing.progress(project)
    return {"ready": ready, "there": there} if ready < there else None


@require_GET
@login_required
def item(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """One item with everything said about it: a page, or a drawer where a page asked for it."""
    project = project_for(request, project_id, Can.SEE)
    found = item_of(project, number)
    labels = words.LabelBook(project)
    word = words.StudentWord(project, labels)
    verdict = words.verdict_of(found)
    context = {
        "project": project,
        "item": found,
        "image_url": words.image_url(project, found),
        "meta": list(found.meta.items())[:40],
        "verdict": verdict,
        "verdict_labels": words.decided(verdict, labels),
        "parts": (parts := words.marked_in(verdict, found, labels)),
        "marked": marks.marked(found.text, parts),
        "told": words.told_by(project, verdict),
        "texts": words.written_by(texts.names_of(project), verdict),
        "known": words.known(verdict, labels),
        "history": words.history(project, found, labels),
        "guesses": word.guesses(found),
        "flags": [each for each in found.flags.all() if each.state == "open"],
        "labels": labels.live(),
        "searches_labels": not labels.is_whole,
        **_picking(project),
    }
    if request.headers.get("HX-Request"):
        return render(request, "explore/item.html", context)
    return page(request, "explore/item_page.html", project, "explore", context)


def item_of(project: Project, number: int) -> Item:
    """The item with this number and what is always shown of it."""
    found = (
        Item.objects.present()
        .filter(project=project, number=number)
        .select_related("verdict", "batch")
        .prefetch_related(Prefetch("flags", Flag.objects.select_related("raised_by")))
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such item in this project.")
    return found


@require_GET
@login_required
def similar(request: HttpRequest, project_id: int, number: int) -> HttpResponse:
    """The items most like one, nearest first."""
    project = project_for(request, project_id, Can.SEE)
    to = item_of(project, number)
    found = nearest(project, to, SIMILAR)
    labels = words.LabelBook(project)
    scores = dict(found.pairs) if found else {}
    items = Item.objects.present().filter(project=project, number__in=scores)
    ordered = sorted(items.select_related("verdict"), key=lambda each: -scores[each.number])
    context = {
        "item": to,
        "image_url": words.image_url(project, to),
        "found": found,
        "rows": [
            {"row": row, "score": scores[row.item.number]}
            for row in words.rows_of(project, ordered, labels)
        ],
        "labels": labels.live(),
        "searches_labels": not labels.is_whole,
        **_picking(project),
    }
    return page(request, "explore/similar.html", project, "explore", context)


@require_GET
@login_required
def undoing(request: HttpRequest, project_id: int) -> HttpResponse:
    """The labellings of many items that can be taken back."""
    project = project_for(request, project_id, Can.REVIEW)
    labels = words.LabelBook(project)
    rows = [
        {
            "job": job,
            "labels": words.named(labels, job.params.get("labels", [])),
            "mine": job.started_by_id == person(request).pk,
        }
        for job in bulk.undoable(project)
    ]
    context = {"rows": rows, **jobs.context_for(project, "bulk")}
    return page(request, "explore/undoing.html", project, "explore", context)


def _picking(project: Project) -> dict[str, bool]:
    """What can be done with chosen items: give a label, where one is an answer, or ask people."""
    may_label = project.shape == Shape.LABELS and allowed(project, Can.REVIEW)
    may_lead = allowed(project, Can.MANAGE)
    return {"may_label": may_label, "may_lead": may_lead, "may_pick": may_label or may_lead}


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidError(f"“{text[:40]}” is not a number.", field="after")
    return int(text)
