"""Home: the projects, and what needs me."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.models import Annotation, AnnotationKind, Can, Flag, FlagState, Project, User, Verdict
from annotator.web import figures
from annotator.web.pages import allowed, person, project_for


@dataclass(frozen=True)
class Need:
    """Something that waits for this person."""

    text: str
    url: str
    project: str


@require_GET
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The projects of this person; an empty installation asks for its owner first."""
    if not request.user.is_authenticated:
        return redirect("welcome" if not User.objects.exists() else "account_login")
    me = person(request)
    projects = list(
        Project.objects.for_user(me, Can.OPEN)
        .with_role(me)
        .select_related("current_student")
        .order_by("-pk")
    )
    cards = [_card(each, me) for each in projects]
    return render(request, "home.html", {"cards": cards, "needs": _needs(projects)})


@require_GET
@login_required
def project(request: HttpRequest, project_id: int) -> HttpResponse:
    """A project's front door: the screen that its visitor came for."""
    found = project_for(request, project_id, Can.OPEN)
    return redirect("label" if allowed(found, Can.LABEL) else "home", **_arguments(found))


def _arguments(project: Project) -> dict[str, Any]:
    return {"project_id": project.pk} if allowed(project, Can.LABEL) else {}


def _card(project: Project, me: User) -> dict[str, Any]:
    """A project as Home shows it; others' figures only to those who may see them."""
    mine = Annotation.objects.filter(
        project=project, kind=AnnotationKind.ANSWER, successor=None, annotator__user=me
    )
    card: dict[str, Any] = {"project": project, "role": project.role, "mine": mine.count()}  # type: ignore[attr-defined]
    if allowed(project, Can.SEE):
        decided = Verdict.objects.filter(project=project).aggregate(done=Count("pk"))["done"]
        card |= {"decided": decided, "student": figures.of_student(project)["student"]}
    return card


def _needs(projects: list[Project]) -> list[dict[str, Any]]:
    """Open flags and ties, per project in which this person may settle them."""
    mine = [each for each in projects if allowed(each, Can.REVIEW)]
    flags = dict(
        Flag.objects.filter(project__in=mine, state=FlagState.OPEN)
        .values_list("project")
        .annotate(count=Count("pk", filter=Q(state=FlagState.OPEN)))
    )
    return [
        {"project": each, "flags": flags[each.pk]} for each in mine if flags.get(each.pk)
    ]
