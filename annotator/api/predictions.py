"""Files that a student labels: ask, follow, take away."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.students import predictions
from annotator.api.parsing import IdField, body
from annotator.api.students import OfStudents
from annotator.errors import NotFoundError
from annotator.models import Can, PredictedFile, Project


class PredictionShape(serializers.ModelSerializer[PredictedFile]):
    """`rows` is null until the file was read through; `report` tells of rows without a text (`silent`)
    and of rows or images that could not be read. `job_id` is the work to follow or cancel."""

    number = serializers.IntegerField(source="student.number", default=None, allow_null=True)

    class Meta:
        model = PredictedFile
        fields = [
            *("id", "state", "job_id", "student_id", "number", "file_name", "settings"),
            *("rows", "columns", "report", "size_bytes", "sha256", "error"),
            *("created_at", "finished_at"),
        ]


class PredictionWish(serializers.Serializer[Any]):
    """A file of texts (multipart), or a zip of images where the project's items are images. `text` and, for two
    texts, `text_b` name its columns; empty ones are guessed, and images have none. The labelled file has its columns, of
    images `image` (the path in the zip), `name` and `folder`; then `predicted_label` (or `predicted_labels`),
    `predicted_probability` and, with `soft`, every label's probability. Where answers mark spans: `predicted_labels`,
    `predicted_spans` (`start`, `end`, `label`, `text` and `probability` of each) and, with `soft`, how likely each label
    is marked somewhere. A column of its own that is called so is kept under the name in `report.renamed`."""

    file = serializers.FileField()
    text = serializers.CharField(default="", allow_blank=True, max_length=500)
    text_b = serializers.CharField(default="", allow_blank=True, max_length=500)
    format = serializers.ChoiceField(choices=predictions.WRITTEN, default="csv")
    soft = serializers.BooleanField(default=False)
    student = IdField(required=False, help_text="Another version than the current one.")


class OfPredictions(OfStudents):
    """An endpoint about one labelled file of a project."""

    def prediction(self, project: Project, prediction_id: int) -> PredictedFile:
        rows = PredictedFile.objects.for_user(self.person).filter(project=project)
        found = rows.select_related("student").filter(pk=prediction_id).first()
        if found is None:
            raise NotFoundError("There is no such labelled file in this project.")
        return found


class Predictions(OfPredictions):
    budget = "heavy"
    parser_classes = [MultiPartParser]

    @extend_schema(responses=PredictionShape(many=True), summary="Labelled files, latest first")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = PredictedFile.objects.for_user(self.person).filter(project=project)
        return self.page(rows.select_related("student"), PredictionShape)

    @extend_schema(
        request={"multipart/form-data": PredictionWish},
        responses={202: PredictionShape},
        summary="Label a file by a student",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, PredictionWish)
        file = wish.pop("file")
        named = wish.pop("student", None)
        made = predictions.create(
            project,
            file,
            predictions.Wish.from_json(wish),
            self.person,
            name=file.name or "",
            version=None if named is None else self.student(project, named),
        )
        made.refresh_from_db()
        return Response(PredictionShape(made).data, status=202)


class OnePrediction(OfPredictions):
    @extend_schema(responses=PredictionShape, summary="A labelled file and how far it is")
    def get(self, request: Request, project_id: int, prediction_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(PredictionShape(self.prediction(project, prediction_id)).data)


class PredictionDownload(OfPredictions):
    budget = "heavy"

    @extend_schema(
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
        summary="The labelled file",
    )
    def get(self, request: Request, project_id: int, prediction_id: int) -> FileResponse:
        project = self.project(project_id, Can.MANAGE)
        found = self.prediction(project, prediction_id)
        response = FileResponse(
            predictions.path_of(found).open("rb"),
            as_attachment=True,
            filename=predictions.download_name(found),
            content_type="application/octet-stream",
        )
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "private, no-store"
        return response
