"""The codebook's history over the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.api.base import Endpoint
from annotator.models import Can, CodebookChange


class CodebookChangeShape(serializers.ModelSerializer[CodebookChange]):
    """What a label said before and after, or the guidelines where `label_id` is null."""

    changed_by = serializers.CharField(source="changed_by.username", default=None, allow_null=True)

    class Meta:
        model = CodebookChange
        fields = [
            "id",
            "label_id",
            "name_before",
            "name_after",
            "before",
            "after",
            "means_else",
            "asked",
            "changed_by",
            "changed_at",
        ]


class Codebook(Endpoint):
    @extend_schema(
        responses=CodebookChangeShape(many=True),
        summary="What labels and guidelines said before, latest first",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = CodebookChange.objects.for_user(self.person).filter(project=project)
        return self.page(rows.select_related("changed_by"), CodebookChangeShape)
