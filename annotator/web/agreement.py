"""Agreement: how far the voices say the same beyond chance, and what that tells of each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from annotator.actions.verdicts import skills
from annotator.models import Annotator, Can, ConsensusFit, Label, Project, Skill
from annotator.web import estimates
from annotator.web.charts import Curve, Point, Series, curve
from annotator.web.pages import allowed, page, project_for

# Rows before the rest goes behind a disclosure.
FIRST = 10
MEASURES = {
    "words": "the labels upon each word",
    "orders": "the order of each two candidates, ties between (Kendall)",
    "boxes": "boxes, by the F1 of those with one label that overlap by half of their union",
    "edits": "texts, by the share of the longer one that has to be edited",
    "nominal": "equal or not",
    "jaccard": "share of common labels (Jaccard)",
    "questions": "forms, by the mean over their questions, each by its own kind of answer",
    "tree": "steps apart in the tree of labels",
    "ordinal": "grades, by how many answers lie between (ordinal)",
}


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """The most frequent one of a voice, as its votes beside the others' show it."""

    truth: str
    said: str
    share: float


@require_GET
@login_required
def agreement(request: HttpRequest, project_id: int) -> HttpResponse:
    """Alpha with its interval, over time, by label, by pair; and the skill of each voice."""
    project = project_for(request, project_id, Can.SEE)
    fit = ConsensusFit.objects.filter(project=project).first()
    figures: dict[str, Any] = fit.agreement if fit is not None else {}
    context = {
        "fit": fit,
        "figures": figures,
        "measure": MEASURES.get(figures.get("distance", "")),
        "over_time": _over_time(figures),
        "labels": estimates.listed(_labels(project, figures), FIRST),
        "pairs": estimates.listed(_pairs(project, figures), FIRST),
        "skills": _skills(project),
        "fewest": skills.FEWEST,
        "method": project.get_consensus_display().partition(":")[0],
        "tab": "agreement",
        "may_manage": allowed(project, Can.MANAGE),
    }
    return page(request, "people/agreement.html", project, "annotators", context)


def _over_time(figures: dict[str, Any]) -> Curve | None:
    points = [
        Point(
            x=each["end"],
            y=each["value"],
            low=each["low"],
            high=each["high"],
            title=f"Items {each['start'] + 1:,} to {each['end']:,}: {each['value']:.2f}",
        )
        for each in figures.get("over_time", ())
        if each["value"] is not None
    ]
    if len(points) < 2:
        return None
    return curve(
        [Series(name="Krippendorff's alpha", points=points)],
        description="Agreement over time: Krippendorff's alpha of successive items",
        x_name="items with several answers",
        form="coefficient",
    )


def _labels(project: Project, figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The labels on which voices agree least first; those without a figure last."""
    told = [each["id"] for each in figures.get("labels", ())]
    known = Label.objects.filter(project=project).in_bulk(told)
    found = [each | {"label": known[each["id"]]} for each in figures.get("labels", ())]
    return sorted(found, key=lambda each: (each["value"] is None, each["value"]))


def _pairs(project: Project, figures: dict[str, Any]) -> list[dict[str, Any]]:
    known = {voice.pk: voice for voice in Annotator.objects.filter(project=project)}
    return [
        each | {"voices": [known[each["one"]], known[each["other"]]]}
        for each in figures.get("pairs", ())
        if {each["one"], each["other"]} <= set(known)
    ]


def _skills(project: Project) -> list[dict[str, Any]]:
    """Every voice with something to compare, the busiest first."""
    rows = Skill.objects.filter(project=project, accuracy__isnull=False)
    skills = list(rows.select_related("annotator").order_by("-votes", "annotator"))
    wrong = [None if project.multi_label else _commonest(each.record) for each in skills]
    columns = {column for each in wrong if each for column in each[:2]}
    named = Label.objects.filter(project=project, column__in=columns)
    names = dict(named.values_list("column", "name"))
    return [
        {
            "skill": skill,
            "mistake": each and Mistake(truth=names[each[0]], said=names[each[1]], share=each[2]),
        }
        for skill, each in zip(skills, wrong, strict=True)
    ]


def _commonest(record: dict[str, Any]) -> tuple[int, int, float] | None:
    """Columns of what is true and of the wrong answer most often given for it, and its share of them."""
    truths: dict[int, float] = {}
    for _, truth, _, weight in record.get("counts", ()):
        truths[truth] = truths.get(truth, 0.0) + weight
    wrong = [each for each in record.get("counts", ()) if each[1] != each[2] and each[3] >= 1]
    if not wrong:
        return None
    _, truth, said, weight = max(wrong, key=lambda each: each[3])
    return truth, said, weight / truths[truth]
