"""Files of answers that models gave elsewhere: upload, look, begin, watch, decide."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.imports import recordings
from annotator.api.base import Endpoint
from annotator.api.imports import ColumnShape, Decision, Upload, column
from annotator.api.parsing import ObjectField, body
from annotator.errors import InvalidError, NotFoundError
from annotator.formats.answers import AnswerMapping
from annotator.models import Can, Recording, Teacher


class RecordingShape(serializers.ModelSerializer[Recording]):
    """`report` names bad rows by row and column, the models, and names that are no label here.
    `teacher_ids` are the teachers that it became, once it is done."""

    teacher_ids = serializers.SerializerMethodField()

    class Meta:
        model = Recording
        fields = [
            *("id", "state", "job_id", "name", "file_name", "format", "size_bytes", "mapping"),
            *("options", "report", "teacher_ids", "created_at", "finished_at"),
        ]

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_teacher_ids(self, recording: Recording) -> list[int]:
        """In the order in which they were made."""
        rows = Teacher.objects.filter(recording=recording).order_by("pk")
        return list(rows.values_list("pk", flat=True))


class AnswerMappingFields(serializers.Serializer[Any]):
    """The column that holds each part of an answer; empty for none. The item is told by one of
    `id`, `number` and `text`. `spans` in projects that mark them, `order` where candidates are put in
    order, `written` where they are texts, `answers` (the columns that answer a question each) or `label` and `spans` in forms, else `label` or
    `probabilities`."""

    id = column()
    number = column()
    text = column()
    text_b = column()
    label = column()  # type: ignore[assignment]  # a name of ours
    probabilities = column()
    spans = column()
    answers = serializers.ListField(child=column(), default=list)
    order = column()
    written = column()
    confidence = column()
    model = column()
    reason = column()
    tokens_in = column()
    tokens_out = column()
    money = column()
    seconds = column()
    separator = serializers.CharField(
        default="", allow_blank=True, max_length=5, trim_whitespace=False
    )


class AnswerLook(serializers.Serializer[Any]):
    """Without a mapping one is guessed."""

    mapping = AnswerMappingFields(required=False)
    reader = ObjectField(default=dict)


class AnswerStart(AnswerLook):
    """`name` is the teacher's; with several models each one's name follows it."""

    name = serializers.CharField(default="", allow_blank=True, max_length=recordings.LONGEST_NAME)
    bad_rows = serializers.ChoiceField(choices=["ask", "skip"], default="ask")


class AnswerPreviewShape(serializers.Serializer[Any]):
    """`labels` lists [name, count, whether the project has it], `models` [name, count]; `unknown`
    [name, row, column] where each name first stands that is no label of the project."""

    columns = ColumnShape(many=True)
    rows = serializers.ListField(child=serializers.DictField())
    mapping = AnswerMappingFields()
    labels = serializers.ListField(child=serializers.ListField())
    unknown = serializers.ListField(child=serializers.ListField())
    models = serializers.ListField(child=serializers.ListField())
    problems = serializers.ListField(child=serializers.DictField())
    sampled = serializers.IntegerField()
    complete = serializers.BooleanField()


def shown(found: recordings.Look) -> dict[str, Any]:
    """A look as JSON, with the first rows only."""
    return {
        "columns": [asdict(each) for each in found.columns],
        "rows": [{"row": record.row, "fields": record.fields} for record in found.rows[:20]],
        "mapping": found.mapping.to_json(),
        "labels": [list(each) for each in found.labels],
        "unknown": [list(each) for each in found.unknown],
        "models": [list(each) for each in found.models],
        "problems": [asdict(problem) for problem in found.problems],
        "sampled": found.sampled,
        "complete": found.complete,
    }


class OfRecording(Endpoint):
    """An endpoint about one file of answers."""

    def recording(self, project_id: int, recording_id: int) -> Recording:
        project = self.project(project_id, Can.MANAGE)
        rows = Recording.objects.for_user(self.person).filter(project=project, pk=recording_id)
        found = rows.select_related("project", "job").first()
        if found is None:
            raise NotFoundError("There is no such file of answers in this project.")
        return found


class Recordings(Endpoint):
    budget = "heavy"
    parser_classes = [MultiPartParser]

    @extend_schema(
        responses=RecordingShape(many=True), summary="Files of answers made elsewhere, latest first"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Recording.objects.for_user(self.person).filter(project=project)
        return self.page(rows, RecordingShape)

    @extend_schema(
        request={"multipart/form-data": Upload},
        responses={201: RecordingShape},
        summary="Upload answers made elsewhere (multipart, field “file”); nothing is taken yet",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        file = request.FILES.get("file")
        if file is None:
            raise InvalidError("Send the file as multipart field “file”.", field="file")
        made = recordings.receive(project, file, self.person, name=file.name or "")
        made.refresh_from_db()
        return Response(RecordingShape(made).data, status=201)


class OneRecording(OfRecording):
    @extend_schema(responses=RecordingShape, summary="A file of answers: state and report")
    def get(self, request: Request, project_id: int, recording_id: int) -> Response:
        return Response(RecordingShape(self.recording(project_id, recording_id)).data)


class RecordingPreview(OfRecording):
    budget = "heavy"

    @extend_schema(
        request=AnswerLook,
        responses=AnswerPreviewShape,
        summary="Look into an uploaded file of answers; changes nothing",
    )
    def post(self, request: Request, project_id: int, recording_id: int) -> Response:
        found = self.recording(project_id, recording_id)
        wish = body(request, AnswerLook)
        mapping = AnswerMapping.from_json(wish["mapping"]) if "mapping" in wish else None
        return Response(shown(recordings.look(found, mapping=mapping, reader=wish["reader"])))


class RecordingStart(OfRecording):
    budget = "heavy"

    @extend_schema(
        request=AnswerStart,
        responses={202: RecordingShape},
        summary="Read a file of answers; each model in it becomes a teacher",
    )
    def post(self, request: Request, project_id: int, recording_id: int) -> Response:
        found = self.recording(project_id, recording_id)
        wish = body(request, AnswerStart)
        if "mapping" in wish:
            mapping = AnswerMapping.from_json(wish.pop("mapping"))
        else:
            mapping = recordings.look(found, reader=wish["reader"]).mapping
        begun = recordings.begin(found, mapping, self.person, **wish)
        return Response(RecordingShape(begun).data, status=202)


class RecordingDecide(OfRecording):
    @extend_schema(
        request=Decision,
        responses=RecordingShape,
        summary="Settle a file of answers that has bad rows",
    )
    def post(self, request: Request, project_id: int, recording_id: int) -> Response:
        found = self.recording(project_id, recording_id)
        rest = body(request, Decision)["decision"] == "rest"
        decided = recordings.decide(found, "rest" if rest else "discard", self.person)
        return Response(RecordingShape(decided).data)


class RecordingDiscard(OfRecording):
    @extend_schema(
        request=None, responses=RecordingShape, summary="Let a file of answers go, or cancel it"
    )
    def post(self, request: Request, project_id: int, recording_id: int) -> Response:
        found = self.recording(project_id, recording_id)
        return Response(RecordingShape(recordings.discard(found)).data)
