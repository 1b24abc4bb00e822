"""Who I am, my tokens, the members of a project and the links that invite them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.projects import people, tokens
from annotator.api.base import Endpoint
from annotator.api.parsing import IdField, body
from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import Can, Invitation, Membership, Project, Role, User


class PersonShape(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "username", "email"]


class TokenShape(serializers.ModelSerializer[AuthToken]):
    """`prefix` is how a token begins; it names the token where it is revoked."""

    prefix = serializers.CharField(source="token_key")
    created_at = serializers.DateTimeField(source="created")
    expires_at = serializers.DateTimeField(source="expiry")

    class Meta:
        model = AuthToken
        fields = ["prefix", "created_at", "expires_at"]


class TokenWish(serializers.Serializer[Any]):
    days = serializers.IntegerField(default=90, min_value=1, max_value=tokens.DAYS_AT_MOST)


class FreshToken(TokenShape):
    """With the secret, which is never shown again."""

    token = serializers.CharField()

    class Meta(TokenShape.Meta):
        fields = [*TokenShape.Meta.fields, "token"]


class MemberShape(serializers.ModelSerializer[Membership]):
    username = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user")

    class Meta:
        model = Membership
        fields = [
            *("id", "username", "name", "role", "quota", "batch_id", "admitted_at", "created_at"),
        ]


class MemberChange(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices, required=False)
    quota = serializers.IntegerField(
        min_value=0, max_value=2_000_000_000, allow_null=True, required=False
    )
    batch_id = IdField(allow_null=True, required=False)


class ResetLinkShape(serializers.Serializer[Any]):
    secret = serializers.CharField()


class InvitationShape(serializers.ModelSerializer[Invitation]):
    class Meta:
        model = Invitation
        fields = [
            *("id", "role", "note", "max_uses", "uses", "created_at", "expires_at", "revoked_at"),
        ]


class InvitationWish(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices, default=Role.ANNOTATOR)
    max_uses = serializers.IntegerField(default=1, min_value=1, max_value=10_000)
    days = serializers.IntegerField(default=7, min_value=1, max_value=people.LINK_DAYS_AT_MOST)
    note = serializers.CharField(default="", allow_blank=True, max_length=200)


class FreshInvitation(InvitationShape):
    """With the secret of the link, which is never shown again."""

    secret = serializers.CharField()

    class Meta(InvitationShape.Meta):
        fields = [*InvitationShape.Meta.fields, "secret"]


class Secret(serializers.Serializer[Any]):
    secret = serializers.CharField(max_length=200)


class WhoAmI(Endpoint):
    @extend_schema(responses=PersonShape, summary="The person behind this request")
    def get(self, request: Request) -> Response:
        return Response(PersonShape(self.person).data)


class Tokens(Endpoint):
    budget = "secrets"

    @extend_schema(responses=TokenShape(many=True), summary="My tokens", filters=False)
    def get(self, request: Request) -> Response:
        mine = AuthToken.objects.filter(user=self.person).order_by("-created")
        return Response({"results": TokenShape(mine, many=True).data})

    @extend_schema(
        request=TokenWish, responses={201: FreshToken}, summary="Make a token, shown this once"
    )
    def post(self, request: Request) -> Response:
        if request.auth is not None:
            raise ForbiddenError(
                "A token makes no further tokens. Sign in with the browser, or run "
                "“manage.py create_token”."
            )
        token, secret = tokens.create_token(self.person, **body(request, TokenWish))
        return Response(TokenShape(token).data | {"token": secret}, status=201)


class Token(Endpoint):
    @extend_schema(responses={204: None}, summary="Revoke a token of mine")
    def delete(self, request: Request, prefix: str) -> Response:
        tokens.revoke_token(self.person, prefix)
        return Response(status=204)


class Members(Endpoint):
    @extend_schema(responses=MemberShape(many=True), summary="Members of a project")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        members = Membership.objects.for_user(self.person, Can.SEE).filter(project=project)
        return self.page(members.select_related("user"), MemberShape, ordering="id")


class Member(Endpoint):
    def member(self, project: Project, member_id: int) -> Membership:
        rows = Membership.objects.for_user(self.person, Can.OPEN).select_related("user", "project")
        found = rows.filter(project=project, pk=member_id).first()
        if found is None:
            raise NotFoundError("There is no such member in this project.")
        return found

    @extend_schema(
        request=MemberChange, responses=MemberShape, summary="Change a role, a quota or a limit"
    )
    def patch(self, request: Request, project_id: int, member_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        member = self.member(project, member_id)
        now = {"role": member.role, "quota": member.quota, "batch_id": member.batch_id}
        people.change_member(member, self.person, **(now | body(request, MemberChange)))
        return Response(MemberShape(self.member(project, member_id)).data)

    @extend_schema(responses={204: None}, summary="Remove a member, or leave the project oneself")
    def delete(self, request: Request, project_id: int, member_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        member = self.member(project, member_id)
        if member.user_id != self.person.pk:
            self.project(project_id, Can.MANAGE)
        people.remove_member(member, self.person)
        return Response(status=204)


class MemberReset(Member):
    budget = "secrets"
    http_method_names = ["post"]

    @extend_schema(
        request=None,
        responses={201: ResetLinkShape},
        summary="Make a one-day link with which a member chooses a new password",
    )
    def post(self, request: Request, project_id: int, member_id: int) -> Response:
        project = self.project(project_id, Can.OWN)
        member = self.member(project, member_id)
        secret = people.reset_link(member.user, self.person)
        return Response({"secret": secret}, status=201)


class Invitations(Endpoint):
    budget = "secrets"

    @extend_schema(responses=InvitationShape(many=True), summary="Invitation links of a project")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Invitation.objects.for_user(self.person).filter(project=project)
        return self.page(rows, InvitationShape)

    @extend_schema(
        request=InvitationWish,
        responses={201: FreshInvitation},
        summary="Make an invitation link; its secret is shown this once",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        made, secret = people.invite(project, self.person, **body(request, InvitationWish))
        return Response(InvitationShape(made).data | {"secret": secret}, status=201)


class InvitationEnd(Endpoint):
    @extend_schema(responses={204: None}, summary="Revoke an invitation link")
    def delete(self, request: Request, project_id: int, invitation_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Invitation.objects.for_user(self.person).filter(project=project)
        invitation = rows.filter(pk=invitation_id).first()
        if invitation is None:
            raise NotFoundError("There is no such invitation in this project.")
        people.revoke_invitation(invitation)
        return Response(status=204)


class InvitationAccept(Endpoint):
    budget = "secrets"

    @extend_schema(request=Secret, responses=MemberShape, summary="Join the project behind a link")
    def post(self, request: Request) -> Response:
        member = people.accept_invitation(body(request, Secret)["secret"], self.person)
        return Response(MemberShape(member).data | {"project_id": member.project_id})
