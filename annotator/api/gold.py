"""Gold items, the entry round, and alarms about people's answers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.desk import entering, golding
from annotator.actions.verdicts import alarming
from annotator.api.base import Endpoint
from annotator.api.parsing import IdField, body
from annotator.api.people import MemberShape
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Can, GoldItem, Item, Membership, VerdictSource


class GoldShape(serializers.ModelSerializer[GoldItem]):
    """`labels` are the ids of the known answer, as it was decided when the item became gold."""

    item_id = serializers.IntegerField()

    class Meta:
        model = GoldItem
        fields = ["id", "item_id", "labels", "note", "created_at"]


class GoldWish(serializers.Serializer[Any]):
    """Either `items`, or `count` drawn at random from those that `known_from` decided."""

    items = serializers.ListField(child=IdField(), required=False, max_length=golding.MOST_AT_ONCE)
    note = serializers.CharField(default="", allow_blank=True, max_length=golding.LONGEST_NOTE)
    count = serializers.IntegerField(min_value=1, max_value=golding.MOST_AT_ONCE, required=False)
    known_from = serializers.ChoiceField(
        choices=[(each.value, each.label) for each in golding.KNOWN],
        default=VerdictSource.REVIEWER.value,
    )


class AlarmShape(serializers.Serializer[Any]):
    """A figure to look at, with its evidence in words; nothing follows from it by itself."""

    annotator_id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=["speed", "same-label", "gold", "agreement"])
    evidence = serializers.CharField()


class Gold(Endpoint):
    @extend_schema(responses=GoldShape(many=True), summary="The gold items that are asked")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = GoldItem.objects.for_user(self.person).standing().filter(project=project)
        return self.page(rows, GoldShape)

    @extend_schema(
        request=GoldWish,
        responses={201: GoldShape(many=True)},
        summary="Make items gold whose answer a reviewer or an imported truth decided",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, GoldWish)
        if wish.get("items"):
            rows = Item.objects.filter(project=project, pk__in=wish["items"]).present()
            if len(items := list(rows)) < len(set(wish["items"])):
                raise NotFoundError("Not all of these items are in the project.")
            made = golding.add(project, self.person, items, note=wish["note"])
        elif "count" in wish:
            made = golding.add_some(project, self.person, wish["count"], wish["known_from"])
        else:
            raise InvalidError("Send “items” or “count”.", field="items")
        return Response({"results": GoldShape(made, many=True).data}, status=201)


class OneGold(Endpoint):
    @extend_schema(responses={204: None}, summary="Ask a gold item no more")
    def delete(self, request: Request, project_id: int, gold_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = GoldItem.objects.for_user(self.person).filter(project=project, pk=gold_id).first()
        if found is None:
            raise NotFoundError("There is no such gold item in this project.")
        golding.end(found)
        return Response(status=204)


class MemberAdmit(Endpoint):
    http_method_names = ["post"]

    @extend_schema(
        request=None, responses=MemberShape, summary="Let an annotator in, whatever the entry round"
    )
    def post(self, request: Request, project_id: int, member_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Membership.objects.for_user(self.person).select_related("user")
        found = rows.filter(project=project, pk=member_id).first()
        if found is None:
            raise NotFoundError("There is no such member in this project.")
        entering.admit(found)
        found.refresh_from_db()
        return Response(MemberShape(found).data)


class Alarms(Endpoint):
    @extend_schema(
        responses=AlarmShape(many=True), summary="What a reviewer should look at", filters=False
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        return Response({"results": [asdict(alarm) for alarm in alarming.of(project)]})
