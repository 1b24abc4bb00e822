"""Progress in figures: the learning curve, what is done, who did it."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Count, Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.queue import auditing
from annotator.api.base import Endpoint
from annotator.models import (
    Annotation,
    AnnotationKind,
    Can,
    Flag,
    FlagState,
    Item,
    Job,
    Project,
    StudentVersion,
    Verdict,
)

_VOICES = """
SELECT v.id, v.name, v.kind, count(a.id),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.seconds),
       3600.0 * count(a.seconds) / nullif(sum(a.seconds), 0)
FROM annotator_annotator v
JOIN annotator_annotation a ON a.annotator_id = v.id AND a.kind = 'answer'
WHERE v.project_id = %s
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
GROUP BY v.id ORDER BY count(a.id) DESC, v.id
"""

_BALANCE = """
SELECT chosen.label, count(*) FROM annotator_verdict v CROSS JOIN unnest(v.labels) chosen(label)
WHERE v.project_id = %s AND v.state = 'decided' GROUP BY chosen.label ORDER BY chosen.label
"""


class PointShape(serializers.Serializer[Any]):
    """Accuracy 0…1 with its 95 % interval, as it was when that student was trained. `estimate` says on
    what: audit or out-of-fold. `progress/estimates` has the curve on the answers of now."""

    student = serializers.IntegerField(source="number")
    kind = serializers.CharField()
    trained_on = serializers.IntegerField()
    answers = serializers.IntegerField()
    accuracy = serializers.FloatField()
    low = serializers.FloatField(source="accuracy_low")
    high = serializers.FloatField(source="accuracy_high")
    estimate = serializers.CharField()
    evaluated_on = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class VoiceShape(serializers.Serializer[Any]):
    annotator_id = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    answers = serializers.IntegerField()
    median_seconds = serializers.FloatField(allow_null=True)
    per_hour = serializers.FloatField(allow_null=True)


class ProgressShape(serializers.Serializer[Any]):
    """`labels` counts decided items by label id; `audit` gives each part's drawn and answered."""

    counts = serializers.DictField(child=serializers.IntegerField())
    audit = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    labels = serializers.DictField(child=serializers.IntegerField())
    annotators = VoiceShape(many=True)
    curve = PointShape(many=True)


class Progress(Endpoint):
    @extend_schema(responses=ProgressShape, summary="Learning curve, counts, voices and balance")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        points = (
            StudentVersion.objects.for_user(self.person)
            .ready()
            .filter(project=project, accuracy__isnull=False)
        )
        return Response(
            {
                "counts": counts(project),
                "audit": audit(project),
                "labels": dict(_rows(_BALANCE, project)),
                "annotators": voices(project),
                "curve": PointShape(points.order_by("number"), many=True).data,
            }
        )


def counts(project: Project) -> dict[str, int]:
    """How many of everything there are now."""
    said = Annotation.objects.filter(project=project).last_words()
    verdicts = Verdict.objects.filter(project=project).aggregate(
        decided=Count("pk", filter=Q(state="decided")), ties=Count("pk", filter=Q(state="tie"))
    )
    return {
        "items": project.present_count,
        "open": Item.objects.filter(project=project, open=True).count(),
        "answers": said.filter(kind=AnnotationKind.ANSWER).count(),
        "skips": said.filter(kind=AnnotationKind.SKIP).count(),
        "flags": Flag.objects.filter(project=project, state=FlagState.OPEN).count(),
        "live_jobs": Job.objects.live().filter(project=project).count(),
        **verdicts,
    }


def audit(project: Project) -> dict[str, dict[str, int]]:
    """Of the audit items: how many each part wants, has drawn and has answered."""
    rows = (
        Item.objects.filter(project=project)
        .exclude(part="")
        .values_list("part")
        .annotate(drawn=Count("pk"), answered=Count("pk", filter=Q(answers__gt=0)))
    )
    known = {part: (drawn, answered) for part, drawn, answered in rows}
    size = auditing.size(project)
    return {
        part.value: {
            "wanted": round(size * share),
            "drawn": known.get(part.value, (0, 0))[0],
            "answered": known.get(part.value, (0, 0))[1],
        }
        for part, share in auditing.SHARES.items()
    }


def voices(project: Project) -> list[dict[str, Any]]:
    """Every voice that has said something, the busiest first."""
    names = ("annotator_id", "name", "kind", "answers", "median_seconds", "per_hour")
    return [dict(zip(names, row, strict=True)) for row in _rows(_VOICES, project)]


def _rows(statement: str, project: Project) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [project.pk])
        return list(cursor.fetchall())
