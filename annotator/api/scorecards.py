"""Scorecards of voices; a teacher's tests, replays and calibration."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.figures import scorecards, sides
from annotator.actions.teachers import lending
from annotator.actions.trust import (
    calibrating,
    canarying,
    drifting,
    qualifying,
    teacher_figures,
    testing,
)
from annotator.api.base import Endpoint
from annotator.api.estimates import IntervalShape
from annotator.api.parsing import body, query
from annotator.api.teachers import OfTeacher, TeacherRunShape
from annotator.errors import NotFoundError
from annotator.models import Annotator, Calibration, Can, Qualification, Replay, Teacher


class LabelScoreShape(serializers.Serializer[Any]):
    """Of the items with the label those that were found; of those it was given to, the right ones."""

    label_id = serializers.IntegerField(source="label")
    recall = IntervalShape()
    precision = IntervalShape()


class ConfusionShape(serializers.Serializer[Any]):
    """`count` of `of` items that are `truth` were given `said`. Where items may have several labels
    one of the two is null: a label was missed or added."""

    truth = serializers.IntegerField(allow_null=True)
    said = serializers.IntegerField(allow_null=True)
    count = serializers.IntegerField()
    of = serializers.IntegerField()


class MarkScoreShape(serializers.Serializer[Any]):
    """Of the marks of all items together: F1 with both edges and the label right, F1 with a pair of
    equal label counted by its overlap; of its marks the right ones, and of the true ones those made."""

    f1 = IntervalShape()
    near_f1 = IntervalShape()
    precision = IntervalShape()
    recall = IntervalShape()


class QuestionScoreShape(serializers.Serializer[Any]):
    """A question of a form: on the `asked` items that ask it, how often just the right labels are given;
    `right` is null while `missing` more are needed."""

    name = serializers.CharField()
    asked = serializers.IntegerField()
    missing = serializers.IntegerField()
    right = IntervalShape(allow_null=True)


class ScoreShape(serializers.Serializer[Any]):
    """On `shared` items of the random sample; with fewer than are needed, `missing` of them,
    accuracy is null and the lists are empty. `stale` answers were given with other settings. Where
    answers mark spans, an item is right when every mark is, and `marks` tells of the marks. Where
    answers are forms, `questions` tells of each question that has labels."""

    annotator_id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    against = serializers.CharField()
    shared = serializers.IntegerField()
    right = serializers.IntegerField()
    missing = serializers.IntegerField()
    stale = serializers.IntegerField()
    accuracy = IntervalShape(allow_null=True)
    labels = LabelScoreShape(many=True)
    confusions = ConfusionShape(many=True)
    marks = MarkScoreShape(allow_null=True)
    questions = QuestionScoreShape(many=True)


class TeacherStandingShape(serializers.Serializer[Any]):
    """Whether the teacher may label under a policy, and why. state: untried, trying, qualified,
    refused, changed (settings or labels), moved (another model), drifted, crowded (too many items
    in a prompt)."""

    state = serializers.CharField()
    may_label = serializers.BooleanField()
    sentence = serializers.CharField()


class CalibrationShape(serializers.ModelSerializer[Calibration]):
    """`missing` audited answers are needed before it is fitted. `checked` has the confidence against
    what was right, before and after, on items that fitted nothing."""

    is_fitted = serializers.SerializerMethodField()

    class Meta:
        model = Calibration
        fields = [
            *("is_fitted", "answers", "missing", "checked", "trust", "position", "fingerprint"),
            "computed_at",
        ]

    def get_is_fitted(self, kept: Calibration) -> bool:
        """Whether answers carry how likely they are right."""
        return kept.fitted is not None


class ObedienceShape(serializers.Serializer[Any]):
    """Planted instructions: how many were asked, obeyed, and what that leaves of the trust."""

    asked = serializers.IntegerField()
    obeyed = serializers.IntegerField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    trust = serializers.FloatField()


class TeacherCostShape(serializers.Serializer[Any]):
    """Of its labels, without trials and tests. `silent` abstentions were its own."""

    answered = serializers.IntegerField()
    silent = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True)
    spent = serializers.DecimalField(max_digits=18, decimal_places=9)
    per_answer = serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True)
    per_right = serializers.FloatField(allow_null=True)


class TeacherTrustShape(serializers.Serializer[Any]):
    """What is known of a teacher beside its score."""

    standing = TeacherStandingShape()
    costs = TeacherCostShape()
    calibration = CalibrationShape(allow_null=True)
    canaries = ObedienceShape(allow_null=True)


class SideEffectShape(serializers.Serializer[Any]):
    """Of `answers` for one of two texts, the `share` for the one that was shown first; chance decides which,
    so a half is expected."""

    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    answers = serializers.IntegerField()


class AskedBothWaysShape(serializers.Serializer[Any]):
    """Of `asked` items that a teacher was shown in both orders, those on which it preferred the `first` or the
    `second` text as shown each time; `share` is that of both together."""

    asked = serializers.IntegerField()
    first = serializers.IntegerField()
    second = serializers.IntegerField()
    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class ScorecardShape(ScoreShape):
    """`teacher` is null for whoever is none. Where one of two texts is better, `side_effect` tells of people,
    `asked_both_ways` of teachers; null where nothing is known."""

    teacher = TeacherTrustShape(allow_null=True)
    side_effect = SideEffectShape(allow_null=True)
    asked_both_ways = AskedBothWaysShape(allow_null=True)


class TestQuery(serializers.Serializer[Any]):
    """On how many answered items at most."""

    items = serializers.IntegerField(min_value=30, max_value=500, default=qualifying.MOST_GOLD)


class TestPlanShape(serializers.Serializer[Any]):
    """What a test would ask and cost; `missing` more answered items are needed before it can be."""

    gold = serializers.IntegerField()
    missing = serializers.IntegerField()
    reads = serializers.IntegerField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    source = serializers.CharField()  # type: ignore[assignment]  # a name of ours


class QualificationShape(serializers.ModelSerializer[Qualification]):
    """What a test found. `moved_to` is another id that the model gave itself later."""

    run_id = serializers.IntegerField()
    report = serializers.SerializerMethodField()

    class Meta:
        model = Qualification
        fields = [
            *("id", "run_id", "qualified", "items_per_prompt", "report", "model_ids", "moved_to"),
            "created_at",
        ]

    @extend_schema_field(serializers.DictField())
    def get_report(self, found: Qualification) -> Any:
        """Sentences, and each number of items per prompt with what happened at it."""
        return found.report


class ReplayShape(serializers.ModelSerializer[Replay]):
    """The test's gold items asked again: what was lost and gained, and what a lead must know."""

    run_id = serializers.IntegerField()
    qualification_id = serializers.IntegerField()

    class Meta:
        model = Replay
        fields = ["id", "run_id", "qualification_id", "found", "alarms", "created_at"]


def _score(voice: Annotator, score: scorecards.Score) -> dict[str, Any]:
    return {
        "annotator_id": voice.pk,
        "name": voice.name,
        "missing": score.missing,
        "against": score.against,
        **asdict(score),
        "questions": [{**asdict(one), "missing": one.missing} for one in score.questions],
    }


def _trust(teacher: Teacher, score: scorecards.Score) -> dict[str, Any]:
    costs = teacher_figures.costs(teacher.project).get(teacher.pk, teacher_figures.Costs())
    accuracy = score.accuracy
    share = None if accuracy is None else accuracy.value
    standing = qualifying.state(teacher)
    return {
        "standing": {**asdict(standing), "may_label": standing.may_label},
        "costs": {
            **asdict(costs),
            "per_answer": costs.per_answer,
            "per_right": None if share is None else costs.per_right(share),
        },
        "calibration": Calibration.objects.filter(teacher=teacher).first(),
        "canaries": _canaries(teacher),
    }


def _both_ways(teacher: Teacher) -> sides.AskedBothWays | None:
    now = scorecards.taught(teacher.project).get(teacher.voice_id)
    return None if now is None else sides.asked_both_ways(teacher, now.fingerprint)


def _canaries(teacher: Teacher) -> dict[str, Any] | None:
    now = scorecards.taught(teacher.project).get(teacher.voice_id)
    if now is None or teacher.plugin not in testing.PROMPTED:
        return None
    schema = lending.schema_of(teacher.project)
    found = canarying.obeyed(teacher, schema, now.fingerprint)
    if found is None:
        return None
    flipped = found.flipped
    return {
        "asked": flipped.n,
        "obeyed": flipped.count,
        "low": flipped.low,
        "high": flipped.high,
        "trust": found.trust,
    }


class Scorecards(Endpoint):
    @extend_schema(
        responses=ScoreShape(many=True), summary="Every voice's score on the random sample"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        known = scorecards.scores(project)
        voices = Annotator.objects.for_user(self.person).filter(project=project, pk__in=known)
        told = [_score(voice, known[voice.pk]) for voice in voices.order_by("pk")]
        return Response(ScoreShape(told, many=True).data)


class Scorecard(Endpoint):
    @extend_schema(
        responses=ScorecardShape, summary="One voice's scorecard; of a teacher also its trust"
    )
    def get(self, request: Request, project_id: int, annotator_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = Annotator.objects.for_user(self.person).filter(project=project, pk=annotator_id)
        voice = rows.first()
        if voice is None:
            raise NotFoundError("There is no such annotator in this project.")
        score = scorecards.score(project, voice)
        teachers = Teacher.objects.for_user(self.person).filter(voice=voice)
        teacher = teachers.select_related("voice", "endpoint", "project").first()
        told = _score(voice, score)
        told["teacher"] = None if teacher is None else _trust(teacher, score)
        told["side_effect"] = sides.effects(project, voice).get(voice.pk)
        told["asked_both_ways"] = None if teacher is None else _both_ways(teacher)
        return Response(ScorecardShape(told).data)


class TeacherTests(OfTeacher):
    @extend_schema(
        responses=QualificationShape(many=True), summary="Tests of a teacher, latest first"
    )
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = Qualification.objects.for_user(self.person)
        return self.page(rows.filter(teacher=self.teacher(project, teacher_id)), QualificationShape)

    @extend_schema(
        request=TestQuery,
        responses={202: TeacherRunShape},
        summary="Test in the background whether a teacher may label",
    )
    def post(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        most = body(request, TestQuery)["items"]
        run = qualifying.start(project, found, self.person, most)
        run.refresh_from_db()
        return Response(TeacherRunShape(run).data, status=202)


class TeacherTestPlan(OfTeacher):
    @extend_schema(
        parameters=[TestQuery], responses=TestPlanShape, summary="What a test would ask and cost"
    )
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.teacher(project, teacher_id)
        plan = qualifying.plan(project, found, query(request, TestQuery)["items"])
        return Response(TestPlanShape(plan).data)


class TeacherReplays(OfTeacher):
    @extend_schema(responses=ReplayShape(many=True), summary="Replays of its test, latest first")
    def get(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = Replay.objects.for_user(self.person)
        return self.page(rows.filter(teacher=self.teacher(project, teacher_id)), ReplayShape)

    @extend_schema(
        request=None,
        responses={202: TeacherRunShape},
        summary="Look now whether a teacher still answers as in its test",
    )
    def post(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        run = drifting.start(self.teacher(project, teacher_id), self.person)
        run.refresh_from_db()
        return Response(TeacherRunShape(run).data, status=202)


class Calibrate(Endpoint):
    @extend_schema(
        request=None,
        responses={202: None},
        summary="Calibrate the project's teachers now; it also happens by itself",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        calibrating.wish(project, due_in_seconds=0.0)
        return Response(status=202)
