"""Home: the projects, and what needs me."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.actions.teachers import endpoints
from annotator.models import (
    Annotation,
    BatchState,
    Can,
    Endpoint,
    Flag,
    FlagState,
    ImportBatch,
    Project,
    User,
    Verdict,
    VerdictState,
    Webhook,
)
from annotator.web import figures
from annotator.web.pages import allowed, person, project_for, screens_of


@require_GET
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The projects of this person; an empty installation asks for its owner first."""
    if not request.user.is_authenticated:
        return redirect("account_login" if User.objects.exists() else "welcome")
    me = person(request)
    projects = list(
        Project.objects.for_user(me, Can.OPEN)
        .with_role(me)
        .select_related("current_student")
        .order_by("-pk")
    )
    counts = _counts(projects, me)
    measured = figures.measured_at(projects)
    cards = [_card(each, counts, measured) for each in projects]
    needs = [need for card in cards for need in card["needs"]]
    context = {"cards": cards, "needs": needs, "model_servers": _model_servers(me)}
    return render(request, "home.html", context)


def _model_servers(me: User) -> list[tuple[str, str]]:
    """Model servers of this machine that an instance admin may allow while the list is empty."""
    if not endpoints.is_admin(me) or Endpoint.objects.exists():
        return []
    return endpoints.suggested()


@require_GET
@login_required
def project(request: HttpRequest, project_id: int) -> HttpResponse:
    """A project's front door: the first screen that its visitor may open."""
    found = project_for(request, project_id, Can.OPEN)
    screens = screens_of(found, "")
    return redirect(screens[0]["url"] if screens else "home")


def _counts(projects: list[Project], me: User) -> dict[str, dict[int, int]]:
    """Counts per project, each in one query for all of them."""
    answers = Annotation.objects.standing()
    reviewed = [each for each in projects if allowed(each, Can.REVIEW)]
    managed = [each for each in projects if allowed(each, Can.MANAGE)]
    seen = [each for each in projects if allowed(each, Can.SEE)]
    rows = {
        "mine": answers.filter(project__in=projects, annotator__user=me),
        "decided": Verdict.objects.filter(project__in=seen, state=VerdictState.DECIDED),
        "ties": Verdict.objects.filter(project__in=reviewed, state=VerdictState.TIE),
        "flags": Flag.objects.filter(project__in=reviewed, state=FlagState.OPEN),
        "reading": ImportBatch.objects.filter(
            project__in=projects,
            state__in=[BatchState.WAITING, BatchState.READING],
            job__isnull=False,
        ),
        "waiting": ImportBatch.objects.filter(project__in=managed, state=BatchState.NEEDS_DECISION),
        "silent": Webhook.objects.filter(project__in=managed, enabled=False).exclude(off_reason=""),
    }
    return {
        name: dict(query.order_by().values_list("project").annotate(count=Count("pk")))
        for name, query in rows.items()
    }


def _card(
    project: Project, counts: dict[str, dict[int, int]], measured: dict[int, datetime | None]
) -> dict[str, Any]:
    """A project as Home shows it; others' figures only to those who may see them."""
    of = {name: counted.get(project.pk, 0) for name, counted in counts.items()}
    sees = allowed(project, Can.SEE)
    return {
        "project": project,
        "sees": sees,
        "student": "".join(figures.of_student(project, measured).values()) if sees else "",
        "doors": _doors(project),
        "needs": _needs(project, of),
        **of,
    }


def _doors(project: Project) -> list[dict[str, Any]]:
    """The screens that Home leads to, the likeliest first; all others are on the project's pages."""
    wanted = ("label", "review", "progress") if project.item_count else ("imports", "settings")
    return [screen for screen in screens_of(project, "") if screen["door"] in wanted]


def _needs(project: Project, of: dict[str, int]) -> list[dict[str, Any]]:
    """What waits for this person in a project, in words."""
    kinds = (
        ("flags", "open flag", "open flags", "review"),
        ("ties", "tie between voices", "ties between voices", "review"),
        ("waiting", "import with bad rows", "imports with bad rows", "imports"),
        ("silent", "webhook that went off", "webhooks that went off", "webhooks"),
    )
    return [
        {"project": project, "count": of[name], "noun": one, "nouns": many, "url_name": screen}
        for name, one, many, screen in kinds
        if of[name]
    ]
