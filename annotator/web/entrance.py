"""Getting in: the first visit makes the owner; invitations and reset links make or mend accounts."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from annotator.actions.projects import people
from annotator.errors import AnnotatorError
from annotator.models import User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


@require_GET
def forgotten(request: HttpRequest) -> HttpResponse:
    """Who makes a link for a new password."""
    return render(request, "account/password_reset.html")


def no_mail(request: HttpRequest) -> HttpResponse:
    """Nothing: no address is verified here, and none is changed."""
    raise Http404("Nothing is sent by e-mail from here.")


class PasswordForm(forms.Form):
    """A new password, twice."""

    password = forms.CharField(
        label="Password",
        help_text="At least 8 characters, not a common one.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="Password again", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def clean_again(self) -> str:
        """Refuse two different passwords."""
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password"):
            raise forms.ValidationError("The two passwords differ.")
        return again


class AccountForm(PasswordForm):
    """A new account: a name, a password twice."""

    field_order = ("username", "email", "password", "again")

    username = forms.CharField(
        label="User name",
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    email = forms.EmailField(
        label="E-mail",
        required=False,
        help_text="Only another name to sign in with; nothing is sent.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


@sensitive_post_parameters()
@require_http_methods(["GET", "POST"])
@never_cache
def welcome(request: HttpRequest) -> HttpResponse:
    """Make the owner of a fresh installation; afterwards this page leads to sign-in."""
    if User.objects.exists():
        return redirect("home" if request.user.is_authenticated else "account_login")
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            owner = people.first_owner(data["username"], data["password"], data["email"])
        except AnnotatorError as error:
            refuse(form, error)
        else:
            login(request, owner, backend=BACKEND)
            messages.success(request, "Welcome. Make a project of a file, or look around first.")
            return redirect("home")
    return render(request, "entrance/welcome.html", {"form": form})


def refuse(form: forms.Form, error: AnnotatorError) -> None:
    """Put a refusal beside the field it is about, or on top of the form."""
    field = error.data.get("field")
    form.add_error(field if isinstance(field, str) and field in form.fields else None, error.detail)
