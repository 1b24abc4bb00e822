"""Label words: looked for by a job, kept on labels."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.teachers import label_words
from annotator.api.base import Endpoint
from annotator.api.jobs import JobShape
from annotator.api.parsing import IdField, body
from annotator.models import Can


class FoundWordShape(serializers.Serializer[Any]):
    """`similarity` to the label's name and description, -1 … 1; `lift`: how many times as often it
    occurs in texts that look like the label; `shared`: other labels it speaks for as well."""

    word = serializers.CharField()
    similarity = serializers.FloatField()
    lift = serializers.FloatField()
    texts = serializers.IntegerField()
    shared = serializers.ListField(child=serializers.CharField())


class LabelWordsShape(serializers.Serializer[Any]):
    """A label's words, and what the last search offers beside them."""

    label_id = serializers.IntegerField(source="label.pk")
    name = serializers.CharField(source="label.name")
    words = serializers.ListField(child=serializers.CharField(), source="label.words")
    offered = FoundWordShape(many=True, source="words")


class LabelWordsWish(serializers.Serializer[Any]):
    label_id = IdField()
    words = serializers.ListField(
        child=serializers.CharField(max_length=label_words.LONGEST_WORD),
        max_length=label_words.MOST_WORDS,
    )


class WordsWish(serializers.Serializer[Any]):
    """Labels that are not named keep their words."""

    labels = LabelWordsWish(many=True)


class LabelWordsPage(Endpoint):
    @extend_schema(
        responses=LabelWordsShape(many=True), summary="Words of each label, and words on offer"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = label_words.offered(project)
        return Response({"results": LabelWordsShape(found, many=True).data})

    @extend_schema(
        request=None,
        responses={202: JobShape},
        summary="Look for label words in the project's texts, by a job",
    )
    def post(self, request: Request, project_id: int) -> Response:
        job = label_words.ask(self.project(project_id, Can.MANAGE), self.person)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)

    @extend_schema(
        request=WordsWish, responses=LabelWordsShape(many=True), summary="Set the words of labels"
    )
    def put(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, WordsWish)["labels"]
        label_words.keep(project, {each["label_id"]: each["words"] for each in wish})
        return Response({"results": LabelWordsShape(label_words.offered(project), many=True).data})
