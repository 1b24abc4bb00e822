"""What every response carries, and what a lost database looks like from outside."""

from collections.abc import Callable

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

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

GetResponse = Callable[[HttpRequest], HttpResponse]


def security_headers(get_response: GetResponse) -> GetResponse:
    """Put the strict content security policy on every response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response["Permissions-Policy"] = PERMISSIONS_POLICY
        return response

    return middleware


class DatabaseGoneMiddleware:
    """Answer 503 and when to come back while PostgreSQL is away, instead of an error page."""

    retry_after_seconds = 3

    def __init__(self, get_response: GetResponse) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass through; only `process_exception` does anything."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn a lost or overloaded database into 503; leave everything else alone."""
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        detail = "The database is not answering. Your work is kept on this page; try again shortly."
        response: HttpResponse
        if request.path.startswith("/api/"):
            response = JsonResponse({"code": "database_unavailable", "detail": detail}, status=503)
        else:
            response = render(request, "unavailable.html", {"detail": detail}, status=503)
        response["Retry-After"] = str(self.retry_after_seconds)
        return response
