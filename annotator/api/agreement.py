"""Agreement and skill over the API, as the last job left them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.verdicts import skills
from annotator.api.base import Endpoint
from annotator.models import Can, ConsensusFit, Project, Skill


class CoefficientShape(serializers.Serializer[Any]):
    """1 full agreement, 0 what chance would give. `value` is null where it is not defined; the 95 %
    interval below ten items. `same` is the share of pairs of answers that are equal."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    same = serializers.FloatField(allow_null=True)
    items = serializers.IntegerField()
    answers = serializers.IntegerField()


class LabelAgreementShape(CoefficientShape):
    id = serializers.IntegerField(help_text="The label, given or not.")


class PairAgreementShape(CoefficientShape):
    """Cohen's kappa of two voices; with several labels an item, alpha by Jaccard distance."""

    one = serializers.IntegerField(help_text="An annotator; teachers are among them.")
    other = serializers.IntegerField()


class AgreementPointShape(CoefficientShape):
    """The items after `start` up to `end`, in the order of their latest answer."""

    start = serializers.IntegerField()
    end = serializers.IntegerField()


class SkillShape(serializers.ModelSerializer[Skill]):
    """How often a voice is probably right, from `votes` answers that could be compared."""

    class Meta:
        model = Skill
        fields = ["annotator_id", "accuracy", "low", "high", "votes"]


class AgreementShape(serializers.Serializer[Any]):
    """Krippendorff's alpha and Fleiss' kappa of people and imports. `method` is the consensus method
    that the skills belong to, empty while it has none; `items` are those with something to compare,
    `needed` how many more items with several answers intervals take."""

    fitted_at = serializers.DateTimeField(allow_null=True)
    position = serializers.IntegerField(allow_null=True, help_text="Answers sealed by then.")
    method = serializers.CharField(allow_blank=True)
    items = serializers.IntegerField()
    fewest = serializers.IntegerField(help_text="Items with which skills are learnt.")
    needed = serializers.IntegerField()
    distance = serializers.CharField(
        allow_blank=True, help_text="nominal, jaccard, ordinal or tree"
    )
    alpha = CoefficientShape(allow_null=True)
    masi = CoefficientShape(allow_null=True, help_text="Alpha by MASI distance: several labels.")
    fleiss = CoefficientShape(allow_null=True)
    labels = LabelAgreementShape(many=True)
    pairs = PairAgreementShape(many=True)
    over_time = AgreementPointShape(many=True)
    skills = SkillShape(many=True)


def told(project: Project) -> dict[str, Any]:
    """Everything that is kept, or its place while there is nothing."""
    from learning.consensus.agreement import FEWEST

    fit = ConsensusFit.objects.filter(project=project).first()
    nothing: dict[str, Any] = {
        "needed": FEWEST,
        "distance": "",
        **dict.fromkeys(("alpha", "masi", "fleiss")),
        **{name: [] for name in ("labels", "pairs", "over_time")},
    }
    return {
        **nothing,
        **(fit.agreement if fit is not None else {}),
        "fitted_at": fit.fitted_at if fit is not None else None,
        "position": fit.position if fit is not None else None,
        "method": fit.method if fit is not None else "",
        "items": fit.items if fit is not None else 0,
        "fewest": skills.FEWEST,
        "skills": list(Skill.objects.filter(project=project).order_by("annotator")),
    }


class Agreement(Endpoint):
    @extend_schema(
        responses=AgreementShape,
        summary="How far voices agree beyond chance, by label, pair and time, and each one's skill",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        return Response(AgreementShape(told(project)).data)
