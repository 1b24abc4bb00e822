"""Start from another project: what there is to start from, how labels match, taking over and its end."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.students import warm_starts, warming
from annotator.api.base import Endpoint
from annotator.api.jobs import JobShape
from annotator.api.parsing import IdField, body
from annotator.models import Can, Label, WarmStart


class MatchShape(serializers.Serializer[Any]):
    """A label of the other project, `theirs`, and the one here that means the same, `ours`."""

    theirs = serializers.IntegerField()
    called = serializers.CharField()
    ours = serializers.IntegerField()


class WarmStartShape(serializers.ModelSerializer[WarmStart]):
    """What the head starts from: `rows` answered items of the other project. `taken`: it is there to begin
    with; else a job is at it, or `trouble` says why nothing was taken over."""

    taken = serializers.BooleanField(source="folder")
    matches = MatchShape(many=True)

    class Meta:
        model = WarmStart
        fields = ["source_name", "matches", "rows", "taken", "trouble", "created_at"]


class WarmStartAnswer(serializers.Serializer[Any]):
    """`start` is null where the project starts from no other one."""

    start = WarmStartShape(allow_null=True)


class SourceShape(serializers.Serializer[Any]):
    """A project with answers of the same kind. `trouble` says why it cannot be chosen, and what to do;
    `matches` is what would be taken over unless other matches are sent."""

    project_id = serializers.IntegerField()
    name = serializers.CharField()
    trouble = serializers.CharField()
    matches = MatchShape(many=True)


class MatchWish(serializers.Serializer[Any]):
    theirs = IdField()
    ours = IdField()


class WarmStartWish(serializers.Serializer[Any]):
    project_id = IdField(help_text="The project to start from.")
    matches = MatchWish(
        many=True, required=False, help_text="Labels that mean the same; left out: as suggested."
    )


class WarmStartPage(Endpoint):
    @extend_schema(responses=WarmStartAnswer, summary="What the head starts from")
    def get(self, request: Request, project_id: int) -> Response:
        found = warming.start_of(self.project(project_id, Can.MANAGE))
        return Response(WarmStartAnswer({"start": found}).data)

    @extend_schema(
        request=WarmStartWish,
        responses={202: JobShape},
        summary="Start from another project's student, by a job",
    )
    def put(self, request: Request, project_id: int) -> Response:
        project, wish = self.project(project_id, Can.MANAGE), body(request, WarmStartWish)
        matches = wish.get("matches")
        wanted = None if matches is None else {each["theirs"]: each["ours"] for each in matches}
        job = warm_starts.begin(project, self.person, wish["project_id"], wanted)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)

    @extend_schema(responses={204: None}, summary="Start from nothing again")
    def delete(self, request: Request, project_id: int) -> Response:
        warm_starts.withdraw(self.project(project_id, Can.MANAGE))
        return Response(status=204)


class WarmStartSources(Endpoint):
    @extend_schema(
        responses=SourceShape(many=True), summary="Projects to start from, and how labels match"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = warm_starts.sources(project, self.person) if warm_starts.suits(project) else []
        ours, theirs = list(project.live_labels()), _labels(found)
        rows = [
            {
                "project_id": each.project.pk,
                "name": each.project.name,
                "trouble": each.trouble,
                "matches": _matches(ours, theirs.get(each.project.pk, [])),
            }
            for each in found
        ]
        return Response({"results": SourceShape(rows, many=True).data})


def _labels(sources: list[warm_starts.Source]) -> dict[int, list[Label]]:
    """The labels of those that can be chosen, by project."""
    found: dict[int, list[Label]] = {}
    fit = [each.project.pk for each in sources if not each.trouble]
    for label in Label.objects.live().filter(project__in=fit).order_by("position", "id"):
        found.setdefault(label.project_id, []).append(label)
    return found


def _matches(ours: list[Label], theirs: list[Label]) -> list[dict[str, Any]]:
    names = {label.pk: label.name for label in theirs}
    found = warm_starts.matched(ours, theirs)
    return [{"theirs": pk, "called": names[pk], "ours": label} for pk, label in found.items()]
