"""Ask people about what a search found, or what is like an example, before anything else."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotator.actions.explore import seeding
from annotator.models import Can, Seeding
from annotator.templatetags.concord import amount
from annotator.web.explore import filter_of, item_of
from annotator.web.pages import person, project_for
from annotator.web.students import number_of


@require_POST
@login_required
def ask(request: HttpRequest, project_id: int) -> HttpResponse:
    """Put the chosen items, the hits of the filter, or what is like an example, first in the queue."""
    project = project_for(request, project_id, Can.MANAGE)
    wanted = filter_of(request.POST)
    example = request.POST.get("example", "")
    back = reverse("explore", args=[project.pk])
    if example and not wanted.items:
        found = item_of(project, number_of(example, "a number", "example"))
        made = seeding.ask_similar(project, person(request), found)
    else:
        made = seeding.ask_hits(project, person(request), wanted)
        given = {name: value for name, value in wanted.given().items() if name != "items"}
        back = f"{back}?{urlencode(given)}"
    messages.success(request, _told(made))
    return redirect(back)


def _told(made: Seeding) -> str:
    count = len(made.numbers)
    most = f" (the first {seeding.MOST} hits)" if count == seeding.MOST else ""
    items = amount(count, "item,items")
    return f"People are asked about {items} {seeding.words(made)} next{most}."


@require_POST
@login_required
def take_back(request: HttpRequest, project_id: int, seeding_id: int) -> HttpResponse:
    """End a wish; the answers that were given stay."""
    project = project_for(request, project_id, Can.MANAGE)
    seeding.take_back(project, seeding_id)
    messages.success(request, "Taken back. The answers that were given stay.")
    return redirect("explore", project_id=project.pk)
