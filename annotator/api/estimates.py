"""Honest numbers over the API: kept figures with their intervals, and shares by a metadata column."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.figures import advising, domains, estimating
from annotator.actions.imports import differing
from annotator.actions.queue import auditing
from annotator.api.base import Endpoint
from annotator.api.jobs import JobShape
from annotator.api.parsing import body
from annotator.models import Can, ImportBatch, Project


class IntervalShape(serializers.Serializer[Any]):
    """A share (0…1) with its 95 % interval, from `n` items; `value` is null while n is 0."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()


class MacroShape(IntervalShape):
    """The mean F1 of the labels; `unseen` of `labels` were neither drawn nor said yet."""

    labels = serializers.IntegerField()
    unseen = serializers.IntegerField()


class QualityShape(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="The label.")
    recall = IntervalShape()
    precision = IntervalShape()


class ShareShape(serializers.Serializer[Any]):
    """`share` is that of the whole pool, from drawn items; `given` counts decided items."""

    id = serializers.IntegerField(help_text="The label.")
    share = IntervalShape()
    given = serializers.IntegerField()


class CriterionShape(serializers.Serializer[Any]):
    """A stopping rule of others: `kappa-average`, `classification-change` and `label-sleuth` stop at
    the threshold or above, `overall-uncertainty` below it."""

    name = serializers.CharField()
    estimate = IntervalShape()
    threshold = serializers.FloatField()
    stops = serializers.BooleanField()


class MeasuredShape(serializers.Serializer[Any]):
    """One version on the drawn items that it surely had not learned from."""

    student = serializers.IntegerField()
    labels = serializers.IntegerField()
    accuracy = IntervalShape()


class ForecastShape(serializers.Serializer[Any]):
    labels = serializers.IntegerField()
    accuracy = IntervalShape()


class GainShape(serializers.Serializer[Any]):
    """Change of accuracy (as a share) by `more` labels to learn from; `chance` of a point or more.
    `verdict`: stop, go-on, open (may pay), or empty (the interval is too wide to advise)."""

    more = serializers.IntegerField()
    gain = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    chance = serializers.FloatField()
    verdict = serializers.ChoiceField(choices=["stop", "go-on", "open", "empty"])
    n = serializers.IntegerField()


class CostShape(serializers.Serializer[Any]):
    """Seconds of people for `answers`, with their interval, from `n` timed answers."""

    answers = serializers.IntegerField()
    seconds = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    n = serializers.IntegerField()


class OutlookShape(serializers.Serializer[Any]):
    """What the next `labels` of the `left` ones bring (null: cannot be told) and cost."""

    labels = serializers.IntegerField()
    left = serializers.IntegerField()
    gain = GainShape(allow_null=True)
    cost = CostShape(allow_null=True, default=None)


class DomainShareShape(serializers.Serializer[Any]):
    """`share` is corrected by what the audit shows of the student's errors; `direct` comes from the
    domain's own audit items; `counted` is the student's plain count, which is biased."""

    id = serializers.IntegerField(help_text="The label.")
    share = IntervalShape()
    direct = IntervalShape()
    counted = serializers.FloatField()


class DomainShape(serializers.Serializer[Any]):
    """`labels` is null for too few items; where `disagree`, believe `direct`."""

    value = serializers.CharField()
    items = serializers.IntegerField()
    audited = serializers.IntegerField()
    disagree = serializers.BooleanField(default=False)
    labels = DomainShareShape(many=True, allow_null=True)


class DomainsShape(serializers.Serializer[Any]):
    column = serializers.CharField()
    student = serializers.IntegerField()
    domains = DomainShape(many=True)


class ImportDifferenceShape(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="The import; its `report` has the examples.")
    file_name = serializers.CharField()
    said = serializers.CharField(help_text="What differs, in a sentence.")


class EstimatesShape(serializers.Serializer[Any]):
    """Figures of the current student, as a job computed them from the audit sample. Each is withheld
    until `needed` evaluation items are answered: null or an empty list. `student` is null before
    there are any. `imports` are the latest that differ from the items before them."""

    said = serializers.CharField(allow_null=True, help_text="The figures in a sentence.")
    student = serializers.IntegerField(allow_null=True)
    computed_at = serializers.DateTimeField(allow_null=True)
    position = serializers.IntegerField(allow_null=True, help_text="Answers sealed by then.")
    trained_on = serializers.IntegerField(allow_null=True)
    evaluated_on = serializers.IntegerField()
    needed = serializers.IntegerField()
    measure = serializers.CharField(
        help_text="What `accuracy` is, here, in the curve and in the forecast: accuracy, span_f1 or pairs_right."
    )
    accuracy = IntervalShape(allow_null=True)
    macro_f1 = MacroShape(allow_null=True)
    labels = QualityShape(many=True)
    drawn = serializers.IntegerField(help_text="Items behind the shares.")
    decided = serializers.IntegerField(help_text="Items behind `given`.")
    shares = ShareShape(many=True)
    curve = MeasuredShape(many=True)
    forecast = ForecastShape(many=True)
    next = OutlookShape(allow_null=True)
    criteria = CriterionShape(many=True)
    domains = DomainsShape(allow_null=True)
    imports = ImportDifferenceShape(many=True)


class DomainWish(serializers.Serializer[Any]):
    column = serializers.CharField(max_length=500, trim_whitespace=False)


class ColumnsShape(serializers.Serializer[Any]):
    """`columns` lists the metadata columns that make domains, with their values; `estimated` is what
    was asked for last."""

    columns = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    estimated = DomainsShape(allow_null=True)


NOTHING: dict[str, Any] = {
    **dict.fromkeys(("student", "trained_on", "accuracy", "macro_f1", "next", "domains")),
    **dict.fromkeys(("evaluated_on", "drawn", "decided"), 0),
    **{name: [] for name in ("labels", "shares", "curve", "forecast", "criteria")},
    "needed": auditing.FEWEST_TO_SHOW,
}


def estimates(project: Project) -> dict[str, Any]:
    """The kept figures, or their place while there are none."""
    sheet = estimating.shown_sheet(project)
    figures = sheet.figures if sheet is not None else None
    kept = NOTHING | {"measure": project.task.figure} | (figures or {})
    return {
        **kept,
        "domains": in_words(kept["domains"]),
        "said": advising.sentence(project, kept) if kept["accuracy"] else None,
        "computed_at": sheet.computed_at if sheet is not None and figures else None,
        "position": sheet.position if sheet is not None and figures else None,
        "imports": [difference(project, batch) for batch in differing.warnings(project)],
    }


def in_words(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    """Domains with each share beside its label's id, as the figures keep them in two lists."""
    if kept is None:
        return None
    found = [{**each, "labels": _shares(kept["label_ids"], each)} for each in kept["domains"]]
    return {"column": kept["column"], "student": kept["student"], "domains": found}


def _shares(label_ids: list[int], domain: dict[str, Any]) -> list[dict[str, Any]] | None:
    shares = domain["labels"]
    if shares is None:
        return None
    return [{"id": pk, **share} for pk, share in zip(label_ids, shares, strict=False)]


def difference(project: Project, batch: ImportBatch) -> dict[str, Any]:
    """An import that differs, in a sentence."""
    said = differing.sentence(project, batch.report["difference"])
    return {"id": batch.pk, "file_name": batch.file_name, "said": said}


class Estimates(Endpoint):
    @extend_schema(
        responses=EstimatesShape,
        summary="Accuracy, shares, forecast, advice and criteria, each with its interval",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(EstimatesShape(estimates(project)).data)


class Domains(Endpoint):
    @extend_schema(
        responses=ColumnsShape, summary="Columns that make domains, and the class shares by one"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        sheet = estimating.shown_sheet(project)
        kept = (sheet.figures or {}).get("domains") if sheet is not None else None
        found = {"columns": domains.columns(project), "estimated": in_words(kept)}
        return Response(ColumnsShape(found).data)

    @extend_schema(
        request=DomainWish,
        responses={202: JobShape},
        summary="Estimate the class shares by a metadata column, by a job",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        job = domains.start(project, body(request, DomainWish)["column"], self.person)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)
