"""Search by type in projects of spans: hits, and what a person says of them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.explore import seeding, spotting
from annotator.actions.explore.spot_examples import LONGEST_WORDS, Place
from annotator.api.base import Endpoint
from annotator.api.parsing import LabelField, body, label_ids, label_of_query, query
from annotator.errors import InvalidError
from annotator.models import Can, Label, Project

LARGEST = 2**31 - 1


class PlaceShape(serializers.Serializer[Any]):
    """A stretch of an item's text: the item's number, and characters `start` to before `end`."""

    number = serializers.IntegerField(min_value=0, max_value=LARGEST)
    start = serializers.IntegerField(min_value=0, max_value=LARGEST)
    end = serializers.IntegerField(min_value=0, max_value=LARGEST)


class SpotFilters(serializers.Serializer[Any]):
    label = serializers.CharField(  # type: ignore[assignment]
        max_length=200, help_text="Its id or key."
    )
    such_as = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=LONGEST_WORDS,
        help_text="Words that are one, with commas between them.",
    )
    number = serializers.IntegerField(
        min_value=0, max_value=LARGEST, required=False, help_text="With start and end: like this."
    )
    start = serializers.IntegerField(min_value=0, max_value=LARGEST, required=False)
    end = serializers.IntegerField(min_value=0, max_value=LARGEST, required=False)


class HitShape(serializers.Serializer[Any]):
    """`probability` (0 … 1) where the student says so, else null; `like`: the example it is most like."""

    place = PlaceShape()
    quote = serializers.SerializerMethodField()
    probability = serializers.FloatField(allow_null=True)
    like = serializers.CharField()

    def get_quote(self, hit: spotting.Hit) -> str:
        """The stretch itself."""
        return hit.parts[1]


class SpotsShape(serializers.Serializer[Any]):
    """Hits, best first, from so many examples; `seen` of `texts` were read in the time given."""

    results = HitShape(many=True, source="hits")
    examples = serializers.IntegerField()
    seen = serializers.IntegerField()
    texts = serializers.IntegerField()


class SpotsWish(serializers.Serializer[Any]):
    label = LabelField()  # type: ignore[assignment]
    kept = PlaceShape(many=True, default=list)
    refused = PlaceShape(many=True, default=list)


class StepShape(serializers.Serializer[Any]):
    """What a person said of hits, as one step; `waiting` of its items have no answer yet."""

    id = serializers.IntegerField(source="seeding.pk")
    label = serializers.IntegerField(source="seeding.label_id")  # type: ignore[assignment]
    kept = serializers.ListField(source="seeding.kept")
    refused = serializers.ListField(source="seeding.refused")
    waiting = serializers.IntegerField()


class Spots(Endpoint):
    budget = "heavy"

    @extend_schema(
        parameters=[SpotFilters],
        responses=SpotsShape,
        summary="Stretches that look like a label, in items that wait for an answer",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        asked = query(request, SpotFilters)
        like = None
        if {"number", "start", "end"} <= asked.keys():
            like = Place(number=asked["number"], start=asked["start"], end=asked["end"])
        label = Label.objects.get(pk=label_of_query(project, asked["label"]))
        found = spotting.search(project, label, such_as=asked["such_as"], like=like)
        return Response(SpotsShape(found).data)

    @extend_schema(
        request=SpotsWish,
        responses={201: StepShape},
        summary="Confirm or refuse hits: confirmed ones are suggested on their items, which come first",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, SpotsWish)
        kept, refused = ([Place(**each) for each in wish[name]] for name in ("kept", "refused"))
        made = spotting.judge(project, self.person, _label(project, wish["label"]), kept, refused)
        return Response(StepShape(seeding.as_standing(made)).data, status=201)


class OneSpots(Endpoint):
    @extend_schema(
        responses={204: None}, summary="Take such a step back; answers that were given stay"
    )
    def delete(self, request: Request, project_id: int, seeding_id: int) -> Response:
        spotting.take_back(self.project(project_id, Can.REVIEW), seeding_id)
        return Response(status=204)


def _label(project: Project, given: int | str) -> Label:
    (pk,) = label_ids(project, [given])
    found = project.live_labels().filter(pk=pk).first()
    if found is None:
        raise InvalidError(f"Label {pk} is not in this project's schema.", field="label")
    return found
