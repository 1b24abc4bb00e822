"""The instance's list of addresses that teachers may call; for instance admins."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.teachers import endpoints as actions
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.models import Endpoint, Teacher
from annotator.web.entrance import refuse
from annotator.web.pages import person
from annotator.web.teacher_forms import EndpointForm

# Teachers of an endpoint that are named.
TOLD = 5


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def endpoints(request: HttpRequest) -> HttpResponse:
    """The list; a POST adds to it."""
    actions.check_admin(person(request))
    form = EndpointForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.register(person(request), **form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{made.name} may be called from now on.")
            return redirect("endpoints")
    listed = Endpoint.objects.select_related("created_by").order_by("name")
    context = {
        "endpoints": [(each, _used(actions.users(each))) for each in listed],
        "form": form,
        "usual": actions.suggested(),
    }
    return render(request, "teachers/endpoints.html", context, status=422 if form.errors else 200)


@require_POST
@login_required
def switch(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Close an endpoint, open it again, or set its rate."""
    found = _named(request, endpoint_id)
    if "requests_per_minute" in request.POST:
        return _pace(request, found)
    actions.change(found, person(request), enabled=request.POST.get("enabled") == "1")
    told = "is open" if found.enabled else "is closed; calls to it end within seconds"
    messages.success(request, f"{found.name} {told}.")
    return redirect("endpoints")


@require_POST
@login_required
def delete(request: HttpRequest, endpoint_id: int) -> HttpResponse:
    """Take an address off the list."""
    found = _named(request, endpoint_id)
    used = _used(actions.delete(found, person(request)))
    told = f" They ask nothing until they have another one: {used}." if used else ""
    messages.success(request, f"{found.name} and all keys for it are deleted.{told}")
    return redirect("endpoints")


def _named(request: HttpRequest, endpoint_id: int) -> Endpoint:
    actions.check_admin(person(request))
    found = Endpoint.objects.filter(pk=endpoint_id).first()
    if found is None:
        raise NotFoundError("There is no such endpoint.")
    return found


def _used(teachers: list[Teacher]) -> str:
    """Who asks at an endpoint, by name and project."""
    told = [f"{each.name} ({each.project.name})" for each in teachers[:TOLD]]
    more = len(teachers) - len(told)
    return ", ".join(told) + (f" and {more:,} more" if more else "")


def _pace(request: HttpRequest, endpoint: Endpoint) -> HttpResponse:
    typed = request.POST["requests_per_minute"].strip()
    if typed and not (typed.isascii() and typed.isdigit()):
        raise InvalidError("Calls a minute are a whole number, or nothing for no limit.")
    rate = int(typed[:9]) if typed else None
    actions.change(endpoint, person(request), requests_per_minute=rate)
    told = "are not limited here" if rate is None else f"are limited to {rate:,} a minute"
    messages.success(request, f"Calls to {endpoint.name} {told}.")
    return redirect("endpoints")
