"""What every response carries, and what a lost database looks like from outside."""

import logging
import sys
from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


def security_headers(get_response: GetResponse) -> GetResponse:
    """Put the strict content security policy on every response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        return response

    return middleware


RETRY_AFTER_SECONDS = 3


class DatabaseGoneMiddleware:
    """Answer 503 and when to come back while PostgreSQL is away, instead of an error page."""

    def __init__(self, get_response: GetResponse) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass through; only `process_exception` does anything."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn a lost or overloaded database into 503; leave everything else alone."""
        return database_gone(request, exception) if is_database_gone(exception) else None


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for what no page caught; sessions meet a lost database outside of any page."""
    error = sys.exc_info()[1]
    if is_database_gone(error):
        return database_gone(request, error)
    return defaults.server_error(request)


def is_database_gone(error: BaseException | None) -> bool:
    """Tell a database that is away or too slow from a wrong question to it."""
    return isinstance(error, OperationalError | InterfaceError)


def database_gone(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """Say that the database is away, without asking it anything; the log is told why."""
    told = str(error).partition("\n")[0]  # further lines may quote what somebody typed
    logger.warning("The database did not answer %s: %s", request.path, told)
    detail = "The database is not answering. Your work is kept on this page; try again shortly."
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse({"code": "database_unavailable", "detail": detail}, status=503)
    else:
        page = render_to_string("unavailable.html", {"detail": detail})
        response = HttpResponse(page, status=503)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
