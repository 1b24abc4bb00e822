"""The policy by which a teacher labels beside people, and how things stand under it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.figures import costing
from annotator.actions.routing import overview, policies
from annotator.api.parsing import IdField, PluginField, body
from annotator.api.teachers import OfTeacher, TeacherRunShape, money
from annotator.models import Can, Policy, PolicyChange


def router_choices() -> list[tuple[str, str]]:
    """Every router."""
    from learning.routing import ROUTERS

    return ROUTERS.choices()


class PolicyShape(serializers.ModelSerializer[Policy]):
    """`human_share` of the pool is labelled by people; a word of the teacher's is a verdict from
    `confidence` on; `double_share` of its answers is put to a person too. `hour_price` is what an
    hour of a person costs. With `unqualified` a teacher labels that its test did not show to be fit. The
    router "" is the loop: people are asked where student and teacher together are in doubt; where answers mark
    spans it is the router that does best on the seed. `trouble` says what keeps the teacher from being asked now."""

    class Meta:
        model = Policy
        fields = [
            *("enabled", "teacher_id", "router", "human_share", "confidence", "double_share"),
            *("seed_size", "hour_price", "unqualified", "trouble"),
        ]


class PolicyWish(serializers.Serializer[Any]):
    """What is left out stays."""

    enabled = serializers.BooleanField(required=False)
    teacher_id = IdField(required=False, allow_null=True)
    router = PluginField(router_choices, required=False, allow_blank=True)
    human_share = serializers.FloatField(required=False)
    confidence = serializers.FloatField(required=False)
    double_share = serializers.FloatField(required=False)
    seed_size = serializers.IntegerField(required=False)
    hour_price = money(min_value=0, required=False)
    unqualified = serializers.BooleanField(required=False)


class PointWish(serializers.Serializer[Any]):
    """The share of people of a point on the curve: `share`, as points call it, or `human_share`, as the
    policy does."""

    share = serializers.FloatField(min_value=0, max_value=1, required=False)
    human_share = serializers.FloatField(min_value=0, max_value=1, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One of the two."""
        if len(attrs) != 1:
            raise serializers.ValidationError({"share": "Give share or human_share."})
        return attrs


class CheckedShape(serializers.Serializer[Any]):
    """A share of `n` with its interval at 95 %; null while there are too few."""

    n = serializers.IntegerField()
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class RoutingShape(serializers.Serializer[Any]):
    """`seed` items have both answers of `drawn`, `needed` more are wanted; `for_people` and
    `for_teacher` lack one answer. `decided` items have the teacher's word for their verdict; those
    whose word is below the policy's confidence are `undecided`, and nobody is asked first about
    `unclaimed` of them. Of those drawn for a person `checked` were right, `foretold` is what they
    were held to be. `error` is the teacher's on the seed, `wrong` the one expected on what it is
    asked next. `answered` items people answered. A point of the `curve` tells of a `share` of people the `quality` of what is decided, the
    share of all items that stays `undecided` at the policy's confidence, `hours` and `money` still to come, and whether people
    have `passed` it: then it cannot be chosen. Of the chosen point `outcome` tells the quality foretold and found by checks,
    `undecided_words` which share of the teacher's words decides nothing, `loop_outcome` how right student and teacher
    together are; null while that cannot be told. `back_test` tells which router did `best` on the `seed` and how each did (`area`: mean quality
    over all human shares; `difference` from `threshold`)."""

    policy = PolicyShape()
    seed = serializers.IntegerField()
    drawn = serializers.IntegerField()
    needed = serializers.IntegerField()
    for_people = serializers.IntegerField()
    for_teacher = serializers.IntegerField()
    decided = serializers.IntegerField()
    undecided = serializers.IntegerField()
    unclaimed = serializers.IntegerField()
    sent = serializers.IntegerField()
    answered = serializers.IntegerField()
    checked = CheckedShape()
    foretold = serializers.FloatField(allow_null=True)
    error = CheckedShape()
    wrong = serializers.DictField(child=serializers.FloatField())
    curve = serializers.JSONField()
    scoreboard = serializers.JSONField()
    outcome = serializers.JSONField(allow_null=True)
    undecided_words = serializers.JSONField(allow_null=True)
    loop_outcome = serializers.JSONField(allow_null=True)
    back_test = serializers.JSONField()
    money_left = money(allow_null=True)
    computed_at = serializers.DateTimeField(allow_null=True)


class PolicyChangeShape(serializers.ModelSerializer[PolicyChange]):
    """A line of the trail."""

    changed_by = serializers.StringRelatedField[Any]()

    class Meta:
        model = PolicyChange
        fields = ["id", "before", "after", "foretold", "changed_by", "changed_at"]


class SeedShape(serializers.Serializer[Any]):
    """The run that asks the teacher; null where it has answered all that was drawn."""

    run = TeacherRunShape(allow_null=True)


class StoppedShape(serializers.Serializer[Any]):
    """How many teachers were switched off."""

    stopped = serializers.IntegerField()


class PaidShape(serializers.Serializer[Any]):
    """Seconds of people, and money: theirs, if an hour has a price, and the teachers'. `count` says how
    many were bought; null where it cannot be told."""

    count = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    money = serializers.FloatField(allow_null=True)


class CostsShape(serializers.Serializer[Any]):
    """What labels cost: in all, one, a right one, a point of accuracy."""

    total = PaidShape()
    label = PaidShape()  # type: ignore[assignment]  # a name of ours
    right = PaidShape()
    point = PaidShape()
    priced = serializers.BooleanField()


class ProjectCosts(OfTeacher):
    @extend_schema(
        responses=CostsShape, summary="What a label, a right label and a point of accuracy cost"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(CostsShape(costing.costs(project)).data)


class RoutingState(OfTeacher):
    @extend_schema(responses=RoutingShape, summary="The policy and how things stand under it")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(RoutingShape(overview.overview(project)).data)

    @extend_schema(
        request=PolicyWish,
        responses=PolicyShape,
        summary="Change the policy; switched off, no word of a teacher stays a verdict",
    )
    def patch(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wished = body(request, PolicyWish)
        if "teacher_id" in wished:
            wanted = wished.pop("teacher_id")
            wished["teacher"] = None if wanted is None else self.teacher(project, wanted)
        return Response(PolicyShape(policies.change_policy(project, self.person, **wished)).data)


class PolicyChanges(OfTeacher):
    @extend_schema(
        responses=PolicyChangeShape(many=True), summary="Who changed the policy, latest first"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = PolicyChange.objects.for_user(self.person).filter(project=project)
        return self.page(rows.select_related("changed_by"), PolicyChangeShape)


class RoutingSeed(OfTeacher):
    @extend_schema(
        request=None,
        responses={202: SeedShape},
        summary="Draw the items that both label, and ask the teacher about them",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        run = policies.prepare(project, self.person)
        if run is not None:
            run.refresh_from_db()
        return Response(SeedShape({"run": run}).data, status=202)


class RoutingPoint(OfTeacher):
    @extend_schema(
        request=PointWish,
        responses=PolicyShape,
        summary="Take a point of the curve (its `share`) for the policy and switch it on",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        (share,) = body(request, PointWish).values()
        return Response(PolicyShape(policies.choose_point(project, self.person, share)).data)


class RoutingResume(OfTeacher):
    @extend_schema(
        request=None,
        responses=PolicyShape,
        summary="Ask the teacher again after a run was cancelled or failed",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(PolicyShape(policies.resume(project)).data)


class TeachersStop(OfTeacher):
    @extend_schema(
        request=None,
        responses=StoppedShape,
        summary="The kill switch: the policy and every teacher off, their calls ended in seconds",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        stopped = policies.stop_all(project, self.person)
        return Response(StoppedShape({"stopped": stopped}).data)
