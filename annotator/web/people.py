"""Members of a project, for managers: roles, quotas, links."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from annotator.actions.projects import people
from annotator.errors import AnnotatorError, NotFoundError
from annotator.models import Can, ImportBatch, Invitation, Membership, Project, Role
from annotator.web.entrance import refuse
from annotator.web.pages import allowed, page, person, project_for

ROLE_TEXTS = {
    Role.OWNER: "everything, and deleting the project",
    Role.MANAGER: "data, labels, settings, people",
    Role.REVIEWER: "labels, sees others' answers, settles ties and flags",
    Role.ANNOTATOR: "labels, and sees only their own answers",
    Role.VIEWER: "looks at figures and items, changes nothing",
}


class InvitationForm(forms.Form):
    """A link for somebody to join with."""

    role = forms.ChoiceField(label="Role", choices=Role.choices, initial=Role.ANNOTATOR)
    max_uses = forms.IntegerField(label="For how many people", min_value=1, initial=1)
    days = forms.IntegerField(
        label="Valid for days", min_value=1, max_value=people.LINK_DAYS_AT_MOST, initial=7
    )
    note = forms.CharField(
        label="Note",
        max_length=200,
        required=False,
        help_text="For yourself: whom this link is for.",
    )


class MemberForm(forms.Form):
    """What a member may do, and how much."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)
    quota = forms.IntegerField(
        label="Quota",
        min_value=0,
        required=False,
        help_text="Items this person may answer here in all. Empty: no limit.",
    )
    batch = forms.TypedChoiceField(
        label="Only items of this import", required=False, coerce=int, empty_value=None
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer the project's own imports."""
        super().__init__(*args, **kwargs)
        found = ImportBatch.objects.filter(project=project, state="done").order_by("-id")
        choices: Any = [("", "Any import"), *((each.pk, each.file_name) for each in found[:200])]
        self.fields["batch"].choices = choices  # type: ignore[attr-defined]


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def members(request: HttpRequest, project_id: int) -> HttpResponse:
    """Members and links; a POST makes a link, whose secret is shown in the answer only."""
    project = project_for(request, project_id, Can.MANAGE)
    form = InvitationForm(request.POST or None)
    link, status = "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            values = dict(form.cleaned_data)
            try:
                _, secret = people.invite(project, person(request), values.pop("role"), **values)
            except AnnotatorError as error:
                refuse(form, error)
            else:
                link = request.build_absolute_uri(reverse("join", args=[secret]))
                status, form = 200, InvitationForm()
    context = {
        "members": Membership.objects.filter(project=project)
        .select_related("user", "batch")
        .order_by("pk"),
        "invitations": Invitation.objects.filter(project=project)
        .usable()
        .select_related("created_by")
        .order_by("-pk"),
        "form": form,
        "link": link,
        "roles": [(role.label, text) for role, text in ROLE_TEXTS.items()],
        "tab": "members",
        "may_manage": True,
        "may_reset": allowed(project, Can.OWN),
    }
    return page(request, "people/members.html", project, "annotators", context, status)


def member_for(request: HttpRequest, project: Project, member_id: int) -> Membership:
    found = (
        Membership.objects.for_user(request.user, Can.MANAGE)
        .filter(project=project, pk=member_id)
        .select_related("user", "project")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such member in this project.")
    return found


@require_http_methods(["GET", "POST"])
@login_required
def member(request: HttpRequest, project_id: int, member_id: int) -> HttpResponse:
    """Change one member."""
    project = project_for(request, project_id, Can.MANAGE)
    found = member_for(request, project, member_id)
    initial = {"role": found.role, "quota": found.quota, "batch": found.batch_id}
    form = MemberForm(request.POST or None, project=project, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            people.change_member(
                found,
                person(request),
                role=data["role"],
                quota=data["quota"],
                batch_id=data["batch"],
            )
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, f"{found.user} is changed.")
            return redirect("members", project_id=project.pk)
    context = {"form": form, "member": found, "may_reset": allowed(project, Can.OWN)}
    status = 422 if form.errors else 200
    return page(request, "people/member.html", project, "annotators", context, status)


@require_POST
@login_required
def leave(request: HttpRequest, project_id: int) -> HttpResponse:
    """Take oneself off the project."""
    project = project_for(request, project_id, Can.OPEN)
    mine = Membership.objects.get(project=project, user=person(request))
    people.remove_member(mine, person(request))
    messages.success(
        request, f"You have left {project.name}. Your answers stay, what you held is free."
    )
    return redirect("home")


@require_POST
@login_required
def remove(request: HttpRequest, project_id: int, member_id: int) -> HttpResponse:
    """Take a member off the project."""
    project = project_for(request, project_id, Can.MANAGE)
    found = member_for(request, project, member_id)
    who = str(found.user)
    people.remove_member(found, person(request))
    messages.success(request, f"{who} is off the project. What they held is free again.")
    if found.user_id == person(request).pk:
        return redirect("home")
    return redirect("members", project_id=project.pk)


@require_POST
@login_required
def revoke(request: HttpRequest, project_id: int, invitation_id: int) -> HttpResponse:
    """Make a link useless."""
    project = project_for(request, project_id, Can.MANAGE)
    found = (
        Invitation.objects.for_user(request.user, Can.MANAGE)
        .filter(project=project, pk=invitation_id)
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such link in this project.")
    people.revoke_invitation(found)
    messages.success(request, "The link is revoked.")
    return redirect("members", project_id=project.pk)


@require_POST
@never_cache
@login_required
def reset(request: HttpRequest, project_id: int, member_id: int) -> HttpResponse:
    """Make a link with which a member chooses a new password; shown in this answer only."""
    project = project_for(request, project_id, Can.OWN)
    found = member_for(request, project, member_id)
    secret = people.reset_link(found.user, person(request))
    context = {
        "member": found,
        "link": request.build_absolute_uri(reverse("reset_password", args=[secret])),
    }
    return page(request, "people/reset_link.html", project, "annotators", context)
