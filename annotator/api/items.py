"""Items, what was said about them, and the verdicts that follow."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.explore import areas, searching
from annotator.api.base import Endpoint, allowed
from annotator.api.parsing import IdField, label_of_query, query
from annotator.errors import NotFoundError
from annotator.models import (
    Annotation,
    AnnotationKind,
    Can,
    Item,
    Part,
    Project,
    Stream,
    Verdict,
    VerdictSource,
    VerdictState,
)


class VerdictShape(serializers.ModelSerializer[Verdict]):
    """`soft` gives each label's share of the votes' weight, by label id. `value` is the whole answer
    where it is more than labels; `labels` then holds each label that it names once.

    A verdict of answers to questions about single labels has the state `partial`: `known` lists the
    labels that it knows, and `labels` those of them that are there; nothing is said of the others.
    """

    class Meta:
        model = Verdict
        fields = [
            "item_id",
            "labels",
            "value",
            "soft",
            "known",
            "state",
            "source",
            "voices",
            "position",
            "decided_at",
        ]


class ItemContent(serializers.ModelSerializer[Item]):
    """What an annotator sees of an item."""

    image_url = serializers.SerializerMethodField()

    class Meta:
        model = Item
        fields = [
            "id",
            "number",
            "external_id",
            "text",
            "text_b",
            "candidates",
            "image_url",
            "meta",
        ]

    def get_image_url(self, item: Item) -> str:
        """Where the image lies, or nothing."""
        if not item.image:
            return ""
        return reverse("item_image", args=[item.project_id, item.image])


class ItemShape(ItemContent):
    """What members who may see others' answers see; `part` says what an audit item is for."""

    verdict = serializers.SerializerMethodField()

    class Meta(ItemContent.Meta):
        fields = [
            *ItemContent.Meta.fields,
            *("part", "open", "answers", "batch_id", "created_at", "verdict"),
        ]

    def get_verdict(self, item: Item) -> dict[str, Any] | None:
        """The label that it has now, if it has one."""
        verdict = getattr(item, "verdict", None)
        return VerdictShape(verdict).data if verdict else None


class ItemFilters(serializers.Serializer[Any]):
    query = serializers.CharField(
        required=False,
        max_length=searching.LONGEST_QUERY,
        help_text="Full text, as typed into a search engine; “#42” finds an item by its id.",
    )
    label = serializers.CharField(  # type: ignore[assignment]  # a name of ours
        required=False, max_length=100, help_text="Its verdict names this label (key or id)."
    )
    annotator = IdField(required=False, help_text="This voice has a standing answer to it.")
    batch = IdField(required=False, help_text="It came with this import.")
    stream = serializers.ChoiceField(
        choices=Stream.choices, required=False, help_text="It has an answer of this stream."
    )
    part = serializers.ChoiceField(
        choices=[Part.EVALUATION, Part.CALIBRATION, Part.SEED], required=False
    )
    status = serializers.ChoiceField(choices=list(searching.STATUSES.items()), required=False)
    doubt = serializers.ChoiceField(choices=["high", "low"], required=False)
    area = serializers.CharField(
        required=False,
        max_length=areas.LONGEST,
        help_text="It lies in this part of the map: a region's area, or `name.x-y_x-y_x-y`, an outline.",
    )
    open = serializers.BooleanField(required=False, allow_null=True, default=None)
    external_id = serializers.CharField(required=False, max_length=500)
    number_from = serializers.IntegerField(required=False, min_value=0, max_value=2_147_483_647)
    number_to = serializers.IntegerField(required=False, min_value=0, max_value=2_147_483_647)


def shown_stream(stream: str) -> str:
    """As annotators may know it: a gold item looks like an audit item."""
    return str(Stream.AUDIT if stream == Stream.GOLD else stream)


class AnnotationShape(serializers.ModelSerializer[Annotation]):
    """`previous` is the UUID of the answer that this one follows.

    With a `question`, a label id, the answer is about that label alone: `labels` holds it, or is
    empty for "no". `value` is the whole answer where it is more than labels.
    """

    stream = serializers.SerializerMethodField()
    question = serializers.IntegerField(source="question_id", allow_null=True)
    previous = serializers.SerializerMethodField()

    class Meta:
        model = Annotation
        fields = [
            *("uuid", "item_id", "annotator_id", "kind", "stream", "labels", "value", "question"),
            *("comment", "reason"),
            *("extra", "blind", "seconds", "previous", "created_at"),
        ]

    @extend_schema_field(serializers.ChoiceField(choices=Stream.choices))
    def get_stream(self, annotation: Annotation) -> str:
        """Gold answers are told as such only to those who see others' answers."""
        if self.context.get("sees"):
            return annotation.stream
        return shown_stream(annotation.stream)

    def get_previous(self, annotation: Annotation) -> UUID | None:
        """The UUID of what it follows."""
        return annotation.previous.uuid if annotation.previous else None


class AnnotationFilters(serializers.Serializer[Any]):
    item = IdField(required=False)
    annotator = IdField(required=False)
    kind = serializers.ChoiceField(choices=AnnotationKind.choices, required=False)
    stream = serializers.ChoiceField(choices=Stream.choices, required=False)
    standing = serializers.BooleanField(
        default=False, help_text="Only last words: neither taken back nor changed since."
    )
    mine = serializers.BooleanField(default=False)


class VerdictFilters(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=VerdictState.choices, required=False)
    source = serializers.ChoiceField(choices=VerdictSource.choices, required=False)  # type: ignore[assignment]  # a name of ours
    label = serializers.CharField(required=False, max_length=100)  # type: ignore[assignment]  # a name of ours


class Items(Endpoint):
    @extend_schema(
        parameters=[ItemFilters], responses=ItemShape(many=True), summary="Items, by number"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = chosen(project, query(request, ItemFilters))
        return self.page(rows.select_related("verdict"), ItemShape, ordering="number")


def filter_of(project: Project, wish: dict[str, Any]) -> searching.Filter:
    """The filter that all screens share; no name from outside reaches the database."""
    shared = {"query", "annotator", "batch", "stream", "part", "status", "doubt", "area"}
    given = {name: wish[name] for name in shared if name in wish}
    if "label" in wish:
        given["label"] = label_of_query(project, wish["label"])
    if "items" in wish:
        given["items"] = tuple(wish["items"])
    if "area" in given:
        areas.parse(given["area"])
    return searching.Filter(**given)


def chosen(project: Project, wish: dict[str, Any]) -> QuerySet[Item]:
    """The items that the listed filters keep."""
    columns = {
        "open": "open",
        "external_id": "external_id",
        "number_from": "number__gte",
        "number_to": "number__lte",
    }
    return searching.matching(project, filter_of(project, wish)).filter(
        **{column: wish[name] for name, column in columns.items() if wish.get(name) is not None}
    )


class OneItem(Endpoint):
    @extend_schema(responses=ItemShape, summary="An item; annotators open only what they have met")
    def get(self, request: Request, project_id: int, item_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        sees = allowed(project, Can.SEE)
        rows = Item.objects.for_user(self.person, Can.SEE if sees else Can.OPEN)
        rows = rows.present().filter(project=project, pk=item_id)
        item = (rows if sees else rows.met_by(self.person)).select_related("verdict").first()
        if item is None:
            raise NotFoundError("There is no such item in this project, or you have not met it.")
        return Response((ItemShape if sees else ItemContent)(item).data)


class Annotations(Endpoint):
    @extend_schema(
        parameters=[AnnotationFilters],
        responses=AnnotationShape(many=True),
        summary="The ledger, latest first; annotators see their own",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        wish = query(request, AnnotationFilters)
        rows = Annotation.objects.for_user(self.person, Can.OPEN).filter(project=project)
        if wish["standing"]:
            rows = rows.standing()
        sees = allowed(project, Can.SEE)
        if wish["mine"] or not sees:
            rows = rows.by_user(self.person)
        names = {"item": "item_id", "annotator": "annotator_id", "kind": "kind"}
        rows = rows.filter(**{column: wish[name] for name, column in names.items() if name in wish})
        if "stream" in wish:
            alike = [
                each for each in Stream if wish["stream"] == (each if sees else shown_stream(each))
            ]
            rows = rows.filter(stream__in=alike)
        return self.page(rows.select_related("previous"), AnnotationShape, context={"sees": sees})


class OneAnnotation(Endpoint):
    @extend_schema(responses=AnnotationShape, summary="One annotation by its UUID")
    def get(self, request: Request, project_id: int, uuid: UUID) -> Response:
        project = self.project(project_id, Can.OPEN)
        rows = Annotation.objects.for_user(self.person, Can.OPEN).filter(project=project)
        if not allowed(project, Can.SEE):
            rows = rows.by_user(self.person)
        annotation = rows.select_related("previous").filter(uuid=uuid).first()
        if annotation is None:
            raise NotFoundError("There is no such annotation in this project, or not for you.")
        sees = allowed(project, Can.SEE)
        return Response(AnnotationShape(annotation, context={"sees": sees}).data)


class Verdicts(Endpoint):
    @extend_schema(
        parameters=[VerdictFilters], responses=VerdictShape(many=True), summary="Labels as of now"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        wish = query(request, VerdictFilters)
        rows = Verdict.objects.for_user(self.person).filter(project=project)
        rows = rows.filter(**{name: wish[name] for name in ("state", "source") if name in wish})
        if "label" in wish:
            rows = rows.filter(labels__contains=[label_of_query(project, wish["label"])])
        return self.page(rows, VerdictShape, ordering="item_id")
