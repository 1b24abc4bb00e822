"""Exports: make one, watch it, take it away."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.exports import export_options, exporting
from annotator.api.base import Endpoint
from annotator.api.parsing import body
from annotator.errors import NotFoundError
from annotator.formats import WRITERS
from annotator.models import Can, Project, Snapshot

FORMAT_CHOICES = WRITERS.choices()


class SnapshotShape(serializers.ModelSerializer[Snapshot]):
    """The same snapshot gives the same bytes; `sha256` is of the file that downloads."""

    class Meta:
        model = Snapshot
        fields = [
            *("id", "state", "job_id", "position", "item_count", "options", "manifest"),
            *("size_bytes", "sha256", "created_at"),
        ]


class SnapshotWish(serializers.Serializer[Any]):
    """`splits` are shares of train, validation and test that add up to 1; equal contents never
    part. `pack` is zip, or file where there is only one."""

    format = serializers.ChoiceField(choices=FORMAT_CHOICES, default="jsonl")
    contents = serializers.ListField(
        child=serializers.ChoiceField(choices=["verdicts", "annotations"]),
        default=["verdicts"],
        max_length=2,
    )
    only_decided = serializers.BooleanField(default=False)
    soft = serializers.BooleanField(default=True)
    streams = serializers.BooleanField(default=True)
    splits = serializers.DictField(child=serializers.FloatField(), default=dict)
    split_seed = serializers.CharField(default="concord", max_length=100)
    images = serializers.BooleanField(default=False)
    formula_safe = serializers.BooleanField(default=True)
    pack = serializers.ChoiceField(choices=["zip", "file"], default="zip")


class OfSnapshots(Endpoint):
    """An endpoint about the exports of a project."""

    def snapshot(self, project: Project, snapshot_id: int) -> Snapshot:
        rows = Snapshot.objects.for_user(self.person).filter(project=project)
        snapshot = rows.filter(pk=snapshot_id).first()
        if snapshot is None:
            raise NotFoundError("There is no such export in this project.")
        return snapshot


class Snapshots(OfSnapshots):
    budget = "heavy"

    @extend_schema(responses=SnapshotShape(many=True), summary="Exports, latest first")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Snapshot.objects.for_user(self.person).filter(project=project)
        return self.page(rows, SnapshotShape)

    @extend_schema(
        request=SnapshotWish, responses={202: SnapshotShape}, summary="Export the project as of now"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        options = export_options.Options.from_json(body(request, SnapshotWish))
        snapshot = exporting.create_snapshot(project, options, self.person)
        return Response(SnapshotShape(snapshot).data, status=202)


class OneSnapshot(OfSnapshots):
    @extend_schema(responses=SnapshotShape, summary="An export and its manifest")
    def get(self, request: Request, project_id: int, snapshot_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(SnapshotShape(self.snapshot(project, snapshot_id)).data)


class SnapshotDownload(OfSnapshots):
    budget = "heavy"

    @extend_schema(
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        summary="The file of a finished export",
    )
    def get(self, request: Request, project_id: int, snapshot_id: int) -> FileResponse:
        project = self.project(project_id, Can.MANAGE)
        snapshot = self.snapshot(project, snapshot_id)
        path = exporting.path_of(snapshot)
        response = FileResponse(
            path.open("rb"),
            as_attachment=True,
            filename=exporting.download_name(snapshot),
            content_type="application/octet-stream",
        )
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response
