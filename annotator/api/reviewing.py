"""Flags, and the items that wait for a reviewer's word."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions import assigning, labeling, reviewing
from annotator.api.base import Endpoint, allowed
from annotator.api.items import AnnotationShape, ItemShape
from annotator.api.parsing import IdField, LabelField, body, label_ids, query
from annotator.errors import NotFoundError
from annotator.models import Can, Flag, FlagState, Item, Project


class FlagShape(serializers.ModelSerializer[Flag]):
    class Meta:
        model = Flag
        fields = ["id", "item_id", "raised_by_id", "reason", "state", "created_at", "settled_at"]


class FlagFilters(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=FlagState.choices, required=False)
    item = IdField(required=False)


class NewFlag(serializers.Serializer[Any]):
    item = IdField()
    reason = serializers.CharField(default="", allow_blank=True, max_length=500)


class Word(serializers.Serializer[Any]):
    """A reviewer's word, which decides the item; send the same `uuid` again after a lost response."""

    uuid = serializers.UUIDField()
    item = IdField()
    labels = serializers.ListField(child=LabelField(), max_length=10_000)
    comment = serializers.CharField(
        default="", allow_blank=True, max_length=labeling.LONGEST_COMMENT, trim_whitespace=False
    )


class ItemChoice(serializers.Serializer[Any]):
    item = IdField()


class Settled(serializers.Serializer[Any]):
    settled = serializers.IntegerField()


def item_of(endpoint: Endpoint, project: Project, item_id: int) -> Item:
    """An item of this very project, as far as the person may see it."""
    sees = allowed(project, Can.SEE)
    rows = Item.objects.for_user(endpoint.person, Can.SEE if sees else Can.OPEN)
    rows = rows.present().filter(project=project, pk=item_id)
    item = (rows if sees else rows.met_by(endpoint.person)).first()
    if item is None:
        raise NotFoundError("There is no such item in this project, or you have not met it.")
    return item


class Flags(Endpoint):
    @extend_schema(
        parameters=[FlagFilters], responses=FlagShape(many=True), summary="Questions to reviewers"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = query(request, FlagFilters)
        rows = Flag.objects.for_user(self.person).filter(project=project)
        names = {"state": "state", "item": "item_id"}
        rows = rows.filter(**{column: wish[name] for name, column in names.items() if name in wish})
        return self.page(rows, FlagShape)

    @extend_schema(request=NewFlag, responses={201: FlagShape}, summary="Put an item to a reviewer")
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.LABEL)
        wish = body(request, NewFlag)
        item = item_of(self, project, wish["item"])
        voice = assigning.voice_of(project, self.person)
        raised = labeling.flag(project, voice, item=item, reason=wish["reason"])
        return Response(FlagShape(raised).data, status=201)


class FlagsSettle(Endpoint):
    @extend_schema(
        request=ItemChoice, responses=Settled, summary="Close an item's flags; its label stands"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        item = item_of(self, project, body(request, ItemChoice)["item"])
        return Response({"settled": reviewing.settle_flags(item, self.person)})


class Review(Endpoint):
    @extend_schema(
        responses=ItemShape(many=True), summary="Items whose votes tie or that are flagged"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        rows = reviewing.waiting(project).select_related("verdict")
        return self.page(rows, ItemShape, ordering="number")

    @extend_schema(
        request=Word, responses={201: AnnotationShape}, summary="Decide an item, and its flags"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, Word)
        said = reviewing.settle(
            project,
            self.person,
            uuid=wish["uuid"],
            item=item_of(self, project, wish["item"]),
            labels=label_ids(project, wish["labels"]),
            comment=wish["comment"],
        )
        return Response(AnnotationShape(said).data, status=201)
