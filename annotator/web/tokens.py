"""A person's access tokens for programs: made, shown once, revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from knox.models import AuthToken

from annotator.actions.projects import tokens as actions
from annotator.errors import AnnotatorError
from annotator.web.pages import person

CHOICES = ((7, "a week"), (30, "a month"), (90, "three months"), (365, "a year"))


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def tokens(request: HttpRequest) -> HttpResponse:
    """The person's tokens; a POST makes one and shows its secret this once."""
    me = person(request)
    context: dict[str, Any] = {"choices": CHOICES}
    status = 200
    if request.method == "POST":
        days = request.POST.get("days", "")
        try:
            _, context["secret"] = actions.create_token(
                me, days=int(days) if days.isdecimal() else 0
            )
        except AnnotatorError as error:
            context["problem"], status = error.detail, error.status
    context["tokens"] = AuthToken.objects.filter(user=me).order_by("-created")
    return render(request, "settings/tokens.html", context, status=status)


@require_POST
@login_required
def revoke(request: HttpRequest) -> HttpResponse:
    """Revoke one of the person's own tokens."""
    actions.revoke_token(person(request), request.POST.get("key", ""))
    messages.success(request, "The token is revoked. Programs that use it stop working now.")
    return redirect("tokens")
