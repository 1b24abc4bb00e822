"""What is measured of students: one's figures, two compared, decisions who serves, evidence words."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.students import contrasting, teaching, version_figures
from annotator.actions.students.contrasting import Differing
from annotator.api.base import Endpoint
from annotator.api.estimates import IntervalShape
from annotator.api.parsing import IdField, body, query
from annotator.api.scorecards import ConfusionShape, LabelScoreShape
from annotator.api.students import OfStudents
from annotator.models import Can, Promotion


class VersionLabelShape(LabelScoreShape):
    """F1 of both; its n counts the items that have the label or were given it."""

    f1 = IntervalShape()


class ReliabilityBinShape(serializers.Serializer[Any]):
    stated = serializers.FloatField()
    right = IntervalShape()


class ReliabilityShape(serializers.Serializer[Any]):
    """Answers by how sure it was; `error` is the mean gap to how often it was right."""

    error = serializers.FloatField()
    stated = serializers.FloatField()
    right = IntervalShape()
    bins = ReliabilityBinShape(many=True)


class VersionFiguresShape(serializers.Serializer[Any]):
    """On `shared` evaluation answers of now that it surely never learned from. `missing` more are
    needed for any figure; until then accuracy is null and the lists are empty. Reliability is null
    where its files were removed."""

    shared = serializers.IntegerField()
    right = serializers.IntegerField()
    missing = serializers.IntegerField()
    accuracy = IntervalShape(allow_null=True)
    labels = VersionLabelShape(many=True)
    confusions = ConfusionShape(many=True)
    reliability = ReliabilityShape(allow_null=True)


class StudentFigures(OfStudents):
    @extend_schema(responses=VersionFiguresShape, summary="Everything measured of a student")
    def get(self, request: Request, project_id: int, student_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        found = version_figures.figures_of(project, self.student(project, student_id))
        shown = {
            "shared": found.score.shared,
            "right": found.score.right,
            "missing": found.missing,
            "accuracy": found.score.accuracy,
            "labels": found.labels,
            "confusions": found.score.confusions,
            "reliability": found.reliability,
        }
        return Response(VersionFiguresShape(shown).data)


class CompareQuery(serializers.Serializer[Any]):
    one = IdField()
    other = IdField()


class PairedShape(serializers.Serializer[Any]):
    """On `n` drawn items: `wins` on which one is better, `losses` on which the other is; `p` is how
    often chance alone parts two equal students so far."""

    n = serializers.IntegerField()
    wins = serializers.IntegerField()
    losses = serializers.IntegerField()
    difference = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    p = serializers.FloatField()


class DifferingShape(serializers.Serializer[Any]):
    """An item by its number with the label ids; truth is null where it is not of the sample."""

    item = serializers.IntegerField()
    one = serializers.ListField(child=serializers.IntegerField())
    other = serializers.ListField(child=serializers.IntegerField())
    truth = serializers.ListField(child=serializers.IntegerField(), allow_null=True)


class ContrastShape(serializers.Serializer[Any]):
    """`judged`: drawn items on which they differ, of `judged_count`; `pool`: others, the clearest first, of `pool_count`
    among `looked_at` items; null where files were removed."""

    paired = PairedShape()
    judged = DifferingShape(many=True)
    judged_count = serializers.IntegerField()
    pool = DifferingShape(many=True, allow_null=True)
    pool_count = serializers.IntegerField()
    looked_at = serializers.IntegerField()


class StudentsCompare(OfStudents):
    @extend_schema(
        parameters=[OpenApiParameter("one", int), OpenApiParameter("other", int)],
        responses=ContrastShape,
        summary="Two students on the same drawn items, and where they differ",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project, asked = self.project(project_id, Can.SEE), query(request, CompareQuery)
        one, other = (self.student(project, asked[name]) for name in ("one", "other"))
        found = contrasting.contrast(project, one, other)
        shown = {
            "paired": found.paired,
            "judged": [_shown(each) for each in found.judged],
            "judged_count": found.judged_count,
            "pool": None if found.pool is None else [_shown(each) for each in found.pool],
            "pool_count": found.pool_count,
            "looked_at": found.looked_at,
        }
        return Response(ContrastShape(shown).data)


def _shown(each: Differing) -> dict[str, Any]:
    return {
        "item": each.item.number,
        "one": each.one,
        "other": each.other,
        "truth": each.truth,
    }


class PromotionShape(serializers.ModelSerializer[Promotion]):
    """`figures` has the paired comparison of the student with the one `against` it: n, wins, losses,
    difference with its interval, p_better, and alpha, the level of the test."""

    class Meta:
        model = Promotion
        fields = [
            *("id", "number", "kind", "params", "against", "rule", "took_over", "figures"),
            "created_at",
        ]


class Promotions(Endpoint):
    @extend_schema(
        responses=PromotionShape(many=True), summary="Decisions which student serves, latest first"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = Promotion.objects.for_user(self.person).filter(project=project)
        return self.page(rows, PromotionShape)


class ExplainWish(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=teaching.LONGEST_TEXT, trim_whitespace=False)


class ExplanationShape(serializers.Serializer[Any]):
    """The likeliest label, its probability, and the text in `parts`: [stretch, push], where the push
    is how much leaving it out changes the log odds; null for what lies between words."""

    label_id = serializers.IntegerField()
    probability = serializers.FloatField()
    parts = serializers.ListField(child=serializers.ListField())


class Explain(Endpoint):
    budget = "heavy"

    @extend_schema(
        request=ExplainWish, responses=ExplanationShape, summary="Which words pushed a text's label"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        found = teaching.evidence(project, body(request, ExplainWish)["text"])
        return Response({"label_id": found.label, "probability": found.whole, "parts": found.parts})
