"""A project's webhooks: the list, one of them with what became of its messages, and one message."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotator.actions.teachers.endpoints import is_admin
from annotator.actions.webhooks import letters
from annotator.actions.webhooks import webhooks as actions
from annotator.errors import AnnotatorError, NotFoundError
from annotator.event_kinds import EVENTS
from annotator.models import Can, Delivery, DeliveryState, Project, Webhook, WebhookHost
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for

LISTED = 50


class WebhookForm(forms.Form):
    """A webhook's name, address and choice of events."""

    name = forms.CharField(label="Name", max_length=Webhook.LONGEST_NAME)
    url = forms.CharField(
        label="Address",
        max_length=Webhook.LONGEST_URL,
        help_text="Such as https://hooks.example.org/concord. Its host is on the instance's list. "
        "What follows a ? is shown nowhere but here.",
        widget=forms.TextInput(
            attrs={"inputmode": "url", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    events = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, kind.says) for name, kind in EVENTS.items()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def webhooks(request: HttpRequest, project_id: int) -> HttpResponse:
    """The project's webhooks; a POST adds one and shows its secret this once."""
    project = project_for(request, project_id, Can.MANAGE)
    form = WebhookForm(request.POST or None, initial={"events": list(EVENTS)})
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = actions.register(project, person(request), **form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            return _shown(request, project, made, secret=secret)
    rows = Webhook.objects.for_user(person(request)).filter(project=project).order_by("-pk")
    context = {
        "tab": "webhooks",
        "form": form,
        "webhooks": [(each, _last(each)) for each in rows],
        "hosts": WebhookHost.objects.order_by("host", "port"),
        "is_admin": is_admin(person(request)),
    }
    status = 422 if form.errors else 200
    return page(request, "webhooks/webhooks.html", project, "settings", context, status)


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def webhook(request: HttpRequest, project_id: int, webhook_id: int) -> HttpResponse:
    """One webhook and its latest messages; a POST changes it."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _found(request, project, webhook_id)
    form = WebhookForm(request.POST or None, initial=_initial(found))
    if request.method == "POST" and form.is_valid():
        try:
            actions.change(found, **form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("webhook", project_id=project.pk, webhook_id=found.pk)
    return _shown(request, project, found, form=form)


@require_GET
@never_cache
@login_required
def state(request: HttpRequest, project_id: int, webhook_id: int) -> HttpResponse:
    """The latest messages anew, while some are under way."""
    project = project_for(request, project_id, Can.MANAGE)
    context = {"project": project, **_deliveries(_found(request, project, webhook_id))}
    return render(request, "webhooks/deliveries.html", context)


@require_POST
@login_required
def switch(request: HttpRequest, project_id: int, webhook_id: int) -> HttpResponse:
    """Switch a webhook off, or on again."""
    project = project_for(request, project_id, Can.MANAGE)
    found = actions.change(
        _found(request, project, webhook_id), enabled=request.POST.get("enabled") == "1"
    )
    told = "is on" if found.enabled else "is off; nothing is kept for it meanwhile"
    messages.success(request, f"{found.name} {told}.")
    return redirect("webhook", project_id=project.pk, webhook_id=found.pk)


@require_POST
@never_cache
@login_required
def secret(request: HttpRequest, project_id: int, webhook_id: int) -> HttpResponse:
    """Make a new secret and show it this once."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _found(request, project, webhook_id)
    return _shown(request, project, found, secret=actions.rotate(found))


@require_POST
@login_required
def test(request: HttpRequest, project_id: int, webhook_id: int) -> HttpResponse:
    """Send a test; how it ended shows among the messages within seconds."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _found(request, project, webhook_id)
    actions.send_test(found)
    return redirect("webhook", project_id=project.pk, webhook_id=found.pk)


@require_POST
@login_required
def remove(request: HttpRequest, project_id: int, webhook_id: int) -> HttpResponse:
    """Remove a webhook."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _found(request, project, webhook_id)
    actions.remove(found)
    messages.success(request, f"{found.name} is removed. Nothing is sent there any more.")
    return redirect("webhooks", project_id=project.pk)


@require_GET
@never_cache
@login_required
def delivery(
    request: HttpRequest, project_id: int, webhook_id: int, delivery_id: int
) -> HttpResponse:
    """One message as its receiver reads it."""
    project = project_for(request, project_id, Can.MANAGE)
    found = _delivery(request, project, webhook_id, delivery_id)
    body = json.dumps(letters.message(found), ensure_ascii=False, indent=2)
    context = {"tab": "webhooks", "webhook": found.webhook, "each": found, "body": body}
    return page(request, "webhooks/delivery.html", project, "settings", context)


@require_POST
@login_required
def again(request: HttpRequest, project_id: int, webhook_id: int, delivery_id: int) -> HttpResponse:
    """Send a message again."""
    project = project_for(request, project_id, Can.MANAGE)
    actions.send_again(_delivery(request, project, webhook_id, delivery_id))
    return redirect("webhook", project_id=project.pk, webhook_id=webhook_id)


def _found(request: HttpRequest, project: Project, webhook_id: int) -> Webhook:
    rows = Webhook.objects.for_user(person(request)).filter(project=project)
    found = rows.filter(pk=webhook_id).first()
    if found is None:
        raise NotFoundError("There is no such webhook in this project.")
    return found


def _delivery(
    request: HttpRequest, project: Project, webhook_id: int, delivery_id: int
) -> Delivery:
    webhook = _found(request, project, webhook_id)
    rows = Delivery.objects.for_user(person(request)).filter(webhook=webhook)
    found = rows.select_related("webhook").filter(pk=delivery_id).first()
    if found is None:
        raise NotFoundError("There is no such delivery; only the latest are kept.")
    return found


def _shown(
    request: HttpRequest,
    project: Project,
    webhook: Webhook,
    *,
    form: WebhookForm | None = None,
    secret: str = "",
) -> HttpResponse:
    form = form or WebhookForm(initial=_initial(webhook))
    context = {"tab": "webhooks", "form": form, "secret": secret, **_deliveries(webhook)}
    status = 422 if form.errors else 200
    return page(request, "webhooks/webhook.html", project, "settings", context, status)


def _initial(webhook: Webhook) -> dict[str, Any]:
    return {"name": webhook.name, "url": webhook.url, "events": webhook.events}


def _last(webhook: Webhook) -> Delivery | None:
    tried = Delivery.objects.filter(webhook=webhook).exclude(tried_at=None)
    return tried.order_by("-tried_at").first()


def _deliveries(webhook: Webhook) -> dict[str, Any]:
    rows = Delivery.objects.filter(webhook=webhook)
    under_way = rows.filter(state=DeliveryState.WAITING, apart=True).exists()
    waiting = rows.waiting().count()
    return {
        "webhook": webhook,
        "deliveries": rows.order_by("-pk").defer("data")[:LISTED],
        "waiting": waiting,
        # A page that is left open asks again only while something is about to happen.
        "at_work": under_way or bool(waiting and webhook.enabled and webhook.retry_at is None),
    }
