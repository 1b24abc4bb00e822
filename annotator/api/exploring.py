"""Similar items, labelling many at once, and asking people about what was found."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.explore import bulk, neighbours, searching, seeding
from annotator.api.base import Endpoint
from annotator.api.items import ItemFilters, ItemShape, filter_of
from annotator.api.jobs import JobShape, job_of
from annotator.api.parsing import IdField, LabelField, body, label_ids, query
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import Can, Item, Project

MOST_SIMILAR = 100


class SimilarFilters(serializers.Serializer[Any]):
    count = serializers.IntegerField(default=20, min_value=1, max_value=MOST_SIMILAR)
    labelled = serializers.BooleanField(default=False, help_text="Only items with a label.")


class SimilarShape(serializers.Serializer[Any]):
    """`similarity` is the cosine, −1…1. `seen` of `rows` items were looked at in the time given."""

    item = ItemShape()
    similarity = serializers.FloatField()


class SimilarPage(serializers.Serializer[Any]):
    results = SimilarShape(many=True)
    seen = serializers.IntegerField()
    rows = serializers.IntegerField()


class BulkFilter(ItemFilters):
    """As for the list of items, and `items`: chosen ids."""

    items = serializers.ListField(child=IdField(), max_length=searching.MOST_CHOSEN, required=False)
    open = None  # type: ignore[assignment]  # a filter of the list alone, and so are these
    external_id = None  # type: ignore[assignment]
    number_from = None  # type: ignore[assignment]
    number_to = None  # type: ignore[assignment]


class BulkWish(serializers.Serializer[Any]):
    filter = BulkFilter()
    labels = serializers.ListField(child=LabelField(), max_length=10_000)
    overrule = serializers.BooleanField(
        default=False, help_text="Answer also items that others have decided."
    )


class BulkCounts(serializers.Serializer[Any]):
    """Of the hits: audit items (left alone), my own answers (left alone), decided the same way or
    otherwise by others, and fresh ones."""

    hits = serializers.IntegerField()
    audit = serializers.IntegerField()
    mine = serializers.IntegerField()
    decided_same = serializers.IntegerField()
    decided_other = serializers.IntegerField()
    fresh = serializers.IntegerField()


class SeedingWish(serializers.Serializer[Any]):
    """Either a filter, as for labelling many items, or an example: the id of an item."""

    filter = BulkFilter(required=False)
    example = IdField(required=False)


class SeedingShape(serializers.Serializer[Any]):
    """`waiting` of the `items` (numbers, best first) are not answered yet; `words` says what they are."""

    id = serializers.IntegerField(source="seeding.pk")
    words = serializers.CharField()
    query = serializers.CharField(source="seeding.query")
    example_id = serializers.IntegerField(source="seeding.example_id", allow_null=True)
    items = serializers.ListField(child=serializers.IntegerField(), source="seeding.numbers")
    waiting = serializers.IntegerField()
    created_at = serializers.SerializerMethodField()

    def get_created_at(self, standing: seeding.Standing) -> datetime:
        """When it was wished."""
        return standing.seeding.created_at


class SeedingList(serializers.Serializer[Any]):
    results = SeedingShape(many=True)


class Similar(Endpoint):
    budget = "heavy"

    @extend_schema(
        parameters=[SimilarFilters], responses=SimilarPage, summary="The items most like an item"
    )
    def get(self, request: Request, project_id: int, item_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        wish = query(request, SimilarFilters)
        rows = Item.objects.for_user(self.person).present().filter(project=project)
        item = rows.filter(pk=item_id).first()
        if item is None:
            raise NotFoundError("There is no such item in this project.")
        found = neighbours.nearest(project, item, wish["count"], labelled=wish["labelled"])
        if found is None:
            raise ConflictError("This item is not encoded yet; look at the project's jobs.")
        near = rows.filter(number__in=[number for number, _ in found.pairs])
        items = {each.number: each for each in near.select_related("verdict")}
        results = [
            {"item": ItemShape(items[number]).data, "similarity": round(score, 6)}
            for number, score in found.pairs
            if number in items
        ]
        return Response({"results": results, "seen": found.seen, "rows": found.rows})


class BulkPreview(Endpoint):
    budget = "heavy"

    @extend_schema(
        request=BulkWish, responses=BulkCounts, summary="Count what labelling all hits would do"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, BulkWish)
        labels = label_ids(project, wish["labels"])
        counts = bulk.preview(project, self.person, filter_of(project, wish["filter"]), labels)
        return Response(asdict(counts))


class Bulk(Endpoint):
    budget = "heavy"

    @extend_schema(
        request=BulkWish, responses={202: JobShape}, summary="Label all hits in my name, by a job"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, BulkWish)
        job = bulk.start_bulk(
            project,
            self.person,
            filter_of(project, wish["filter"]),
            label_ids(project, wish["labels"]),
            overrule=wish["overrule"],
        )
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)


class BulkUndo(Endpoint):
    @extend_schema(
        request=None, responses={202: JobShape}, summary="Take back what such a job labelled"
    )
    def post(self, request: Request, project_id: int, job_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        undo = bulk.undo_bulk(project, self.person, job_of(self, project, job_id))
        undo.refresh_from_db()
        return Response(JobShape(undo).data, status=202)


class Seedings(Endpoint):
    budget = "heavy"

    @extend_schema(
        responses=SeedingList, summary="What people are asked about first, as leads wished"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response({"results": SeedingShape(seeding.standing(project), many=True).data})

    @extend_schema(
        request=SeedingWish,
        responses={201: SeedingShape},
        summary="Ask people about the hits of a filter, or what is like an example, first",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, SeedingWish)
        if ("filter" in wish) == ("example" in wish):
            raise InvalidError("Send either a filter or an example.", field="filter")
        if "filter" in wish:
            made = seeding.ask_hits(project, self.person, filter_of(project, wish["filter"]))
        else:
            made = seeding.ask_similar(project, self.person, self._item(project, wish["example"]))
        return Response(SeedingShape(seeding.as_standing(made)).data, status=201)

    def _item(self, project: Project, item_id: int) -> Item:
        found = Item.objects.for_user(self.person).present().filter(project=project, pk=item_id)
        item = found.first()
        if item is None:
            raise NotFoundError("There is no such item in this project.")
        return item


class OneSeeding(Endpoint):
    @extend_schema(
        responses={204: None}, summary="Take such a wish back; answers that were given stay"
    )
    def delete(self, request: Request, project_id: int, seeding_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        seeding.take_back(project, seeding_id)
        return Response(status=204)
