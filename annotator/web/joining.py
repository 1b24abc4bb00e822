"""The pages behind links: join a project, choose a new password. The secret is in the address."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from annotator.actions.projects import people
from annotator.errors import AnnotatorError, NotFoundError
from annotator.models import ResetLink, User, hash_secret
from annotator.web.entrance import BACKEND, AccountForm, PasswordForm, refuse


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@never_cache
def join(request: HttpRequest, secret: str) -> HttpResponse:
    """Join a project: as who is signed in, after signing in, or with a new account."""
    invitation = people.open_invitation(secret)
    form = AccountForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        joined = _join(request, secret, form)
        if joined is not None:
            return joined
    context = {"invitation": invitation, "form": form, "secret": secret}
    return render(request, "people/join.html", context, status=422 if form.errors else 200)


def _join(request: HttpRequest, secret: str, form: AccountForm) -> HttpResponse | None:
    """Accept the invitation; None when the form for a new account has to be shown again."""
    if isinstance(request.user, User):
        member = people.accept_invitation(secret, request.user)
    else:
        if not form.is_valid():
            return None
        data = form.cleaned_data
        try:
            # Parts nothing: an account whose link was used up meanwhile is not left behind.
            with transaction.atomic():
                user = people.create_user(data["username"], data["password"], data["email"])
                member = people.accept_invitation(secret, user)
        except AnnotatorError as error:
            refuse(form, error)
            return None
        login(request, user, backend=BACKEND)
    messages.success(request, f"You are in: {member.project.name}, as {member.role}.")
    return redirect("project", project_id=member.project_id)


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@never_cache
def reset_password(request: HttpRequest, secret: str) -> HttpResponse:
    """Choose a new password with a link that an owner made."""
    if not ResetLink.objects.usable().filter(secret_hash=hash_secret(secret)).exists():
        raise NotFoundError("This link was used or has expired. Ask for a new one.")
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            people.use_reset_link(secret, form.cleaned_data["password"])
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, "Your password is changed. Sign in with it.")
            return redirect("account_login")
    context = {"form": form}
    return render(
        request, "people/reset_password.html", context, status=422 if form.errors else 200
    )
