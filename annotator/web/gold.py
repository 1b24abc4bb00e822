"""Gold items and who is let in: what a lead sets up to know how well people answer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.desk import entering, golding
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import Can, GoldItem, Item, Project, VerdictSource
from annotator.web import words
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for
from annotator.web.people import member_for

PER_PAGE = 50

_ASKED = """
SELECT a.item_id, count(*), count(*) FILTER (WHERE a.labels @> g.labels AND g.labels @> a.labels)
FROM (SELECT DISTINCT ON (annotator_id, item_id) item_id, labels FROM annotator_annotation
      WHERE project_id = %s AND stream = 'gold' AND kind = 'answer'
      ORDER BY annotator_id, item_id, id) a
JOIN annotator_golditem g ON g.item_id = a.item_id GROUP BY a.item_id
"""


class GoldForm(forms.Form):
    """Either named items, or so many at random."""

    source = forms.ChoiceField(
        label="Answers known from",
        choices=[
            (VerdictSource.REVIEWER.value, "reviewers' verdicts"),
            (VerdictSource.TRUTH.value, "labels imported as truth"),
        ],
    )
    count = forms.IntegerField(
        label="Add at random", min_value=1, max_value=golding.MOST_AT_ONCE, required=False
    )
    numbers = forms.CharField(
        label="… or these items",
        required=False,
        max_length=2_000,
        help_text="Their numbers, with commas between.",
    )
    note = forms.CharField(
        label="Why this is the answer",
        required=False,
        max_length=golding.LONGEST_NOTE,
        help_text="For named items; read after an answer in the entry round.",
    )


@require_http_methods(["GET", "POST"])
@login_required
def gold(request: HttpRequest, project_id: int) -> HttpResponse:
    """The gold items with how often they were answered right; a POST adds some."""
    project = project_for(request, project_id, Can.MANAGE)
    form = GoldForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = _add(request, project, form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"Gold items added: {len(made):,}.")
            return redirect("gold", project_id=project.pk)
    status = 422 if form.errors else 200
    return page(
        request, "people/gold.html", project, "annotators", _context(request, project, form), status
    )


def _add(request: HttpRequest, project: Project, wish: dict[str, Any]) -> list[GoldItem]:
    if not wish["numbers"].strip():
        if not wish["count"]:
            raise InvalidError("Say how many, or name items.", field="count")
        return golding.add_some(project, person(request), wish["count"], wish["source"])
    named = [each.strip().removeprefix("#") for each in wish["numbers"].split(",") if each.strip()]
    if not all(each.isascii() and each.isdigit() and len(each) < 10 for each in named):
        raise InvalidError("Items are named by their numbers.", field="numbers")
    items = list(Item.objects.filter(project=project, number__in=map(int, named)).present())
    if len(items) < len(set(named)):
        raise InvalidError("Not all of these items are in the project.", field="numbers")
    return golding.add(project, person(request), items, note=wish["note"])


def _context(request: HttpRequest, project: Project, form: GoldForm) -> dict[str, Any]:
    rows = GoldItem.objects.standing().filter(project=project).select_related("item")
    items = Paginator(rows.order_by("item__number"), PER_PAGE).get_page(request.GET.get("page"))
    labels = words.LabelBook(project)
    labels.want(pk for each in items for pk in each.labels)
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [project.pk])
        asked = {item: (count, right) for item, count, right in cursor.fetchall()}
    return {
        "form": form,
        "items": items,
        "rows": [
            (each, words.named(labels, each.labels), *asked.get(each.item_id, (0, 0)))
            for each in items
        ],
        "tab": "gold",
        "may_manage": True,
    }


@require_POST
@login_required
def end(request: HttpRequest, project_id: int, gold_id: int) -> HttpResponse:
    """Ask a gold item no more."""
    project = project_for(request, project_id, Can.MANAGE)
    found = GoldItem.objects.for_user(request.user).filter(project=project, pk=gold_id).first()
    if found is None:
        raise NotFoundError("There is no such gold item in this project.")
    golding.end(found)
    messages.success(request, f"#{found.item} is no gold item any more.")
    return redirect("gold", project_id=project.pk)


@require_POST
@login_required
def admit(request: HttpRequest, project_id: int, member_id: int) -> HttpResponse:
    """Let an annotator in without, or in spite of, the entry round."""
    project = project_for(request, project_id, Can.MANAGE)
    found = member_for(request, project, member_id)
    entering.admit(found)
    messages.success(request, f"{found.user} is let in.")
    return redirect("members", project_id=project.pk)
