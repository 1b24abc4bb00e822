"""The instance's list of hosts that webhooks may lead to; for instance admins."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.webhooks import hosts as actions
from annotator.errors import AnnotatorError
from annotator.models import WebhookHost
from annotator.web.entrance import refuse
from annotator.web.pages import person


class HostForm(forms.Form):
    """A host for the list."""

    host = forms.CharField(
        label="Host",
        max_length=253,
        help_text="A name such as hooks.example.org, or an IP address; no path.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    port = forms.IntegerField(label="Port", min_value=1, max_value=65535, initial=443)
    private = forms.BooleanField(
        label="The name leads into a private network",
        required=False,
        help_text="Then it may lead there only. Not needed for localhost or an IP address.",
    )


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def hosts(request: HttpRequest) -> HttpResponse:
    """The list; a POST adds to it."""
    actions.check_admin(person(request))
    form = HostForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.allow(person(request), **form.cleaned_data)
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"Webhooks may lead to {made} from now on.")
            return redirect("webhook_hosts")
    context = {"hosts": WebhookHost.objects.order_by("host", "port"), "form": form}
    status = 422 if form.errors else 200
    return render(request, "webhooks/hosts.html", context, status=status)


@require_POST
@login_required
def withdraw(request: HttpRequest, host_id: int) -> HttpResponse:
    """Take a host off the list."""
    actions.check_admin(person(request))
    gone = actions.withdraw(person(request), host_id)
    messages.success(request, f"{gone} is off the list: nothing is delivered there any more.")
    return redirect("webhook_hosts")
