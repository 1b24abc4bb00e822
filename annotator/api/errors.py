"""One shape for every refusal of the API: {"code", "detail", "field"?}."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.db import IntegrityError, InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from annotator.errors import AnnotatorError

logger = logging.getLogger(__name__)

DATABASE_BACK_IN_SECONDS = 3
UNAVAILABLE_BACK_IN_SECONDS = 5
UNKNOWN_CALLER = (
    "No token came with the request. Send “Authorization: Token …”; one is made under Access tokens, or with "
    "manage.py create_token."
)

_CODES: tuple[tuple[type[exceptions.APIException], str], ...] = (
    (exceptions.NotAuthenticated, "not_authenticated"),
    (exceptions.AuthenticationFailed, "authentication_failed"),
    (exceptions.PermissionDenied, "forbidden"),
    (exceptions.NotFound, "not_found"),
    (exceptions.MethodNotAllowed, "method_not_allowed"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type"),
    (exceptions.Throttled, "throttled"),
    (exceptions.ParseError, "malformed"),
)


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer a refusal in the one shape; None for what is a defect and must be seen as one."""
    response = _response(exc)
    if response is not None:
        set_rollback()
    return response


def _response(exc: Exception) -> Response | None:
    if isinstance(exc, AnnotatorError):
        return _refusal(exc)
    if isinstance(exc, exceptions.ValidationError):
        field, detail = first_problem(exc.detail)
        return shaped(422, "invalid", detail, field=field)
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    if isinstance(exc, Http404):
        return shaped(404, "not_found", "There is nothing at this address, or not for you.")
    if isinstance(exc, PermissionDenied):
        return shaped(403, "forbidden", "You may not do this.")
    if isinstance(exc, RequestDataTooBig | TooManyFieldsSent):
        return shaped(413, "too_large", "The request is too large. Send less at once.")
    if isinstance(exc, UnreadablePostError | SuspiciousOperation):
        return shaped(400, "malformed", "The request cannot be read.")
    return _of_database(exc)


def _refusal(exc: AnnotatorError) -> Response:
    field = exc.data.get("field")
    response = shaped(exc.status, exc.code, exc.detail, field=str(field) if field else "")
    if exc.status == 503:
        response["Retry-After"] = str(UNAVAILABLE_BACK_IN_SECONDS)
    return response


def _of_framework(exc: exceptions.APIException) -> Response:
    code = next((code for kind, code in _CODES if isinstance(exc, kind)), "refused")
    detail = UNKNOWN_CALLER if code == "not_authenticated" else str(exc.detail)
    response = shaped(exc.status_code, code, detail)
    if isinstance(exc, exceptions.Throttled):
        wait = max(1, round(getattr(exc, "wait", None) or 1))
        response = shaped(429, code, f"Too many requests. Try again in {wait} s.")
        response["Retry-After"] = str(wait)
    header = getattr(exc, "auth_header", None)
    if header:
        response["WWW-Authenticate"] = header
    return response


def _of_database(exc: Exception) -> Response | None:
    if isinstance(exc, OperationalError | InterfaceError):
        logger.warning("the database did not answer: %s", exc)
        response = shaped(
            503,
            "database_unavailable",
            "The database is not answering. Nothing was stored; send the same request again.",
        )
        response["Retry-After"] = str(DATABASE_BACK_IN_SECONDS)
        return response
    if isinstance(exc, IntegrityError):
        logger.error("two writes met", exc_info=exc)
        return shaped(
            409, "conflict", "Somebody changed this at the same moment. Read it again, then retry."
        )
    return None


def shaped(status: int, code: str, detail: str, *, field: str = "") -> Response:
    """Make the response of a refusal."""
    body = {"code": code, "detail": detail}
    if field:
        body["field"] = field
    return Response(body, status=status)


def first_problem(detail: Any, path: str = "") -> tuple[str, str]:
    """Find the first (field, sentence) in a tree of validation errors; lists count from 0."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        here = "" if name == "non_field_errors" else str(name)
        return first_problem(inner, f"{path}.{here}".strip("."))
    if isinstance(detail, list):
        for place, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                if inner:
                    return first_problem(inner, f"{path}.{place}".strip("."))
            else:
                return path, str(inner)
        return path, "This is not valid."
    return path, str(detail)
