"""Refusals become pages: the same code and status as the API gives, with the sentence."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from annotator.errors import AnnotatorError

TITLES = {
    403: "Not allowed",
    404: "Not found",
    409: "Not any more",
    413: "Too large",
    422: "That cannot be right",
    503: "One moment",
}


class RefusalMiddleware:
    """Shows an AnnotatorError that a page let through; anything else is a bug and stays one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Keep the rest of the chain."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass through; only `process_exception` does anything."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Turn a refusal into a page, or into a notice where a part of a page asked."""
        if not isinstance(exception, AnnotatorError) or request.path.startswith("/api/"):
            return None
        in_page = request.headers.get("X-Requested-With") == "fetch" or bool(
            getattr(request, "htmx", False)
        )
        context = {
            "title": TITLES.get(exception.status, "That did not work"),
            "detail": exception.detail,
            "status": exception.status,
            "code": exception.code,
            "back": _came_from(request),
        }
        template = "components/refusal.html" if in_page else "error.html"
        return render(request, template, context, status=exception.status)


def _came_from(request: HttpRequest) -> str:
    """The page of ours that led here; empty where there was none, or it is the refused one."""
    back = request.headers.get("Referer", "")
    hosts = {request.get_host()}
    is_ours = url_has_allowed_host_and_scheme(back, hosts, require_https=request.is_secure())
    return back if is_ours and back != request.build_absolute_uri() else ""
