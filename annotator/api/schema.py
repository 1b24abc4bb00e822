"""The OpenAPI schema, a plain page of it, and the answer for addresses that do not exist."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api import described
from annotator.api.base import Endpoint
from annotator.errors import NotFoundError


class Operation(AutoSchema):
    """How the schema describes an operation."""

    def get_description(self) -> str:  # type: ignore[override]
        """What its own method says, and not what a base of endpoints says of itself."""
        return inspect.getdoc(getattr(self.view, self.method.lower())) or ""


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes a token."""

    target_class = "annotator.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The header that carries it."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "Token-based: `Authorization: Token …`",
        }


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the schema describes a signed-in browser."""

    target_class = "annotator.api.authentication.PageSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """The cookie that carries it."""
        return {"type": "apiKey", "in": "cookie", "name": "concord_session"}


@cache
def schema() -> dict[str, Any]:
    """The schema of every operation: it takes most of a second to make and never changes."""
    generator: Any = SchemaGenerator  # ships no types
    made: dict[str, Any] = generator().get_schema(request=None, public=True)
    return made


@cache
def groups() -> list[described.Group]:
    """The same, as the page tells it."""
    return described.groups(schema())


class Schema(Endpoint):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(schema())


class Docs(Endpoint):
    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return render(request._request, "api/docs.html", {"groups": groups()})


class NothingHere(Endpoint):
    """Any other address below /api/: 404 in the one shape, whatever the method."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = []
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFoundError("There is nothing at this address. /api/v1/docs lists what there is.")

    def get(self, request: Request, rest: str) -> Response:
        raise AssertionError("initial() refuses every request")
