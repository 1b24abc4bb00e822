"""What every endpoint starts with: the person, the project, what their role allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response
from rest_framework.views import APIView

from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import ROLES, Can, Project, Role, User

if TYPE_CHECKING:
    from rest_framework.request import Request

PAGE = 100
LARGEST_PAGE = 500
_NUMBER = re.compile(r"[0-9]{1,18}\Z")


class Pages(CursorPagination):
    """Pages by key, so that page 1,000 costs what page 1 does: `?limit=`, then follow `next`."""

    page_size = PAGE
    max_page_size = LARGEST_PAGE
    page_size_query_param = "limit"
    invalid_cursor_message = "This cursor is not one that the API gave."
    ordering = "-id"

    def decode_cursor(self, request: Request) -> Any:
        """The place to go on from; a cursor that we did not give is refused."""
        cursor: Any = super().decode_cursor(request)
        position = cursor.position if cursor is not None else None
        if position is not None and not _NUMBER.match(position):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class Endpoint(APIView):
    """Parse, one action or one read, render. Objects come from `for_user` only."""

    pagination_class = Pages
    metadata_class = None
    budget = "usual"

    @property
    def person(self) -> User:
        """Who asks; behind IsAuthenticated."""
        return cast("User", self.request.user)

    def project(self, project_id: int, can: Can) -> Project:
        """A project in which this person may do that.

        Strangers learn nothing of it (404); a member hears that the role is not enough (403).
        """
        mine = Project.objects.for_user(self.person, Can.OPEN).with_role(self.person)
        project = mine.select_related("current_student").filter(pk=project_id).first()
        if project is None:
            raise NotFoundError("There is no such project, or you have no part in it.")
        role = role_in(project)
        if role not in ROLES[can]:
            raise ForbiddenError(f"As {role.label.lower()} you may not do this in the project.")
        return project

    def page(
        self,
        rows: QuerySet[Any],
        shape: type[serializers.BaseSerializer[Any]],
        *,
        ordering: str = "-id",
        context: dict[str, Any] | None = None,
    ) -> Response:
        """One page of rows in the order given, which must be unique and of whole numbers."""
        pages = Pages()
        pages.ordering = ordering
        found = pages.paginate_queryset(rows, self.request, view=self)
        rendered = shape(found, many=True, context=context or {}).data
        return pages.get_paginated_response(rendered)


def role_in(project: Project) -> Role:
    """The role that `with_role` found."""
    return Role(cast("Any", project).role)


def allowed(project: Project, can: Can) -> bool:
    """Whether the role that `with_role` found allows this."""
    return role_in(project) in ROLES[can]
