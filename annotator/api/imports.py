"""Files on their way in: upload, look, begin, watch, decide, take back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.imports import importing, looking, undoing
from annotator.api.base import Endpoint
from annotator.api.jobs import JobShape
from annotator.api.parsing import ObjectField, Strict, body
from annotator.errors import InvalidError, NotFoundError
from annotator.formats import FORMATS
from annotator.formats.mapping import Mapping
from annotator.formats.preview import Preview
from annotator.models import Can, ImportBatch, Project

FORMAT_CHOICES = [("", "As found"), *FORMATS.choices()]


def column() -> serializers.CharField:
    """A column's name, which may hold blanks; empty for none."""
    return serializers.CharField(
        default="", allow_blank=True, max_length=500, trim_whitespace=False
    )


class ImportShape(serializers.ModelSerializer[ImportBatch]):
    """`report` names bad rows by row and column, duplicates, labels and what was refused."""

    class Meta:
        model = ImportBatch
        fields = [
            *("id", "state", "job_id", "file_name", "format", "sha256", "size_bytes"),
            *("mapping", "options", "report", "rows_read", "items_added", "first_number"),
            *("created_at", "finished_at"),
        ]


class Upload(serializers.Serializer[Any]):
    file = serializers.FileField()


class MappingFields(Strict):
    """The column that holds each part of an item; empty for none."""

    text = column()
    text_b = column()
    candidates = serializers.ListField(
        child=serializers.CharField(max_length=500, trim_whitespace=False),
        default=list,
        max_length=20,
        help_text="A column for each candidate, or one that holds a list of them.",
    )
    label = column()  # type: ignore[assignment]  # a name of ours
    voices = serializers.ListField(
        child=serializers.CharField(max_length=500, trim_whitespace=False),
        default=list,
        max_length=200,
        help_text="Columns with one annotator's answer each; the voice is called as its column is.",
    )
    id = column()
    image = column()
    metadata = serializers.ListField(
        child=serializers.CharField(max_length=500, trim_whitespace=False), default=list
    )
    separator = serializers.CharField(
        default="", allow_blank=True, max_length=5, trim_whitespace=False
    )


class OptionFields(Strict):
    labels = serializers.ChoiceField(choices=list(get_args(importing.LabelMode)), default="votes")
    duplicates = serializers.ChoiceField(choices=["skip", "keep"], default="skip")
    new_labels = serializers.ChoiceField(choices=["create", "refuse"], default="create")
    bad_rows = serializers.ChoiceField(choices=["ask", "skip"], default="ask")
    format = serializers.ChoiceField(choices=FORMAT_CHOICES, default="")
    reader = ObjectField(default=dict)
    voice = serializers.CharField(default="", allow_blank=True, max_length=100)


class Look(serializers.Serializer[Any]):
    format = serializers.ChoiceField(choices=FORMAT_CHOICES, default="")
    reader = ObjectField(default=dict)
    mapping = MappingFields(required=False)


class Start(serializers.Serializer[Any]):
    """Without a mapping the guessed one is taken."""

    mapping = MappingFields(required=False)
    options = OptionFields(default=dict)


class Decision(serializers.Serializer[Any]):
    """`rest` imports the good rows; `retry` lets the file go, so that a mended one can follow."""

    decision = serializers.ChoiceField(choices=["rest", "retry"])


class ColumnShape(serializers.Serializer[Any]):
    name = serializers.CharField()
    examples = serializers.ListField(child=serializers.CharField())
    filled = serializers.IntegerField()
    distinct = serializers.IntegerField()
    mean_characters = serializers.FloatField()


class PreviewShape(serializers.Serializer[Any]):
    """`labels` lists [name, count] as the mapping finds them in the sampled rows."""

    format = serializers.CharField()
    columns = ColumnShape(many=True)
    rows = serializers.ListField(child=serializers.DictField())
    mapping = MappingFields()
    labels = serializers.ListField(child=serializers.ListField())
    problems = serializers.ListField(child=serializers.DictField())
    sampled = serializers.IntegerField()
    complete = serializers.BooleanField()
    notes = serializers.ListField(child=serializers.CharField())
    reader = serializers.DictField(
        help_text="What the rows were read with; give it back as `options.reader` to import them so."
    )


def shown(found: Preview) -> dict[str, Any]:
    """A preview as JSON; images are named, not sent."""
    return {
        "format": found.format,
        "columns": [asdict(column) for column in found.columns],
        "rows": [{"row": record.row, "fields": record.fields} for record in found.rows],
        "mapping": found.mapping.to_json(),
        "labels": [list(pair) for pair in found.labels],
        "problems": [asdict(problem) for problem in found.problems],
        "sampled": found.sampled,
        "complete": found.complete,
        "notes": found.notes,
        "reader": found.reader,
    }


class OfImport(Endpoint):
    """An endpoint about one import of a project."""

    def batch(self, project_id: int, import_id: int) -> ImportBatch:
        project = self.project(project_id, Can.MANAGE)
        rows = ImportBatch.objects.for_user(self.person).filter(project=project)
        batch = rows.select_related("project", "job").filter(pk=import_id).first()
        if batch is None:
            raise NotFoundError("There is no such import in this project.")
        return batch


class Imports(Endpoint):
    budget = "heavy"
    parser_classes = [MultiPartParser]

    @extend_schema(responses=ImportShape(many=True), summary="Imports, latest first")
    def get(self, request: Request, project_id: int) -> Response:
        project: Project = self.project(project_id, Can.MANAGE)
        rows = ImportBatch.objects.for_user(self.person).filter(project=project)
        return self.page(rows, ImportShape)

    @extend_schema(
        request={"multipart/form-data": Upload},
        responses={201: ImportShape},
        summary="Upload a file (multipart, field “file”); nothing is imported yet",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        file = request.FILES.get("file")
        if file is None:
            raise InvalidError("Send the file as multipart field “file”.", field="file")
        batch = importing.receive(project, file, self.person, name=file.name or "")
        return Response(ImportShape(batch).data, status=201)


class OneImport(OfImport):
    @extend_schema(responses=ImportShape, summary="An import: state and report")
    def get(self, request: Request, project_id: int, import_id: int) -> Response:
        return Response(ImportShape(self.batch(project_id, import_id)).data)


class ImportPreview(OfImport):
    budget = "heavy"

    @extend_schema(
        request=Look, responses=PreviewShape, summary="Look into an uploaded file; changes nothing"
    )
    def post(self, request: Request, project_id: int, import_id: int) -> Response:
        batch = self.batch(project_id, import_id)
        wish = body(request, Look)
        mapping = Mapping.from_json(wish["mapping"]) if "mapping" in wish else None
        found = looking.look(batch, format=wish["format"], reader=wish["reader"], mapping=mapping)
        return Response(shown(found))


class ImportStart(OfImport):
    budget = "heavy"

    @extend_schema(request=Start, responses={202: ImportShape}, summary="Import an uploaded file")
    def post(self, request: Request, project_id: int, import_id: int) -> Response:
        batch = self.batch(project_id, import_id)
        wish = body(request, Start)
        options = importing.Options.from_json(wish["options"])
        mapping = Mapping.from_json(wish["mapping"]) if "mapping" in wish else None
        begun = importing.begin(batch, mapping, options, self.person)
        return Response(ImportShape(begun).data, status=202)


class ImportDecide(OfImport):
    @extend_schema(
        request=Decision, responses=ImportShape, summary="Settle an import that has bad rows"
    )
    def post(self, request: Request, project_id: int, import_id: int) -> Response:
        batch = self.batch(project_id, import_id)
        rest = body(request, Decision)["decision"] == "rest"
        decided = importing.decide(batch, "rest" if rest else "discard", self.person)
        return Response(ImportShape(decided).data)


class ImportDiscard(OfImport):
    @extend_schema(
        request=None, responses=ImportShape, summary="Let a file go, or cancel its import"
    )
    def post(self, request: Request, project_id: int, import_id: int) -> Response:
        return Response(ImportShape(importing.discard(self.batch(project_id, import_id))).data)


class ImportUndo(OfImport):
    @extend_schema(
        request=None,
        responses={202: JobShape},
        summary="Undo an import while nobody has answered or flagged an item of it",
    )
    def post(self, request: Request, project_id: int, import_id: int) -> Response:
        job = undoing.undo_import(self.batch(project_id, import_id), self.person)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)
