"""Teachers: set up, tried, run, stopped, and what they may spend."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.teachers import budgets, endpoints, foretelling, teacher_runs, teachers
from annotator.actions.trust import teacher_figures
from annotator.api.base import Endpoint
from annotator.api.parsing import IdField, ObjectField, PluginField, body, query
from annotator.errors import NotFoundError
from annotator.models import Can, EndpointKey, Project, Purse, Teacher, TeacherAnswer, TeacherRun


def plugin_choices() -> list[tuple[str, str]]:
    """Every kind of teacher."""
    from learning.teachers import TEACHERS

    return TEACHERS.choices()


def money(**options: Any) -> serializers.DecimalField:
    """An amount in the currency of the prices."""
    return serializers.DecimalField(max_digits=18, decimal_places=9, **options)


class FiguresShape(serializers.Serializer[Any]):
    """Of `shared` items that people decided, `same` were decided as the teacher said; where answers
    mark spans `same` is null and `f1` tells how its marks meet the decided ones; where they are orders,
    `pairs` is the share of pairs of candidates that stand as decided; where they are texts, `near` is how near
    they come to the decided ones, 1 less the share of edits. `abstained` are items that it was to label, by its
    own word; on `failed` the way to it failed, in trials too. `low` and `high` are the 95 % interval, null while
    there are too few."""

    answers = serializers.IntegerField()
    abstained = serializers.IntegerField()
    failed = serializers.IntegerField()
    shared = serializers.IntegerField()
    same = serializers.IntegerField(allow_null=True)
    f1 = serializers.FloatField(allow_null=True)
    pairs = serializers.FloatField(allow_null=True)
    near = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    spent = money()
    tokens = serializers.IntegerField()


class TeacherShape(serializers.ModelSerializer[Teacher]):
    """A teacher. Its key is never told, only whether there is one. `recording_id`: the file of its
    answers; `source_id`: the project whose student answers; `member_ids`: of a committee."""

    name = serializers.CharField(source="voice.name")
    annotator_id = serializers.IntegerField(source="voice_id")
    has_key = serializers.SerializerMethodField()
    member_ids = serializers.SerializerMethodField()
    figures = serializers.SerializerMethodField()

    class Meta:
        model = Teacher
        fields = [
            *("id", "name", "annotator_id", "plugin", "params", "endpoint_id", "has_key"),
            *("recording_id", "source_id", "member_ids"),
            *("cap_run", "concurrency", "requests_per_minute", "enabled", "figures"),
            "created_at",
        ]

    def get_has_key(self, teacher: Teacher) -> bool:
        """Whether the project has a key for the teacher's endpoint."""
        keys = EndpointKey.objects.filter(project=teacher.project_id, endpoint=teacher.endpoint_id)
        return teacher.endpoint_id is not None and keys.exists()

    def get_member_ids(self, teacher: Teacher) -> list[int]:
        """In the order in which they were set up."""
        return sorted(each.pk for each in teacher.members.all())

    @extend_schema_field(FiguresShape)
    def get_figures(self, teacher: Teacher) -> Any:
        """Answers, agreement, money."""
        known = self.context.get("figures") or teacher_figures.figures(teacher.project)
        return FiguresShape(known[teacher.pk]).data


class TeacherSettings(serializers.Serializer[Any]):
    """What is left out stays as it is. `key` is kept sealed, for the endpoint's host and port only,
    and never told again."""

    name = serializers.CharField(max_length=teachers.LONGEST_NAME, required=False)
    params = ObjectField(required=False)
    endpoint_id = IdField(required=False, allow_null=True)
    key = serializers.CharField(max_length=4096, required=False, write_only=True)
    cap_run = money(min_value=0, required=False)
    concurrency = serializers.IntegerField(
        min_value=1, max_value=teachers.MOST_CONCURRENT, required=False
    )
    requests_per_minute = serializers.IntegerField(
        min_value=1, max_value=1_000_000, required=False, allow_null=True
    )
    enabled = serializers.BooleanField(required=False)
    source_id = IdField(required=False)
    member_ids = serializers.ListField(
        child=IdField(), required=False, max_length=teachers.MOST_MEMBERS
    )


class TeacherWish(TeacherSettings):
    """A new teacher: its kind, and settings."""

    plugin = PluginField(plugin_choices)
    name = serializers.CharField(max_length=teachers.LONGEST_NAME)


class TeacherRunShape(serializers.ModelSerializer[TeacherRun]):
    """`wanted` items are asked about; `estimate` is what the run was thought to cost, `cap` the most
    it may; `held` is held back for calls under way. `abstained` holds what failed on the way too."""

    seconds_left = serializers.SerializerMethodField()

    class Meta:
        model = TeacherRun
        fields = [
            *("id", "teacher_id", "kind", "state", "job_id", "wanted", "answered", "abstained"),
            *("estimate", "cap", "spent", "held", "tokens_in", "tokens_out", "error"),
            *("seconds_left", "created_at", "started_at", "finished_at"),
        ]

    def get_seconds_left(self, run: TeacherRun) -> float | None:
        """Null while it cannot be told."""
        return teacher_figures.seconds_left(run)


class TeacherAnswerShape(serializers.ModelSerializer[TeacherAnswer]):
    """What the teacher said about one item, or why it said nothing."""

    number = serializers.IntegerField(source="item.number")

    class Meta:
        model = TeacherAnswer
        fields = [
            *("number", "labels", "value", "dropped", "probabilities", "confidence", "abstained"),
            *("model", "flags"),
            *("tokens_in", "tokens_out", "money", "seconds"),
        ]


class CauseShape(serializers.Serializer[Any]):
    """Why so many items got no answer."""

    cause = serializers.CharField()
    items = serializers.IntegerField()


class OneTeacherRunShape(TeacherRunShape):
    """A run with the causes of its abstentions and its latest answers, 100 at most."""

    causes = serializers.SerializerMethodField()
    answers = serializers.SerializerMethodField()

    class Meta(TeacherRunShape.Meta):
        fields = [*TeacherRunShape.Meta.fields, "causes", "answers"]

    @extend_schema_field(CauseShape(many=True))
    def get_causes(self, run: TeacherRun) -> list[dict[str, Any]]:
        """Commonest first."""
        return [{"cause": cause, "items": n} for cause, n in teacher_figures.causes(run)]

    @extend_schema_field(TeacherAnswerShape(many=True))
    def get_answers(self, run: TeacherRun) -> Any:
        """Latest first."""
        rows = TeacherAnswer.objects.filter(run=run).select_related("item").order_by("-pk")
        return TeacherAnswerShape(rows[:100], many=True).data


class TryWish(serializers.Serializer[Any]):
    """How many open items to try it on."""

    items = serializers.IntegerField(
        min_value=1, max_value=teacher_runs.MOST_TRIED, default=teacher_runs.TRIED
    )


class RunWish(serializers.Serializer[Any]):
    """`pool`: open items in the queue's order, or a random sample of those that people answered.
    `cap` lowers what this run may cost."""

    items = serializers.IntegerField(min_value=1, max_value=teacher_runs.MOST_ITEMS)
    pool = serializers.ChoiceField(choices=teacher_runs.POOLS, default=teacher_runs.OPEN)
    cap = money(min_value=0, required=False)


class EstimateQuery(serializers.Serializer[Any]):
    """What a run would be about."""

    items = serializers.IntegerField(min_value=1, max_value=teacher_runs.MOST_ITEMS, default=50)
    pool = serializers.ChoiceField(choices=teacher_runs.POOLS, default=teacher_runs.OPEN)


class TeacherEstimateShape(serializers.Serializer[Any]):
    """Money between `low` and `high` for so many items. source: earlier calls, prompts, or free."""

    items = serializers.IntegerField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    source = serializers.CharField()  # type: ignore[assignment]  # a name of ours


class PurseShape(serializers.ModelSerializer[Purse]):
    """What all teachers of the project may spend a day and in all, and what they did."""

    spent_today = serializers.SerializerMethodField()

    class Meta:
        model = Purse
        fields = ["cap_day", "cap_project", "spent", "held", "spent_today"]
        read_only_fields = ["spent", "held"]

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9))
    def get_spent_today(self, purse: Purse) -> str:
        """Calls under way at their worst."""
        return str(budgets.spent_today(purse))


class CapsWish(serializers.Serializer[Any]):
    """What is left out stays."""

    cap_day = money(min_value=0, required=False)
    cap_project = money(min_value=0, required=False)


class OfTeacher(Endpoint):
    """An endpoint about a project's teachers."""

    def teacher(self, project: Project, teacher_id: int) -> Teacher:
        rows = Teacher.objects.for_user(self.person).filter(project=project, pk=teacher_id)
        found = rows.select_related("voice", "endpoint", "project").first()
        if found is None:
            raise NotFoundError("There is no such teacher in this project.")
        return found

    def wished(
        self, request: Request, project: Project, shape: type[TeacherSettings]
    ) -> dict[str, Any]:
        """The checked body, with what it names by its rows."""
        found = body(request, shape)
        if "endpoint_id" in found:
            wanted = found.pop("endpoint_id")
            rows = endpoints.offered()
            found["endpoint"] = None if wanted is None else rows.filter(pk=wanted).first()
            if wanted is not None and found["endpoint"] is None:
                raise NotFoundError("There is no such endpoint on this server's list.")
        if "source_id" in found:
            seen = Project.objects.for_user(self.person, Can.SEE)
            found["source"] = seen.filter(pk=found.pop("source_id")).first()
            if found["source"] is None:
                raise NotFoundError("There is no such project, or you may not see its students.")
        if "member_ids" in found:
            wanted = set(found.pop("member_ids"))
            found["members"] = list(Teacher.objects.filter(project=project, pk__in=wanted))
            if len(found["members"]) < len(wanted):
                raise NotFoundError("One of the members is no teacher of this project.")
        return found


class Teachers(OfTeacher):
    @extend_schema(responses=TeacherShape(many=True), summary="Teachers with their numbers")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = Teacher.objects.for_user(self.person).filter(project=project)
        context = {"figures": teacher_figures.figures(project)}
        rows = rows.select_related("voice", "project").prefetch_related("members")
        return self.page(rows, TeacherShape, context=context)

    @extend_schema(request=TeacherWish, responses={201: TeacherShape}, summary="Set up a teacher")
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        made = teachers.create_teacher(
            project, self.person, **self.wished(request, project, TeacherWish)
        )
        made.refresh_from_db()
        return Response(TeacherShape(made).data, status=201)


class OneTeacher(OfTeacher):
    @extend_schema(responses=TeacherShape, summary="A teacher with its numbers")
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(TeacherShape(self.teacher(project, teacher_id)).data)

    @extend_schema(
        request=TeacherSettings,
        responses=TeacherShape,
        summary="Change a teacher, or switch it off, which ends its calls within seconds",
    )
    def patch(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        wished = self.wished(request, project, TeacherSettings)
        changed = teachers.change_teacher(found, self.person, **wished)
        changed.refresh_from_db()
        return Response(TeacherShape(changed).data)


class TeacherTry(OfTeacher):
    @extend_schema(
        request=TryWish,
        responses={202: TeacherRunShape},
        summary="Try a teacher on a few open items; nothing enters the ledger",
    )
    def post(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        run = teacher_runs.try_on(project, found, self.person, body(request, TryWish)["items"])
        run.refresh_from_db()
        return Response(TeacherRunShape(run).data, status=202)


class TeacherEstimate(OfTeacher):
    @extend_schema(
        parameters=[EstimateQuery], responses=TeacherEstimateShape, summary="What a run would cost"
    )
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        asked = query(request, EstimateQuery)
        numbers = teacher_runs.drawn(project, found, asked["items"], asked["pool"])
        return Response(TeacherEstimateShape(foretelling.estimate(found, numbers)).data)


class TeacherRuns(OfTeacher):
    @extend_schema(responses=TeacherRunShape(many=True), summary="Runs of a teacher, latest first")
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        found = self.teacher(project, teacher_id)
        return self.page(TeacherRun.objects.listed().filter(teacher=found), TeacherRunShape)

    @extend_schema(
        request=RunWish,
        responses={202: TeacherRunShape},
        summary="Let a teacher answer items in the background",
    )
    def post(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found, wish = self.teacher(project, teacher_id), body(request, RunWish)
        run = teacher_runs.start_run(project, found, self.person, wish.pop("items"), **wish)
        run.refresh_from_db()
        return Response(TeacherRunShape(run).data, status=202)


class OfRun(Endpoint):
    """An endpoint about one run."""

    def run(self, project: Project, run_id: int) -> TeacherRun:
        rows = TeacherRun.objects.for_user(self.person).listed().filter(project=project, pk=run_id)
        found = rows.select_related("job").first()
        if found is None:
            raise NotFoundError("There is no such run in this project.")
        return found


class OneTeacherRun(OfRun):
    @extend_schema(responses=OneTeacherRunShape, summary="A run with its causes and latest answers")
    def get(self, request: Request, project_id: int, run_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(OneTeacherRunShape(self.run(project, run_id)).data)


class TeacherRunCancel(OfRun):
    @extend_schema(
        request=None, responses=TeacherRunShape, summary="Stop a run; what was answered stays"
    )
    def post(self, request: Request, project_id: int, run_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.run(project, run_id)
        teacher_runs.cancel(found)
        return Response(TeacherRunShape(found).data)


class Money(Endpoint):
    @extend_schema(responses=PurseShape, summary="What teachers may spend, and did")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        purse = Purse.objects.filter(project=project).first() or Purse(project=project)
        return Response(PurseShape(purse).data)

    @extend_schema(
        request=CapsWish, responses=PurseShape, summary="Cap what teachers spend, by day and in all"
    )
    def patch(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(PurseShape(budgets.change_caps(project, **body(request, CapsWish))).data)
