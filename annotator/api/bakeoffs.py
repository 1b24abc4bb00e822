"""Encoders of a project: which suits its labels best, and changing to it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.encoders import bakeoffs
from annotator.actions.simulations.simulating import mean_as_json
from annotator.api.base import Endpoint
from annotator.api.jobs import JobShape
from annotator.api.parsing import ObjectField, body
from annotator.api.simulations import MeanShape
from annotator.errors import InvalidError, NotFoundError
from annotator.models import BakeOff, Can, Project


class EncoderStanding(serializers.Serializer[Any]):
    """`quality` over the draws, and what the best has over it, draw by draw (`behind`); null where it
    failed or is not measured yet. `seconds` are the worker's for 1,000 items."""

    number = serializers.IntegerField(help_text="Its place in the comparison, to use it.")
    encoder = serializers.CharField()
    encoder_params = ObjectField()
    name = serializers.CharField()
    in_use = serializers.BooleanField()
    quality = MeanShape(allow_null=True)
    behind = MeanShape(allow_null=True)
    clearly_behind = serializers.BooleanField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    dimensions = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()


class BakeOffShape(serializers.ModelSerializer[BakeOff]):
    """`job_id` is the work to follow or cancel; `standings` best first; `said` their sentence."""

    items = serializers.SerializerMethodField()
    standings = serializers.SerializerMethodField()
    said = serializers.SerializerMethodField()

    class Meta:
        model = BakeOff
        fields = ["id", "job_id", "items", "standings", "said", "created_at"]

    def get_items(self, bakeoff: BakeOff) -> int:
        """How many labelled items the draws are from; 0 before it began."""
        return len(bakeoff.items)

    @extend_schema_field(EncoderStanding(many=True))
    def get_standings(self, bakeoff: BakeOff) -> list[dict[str, Any]]:
        """The encoders, best first."""
        return [_told(each) for each in bakeoffs.standings(bakeoff)]

    def get_said(self, bakeoff: BakeOff) -> str:
        """What the ranking says; empty while two are not measured."""
        return bakeoffs.in_words(bakeoffs.standings(bakeoff))


def _told(each: bakeoffs.Standing) -> dict[str, Any]:
    place = each.place
    return {
        "number": each.number,
        "encoder": each.candidate.encoder,
        "encoder_params": each.candidate.params,
        "name": each.candidate.label,
        "in_use": each.in_use,
        "quality": None if place is None else mean_as_json(place.score),
        "behind": None if place is None else mean_as_json(place.behind),
        "clearly_behind": None if place is None else place.clearly_behind,
        "seconds": each.seconds,
        "dimensions": each.dimensions,
        "error": each.error,
    }


class Wanted(serializers.Serializer[Any]):
    encoder = serializers.CharField(max_length=32)
    encoder_params = ObjectField(default=dict)


class BakeOffWish(serializers.Serializer[Any]):
    """Encoders beside the one in use; without any, all that are installed."""

    encoders = Wanted(many=True, required=False)


class UseWish(serializers.Serializer[Any]):
    number = serializers.IntegerField(min_value=0, max_value=100)


class OfBakeOffs(Endpoint):
    """An endpoint about one comparison of a project."""

    def bakeoff(self, project: Project, bakeoff_id: int) -> BakeOff:
        rows = BakeOff.objects.for_user(self.person).filter(project=project)
        found = rows.select_related("project", "job").filter(pk=bakeoff_id).first()
        if found is None:
            raise NotFoundError("There is no such comparison in this project.")
        return found


class BakeOffs(OfBakeOffs):
    budget = "heavy"

    @extend_schema(
        responses=BakeOffShape(many=True), summary="Comparisons of encoders, latest first"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = BakeOff.objects.for_user(self.person).filter(project=project)
        return self.page(rows.select_related("project", "job"), BakeOffShape)

    @extend_schema(
        request=BakeOffWish,
        responses={202: BakeOffShape},
        summary="Compare encoders on the project's own labels",
    )
    def post(self, request: Request, project_id: int) -> Response:
        from learning.encoders import ENCODERS

        project = self.project(project_id, Can.MANAGE)
        wanted = body(request, BakeOffWish).get("encoders")
        for each in wanted or []:
            if each["encoder"] not in ENCODERS:
                known = ", ".join(ENCODERS)
                raise InvalidError(f"An encoder is one of {known}.", field="encoders")
        chosen = bakeoffs.installed(project)
        if wanted is not None:
            pairs = [(each["encoder"], each["encoder_params"]) for each in wanted]
            chosen = [bakeoffs.candidate(*pair) for pair in pairs]
        made = bakeoffs.create(project, chosen, self.person)
        return Response(BakeOffShape(self.bakeoff(project, made.pk)).data, status=202)


class OneBakeOff(OfBakeOffs):
    @extend_schema(responses=BakeOffShape, summary="A comparison of encoders")
    def get(self, request: Request, project_id: int, bakeoff_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(BakeOffShape(self.bakeoff(project, bakeoff_id)).data)


class BakeOffUse(OfBakeOffs):
    @extend_schema(
        request=UseWish,
        responses={202: JobShape},
        summary="Change to a compared encoder; the present one serves until every item is encoded",
    )
    def post(self, request: Request, project_id: int, bakeoff_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.bakeoff(project, bakeoff_id)
        job = bakeoffs.use(found, body(request, UseWish)["number"], self.person)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)
