"""Versions of what a teacher that is a language model is told."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.teachers import prompt_trials, prompts
from annotator.api.parsing import body, query
from annotator.api.teachers import OfTeacher, TeacherRunShape
from annotator.errors import ConflictError
from annotator.models import Can, TeacherPrompt


class PromptShape(serializers.ModelSerializer[TeacherPrompt]):
    """`settings`: the parameters of the teacher that make the prompt."""

    settings = serializers.DictField()

    class Meta:
        model = TeacherPrompt
        fields = ["id", "version", "settings", "created_at"]


class PromptWish(serializers.Serializer[Any]):
    """What is left out stays. `demonstrations`: solved items shown; `candidates`: labels offered for
    an item, 0 for all."""

    instructions = serializers.CharField(max_length=20_000, allow_blank=True, required=False)
    confidence = serializers.BooleanField(required=False)
    reason = serializers.BooleanField(required=False)
    demonstrations = serializers.IntegerField(min_value=0, max_value=50, required=False)
    candidates = serializers.IntegerField(min_value=0, max_value=1_000, required=False)
    text_limit = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)


class TeacherPrompts(OfTeacher):
    @extend_schema(
        responses=PromptShape(many=True), summary="Versions of a teacher's prompt, latest first"
    )
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        return self.page(TeacherPrompt.objects.filter(teacher=found), PromptShape)

    @extend_schema(
        request=PromptWish, responses={201: PromptShape}, summary="Write the next version"
    )
    def post(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        made = prompts.change(found, self.person, **body(request, PromptWish))
        made.refresh_from_db()
        return Response(PromptShape(made).data, status=201)


class WrittenQuery(serializers.Serializer[Any]):
    """The number of the item that the prompt is about."""

    item = serializers.IntegerField(min_value=0, max_value=999_999_999)


class WrittenShape(serializers.Serializer[Any]):
    """`answer_format` is the JSON schema that endpoints get which take one. `examples` solved items are
    in it and `labels` labels on offer; `missing` says why some cannot be chosen now, else empty. The
    marks around texts and the items' ids are drawn anew for each call."""

    item = serializers.IntegerField(source="number")
    system = serializers.CharField()
    user = serializers.CharField()
    answer_format = serializers.DictField()
    examples = serializers.IntegerField()
    labels = serializers.IntegerField()
    missing = serializers.CharField()


class TeacherPromptWritten(OfTeacher):
    @extend_schema(
        parameters=[WrittenQuery],
        responses=WrittenShape,
        summary="The present prompt about an item, as it is sent: system part and user part",
    )
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        number = query(request, WrittenQuery)["item"]
        return Response(WrittenShape(prompts.written(found, number)).data)


class TeacherPromptRestore(OfTeacher):
    @extend_schema(
        request=None,
        responses={201: PromptShape},
        summary="Tell an earlier version again, as a new one",
    )
    def post(self, request: Request, project_id: int, teacher_id: int, version: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        made = prompts.restore(found, version, self.person)
        made.refresh_from_db()
        return Response(PromptShape(made).data, status=201)


class CompareWish(serializers.Serializer[Any]):
    """The versions to put to the same items."""

    versions = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=1_000_000),
        min_length=2,
        max_length=prompt_trials.MOST_VERSIONS,
    )


class PromptShareShape(serializers.Serializer[Any]):
    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()


class ComparedShape(serializers.Serializer[Any]):
    """`behind` the best, in shares of the items, between `low` and `high`. standing: best, as good or
    worse; `money` is per item."""

    version = serializers.CharField(source="name")
    right = PromptShareShape()
    abstained = PromptShareShape()
    behind = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    standing = serializers.CharField()
    money = serializers.FloatField()


class ComparisonShape(serializers.Serializer[Any]):
    """`by`: audit, or agreement with other voices; `rows` are best first, none while it is under way."""

    versions = serializers.ListField(child=serializers.IntegerField())
    by = serializers.CharField()
    items = serializers.IntegerField()
    problem = serializers.CharField()
    rows = ComparedShape(many=True)


class TeacherPromptCompare(OfTeacher):
    @extend_schema(
        responses=ComparisonShape, summary="How versions of a prompt did beside each other"
    )
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = prompt_trials.latest(self.teacher(project, teacher_id))
        if found is None:
            raise ConflictError("No versions of this prompt were compared yet.")
        return Response(ComparisonShape(found).data)

    @extend_schema(
        request=CompareWish,
        responses={202: TeacherRunShape},
        summary="Put versions of a prompt to the same items, by trials one after the other",
    )
    def post(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        run = prompt_trials.start(found, body(request, CompareWish)["versions"], self.person)
        run.refresh_from_db()
        return Response(TeacherRunShape(run).data, status=202)
