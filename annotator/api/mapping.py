"""The map of the corpus: its regions, its places, and having it drawn."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.explore import mapped, mapping
from annotator.api.base import Endpoint, allowed
from annotator.api.jobs import JobShape
from annotator.api.parsing import body, query
from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import Can, Project

LARGEST_PAGE = 10_000


class RegionShape(serializers.Serializer[Any]):
    """`words` set its texts apart from all others. `x` and `y` are its middle. `area` finds its items,
    wherever items are filtered."""

    number = serializers.IntegerField()
    words = serializers.ListField(child=serializers.CharField())
    items = serializers.IntegerField()
    decided = serializers.IntegerField()
    x = serializers.IntegerField()
    y = serializers.IntegerField()
    area = serializers.CharField()


class MapShape(serializers.Serializer[Any]):
    """`name` changes with every drawing and not when items are added; it begins every `area`.

    `current`: every encoded item that can have a place has one. Before a first drawing `name` is empty.
    """

    name = serializers.CharField(allow_blank=True)
    items = serializers.IntegerField()
    current = serializers.BooleanField()
    regions = RegionShape(many=True)


class MapWish(serializers.Serializer[Any]):
    again = serializers.BooleanField(
        default=False,
        help_text="Draw all of it anew, by a manager; areas of the former map are refused then.",
    )


class PointFilters(serializers.Serializer[Any]):
    after = serializers.IntegerField(
        required=False, min_value=0, max_value=2_147_483_647, help_text="Items above this number."
    )
    limit = serializers.IntegerField(default=1_000, min_value=1, max_value=LARGEST_PAGE)


class PointsShape(serializers.Serializer[Any]):
    """Lists of the same length: item numbers, ascending, their places, and their regions.

    `x` and `y` are whole numbers 1 … 65533, the same that an area's corners are written in. `next`
    is what to send as `after`; null at the end.
    """

    map = serializers.CharField()
    numbers = serializers.ListField(child=serializers.IntegerField())
    x = serializers.ListField(child=serializers.IntegerField())
    y = serializers.ListField(child=serializers.IntegerField())
    regions = serializers.ListField(child=serializers.IntegerField())
    next = serializers.IntegerField(allow_null=True)


class CorpusMap(Endpoint):
    budget = "heavy"

    @extend_schema(
        responses=MapShape, summary="The map of the corpus: its regions with their words"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(MapShape(described(project)).data)

    @extend_schema(
        request=MapWish,
        responses={202: JobShape},
        summary="Draw the map, or place what is new on it",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        again = body(request, MapWish)["again"]
        if again and not allowed(project, Can.MANAGE):
            raise ForbiddenError(
                "A manager has the map drawn anew: areas of the old one end with it."
            )
        job = mapping.wish(project, self.person, again=again)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)


def described(project: Project) -> dict[str, Any]:
    """The map as `MapShape` tells it."""
    known = mapping.current_map(project)
    if known is None:
        return {"name": "", "items": 0, "current": False, "regions": []}
    seen = mapped.shown(project, known)
    return {
        "name": known.name,
        "items": seen.items,
        "current": mapping.fits(project, known),
        "regions": mapped.regions_of(project, known, seen),
    }


class MapPoints(Endpoint):
    budget = "heavy"

    @extend_schema(
        parameters=[PointFilters], responses=PointsShape, summary="Where items lie on the map"
    )
    def get(self, request: Request, project_id: int) -> Response:
        import numpy as np

        project = self.project(project_id, Can.SEE)
        wish = query(request, PointFilters)
        known = mapping.current_map(project)
        if known is None:
            raise NotFoundError("The map is not drawn yet. Ask for it by POST to …/map.")
        seen = mapped.shown(project, known)
        first = wish["after"] + 1 if "after" in wish else 0
        there = np.flatnonzero(seen.regions[first:] != mapped.OFF) + first
        numbers = there[: wish["limit"]]
        places = {
            "map": seen.name,
            "numbers": numbers.tolist(),
            "x": seen.places[numbers, 0].tolist(),
            "y": seen.places[numbers, 1].tolist(),
            "regions": seen.regions[numbers].tolist(),
            "next": int(numbers[-1]) if len(there) > len(numbers) else None,
        }
        return Response(PointsShape(places).data)
