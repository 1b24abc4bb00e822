"""What every page of a project starts with: the project, what this person may do, the screens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from annotator.models import ROLES, Can, Project, Role, User


@dataclass(frozen=True)
class Screen:
    """One entry of a project's navigation."""

    name: str
    url_name: str
    icon: str
    can: Can


SCREENS = (
    Screen("Label", "label", "label", Can.LABEL),
    Screen("Review", "review", "check", Can.REVIEW),
    Screen("Explore", "explore", "explore", Can.SEE),
    Screen("Progress", "progress", "chart", Can.SEE),
    Screen("Annotators", "annotators", "people", Can.SEE),
    Screen("Students", "students", "student", Can.SEE),
    Screen("Imports", "imports", "upload", Can.MANAGE),
    Screen("Exports", "exports", "download", Can.MANAGE),
    Screen("Settings", "settings", "settings", Can.MANAGE),
)


def person(request: HttpRequest) -> User:
    """The person who is signed in; for views behind `login_required`."""
    return cast("User", request.user)


def project_for(request: HttpRequest, project_id: int, can: Can) -> Project:
    """A project in which this person may do that; 404 for everybody else."""
    projects = Project.objects.for_user(request.user, can).with_role(request.user)
    project = projects.select_related("current_student").filter(pk=project_id).first()
    if project is None:
        raise Http404("There is no such project, or you have no part in it.")
    return project


def allowed(project: Project, can: Can) -> bool:
    """Whether the role that `project_for` found allows this."""
    return Role(cast("Any", project).role) in ROLES[can]


def screens_of(project: Project, current: str) -> list[dict[str, Any]]:
    """The project's screens that this person may open."""
    return [
        {
            "name": screen.name,
            "door": screen.url_name,
            "icon": screen.icon,
            "url": reverse(screen.url_name, args=[project.pk]),
            "current": screen.url_name == current,
        }
        for screen in SCREENS
        if allowed(project, screen.can)
    ]


def page(
    request: HttpRequest,
    template: str,
    project: Project,
    screen: str,
    context: dict[str, Any],
    status: int = 200,
) -> HttpResponse:
    """Render a page of a project with its navigation."""
    shell = {"project": project, "screens": screens_of(project, screen), "Can": Can}
    return render(request, template, shell | context, status=status)
