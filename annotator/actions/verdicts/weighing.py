"""What is known of a project's voices, as its verdicts use it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator.actions.verdicts import hearing
from annotator.actions.verdicts.hearing import Words
from annotator.models import ConsensusFit, Project, Skill

if TYPE_CHECKING:
    from learning.consensus import ConsensusMethod
    from learning.consensus.skills import Skills

# What decides while a method that learns from several answers has too few of them.
UNTAUGHT = "weighted-majority"


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """The method that decides, with what it has learnt; without skills it learns nothing.

    `words` are what a student says, for a method that hears one.
    """

    method: str
    skills: Skills | None = None
    words: Words | None = None

    def consensus(self) -> ConsensusMethod:
        from learning.consensus import CONSENSUS

        return CONSENSUS[self.method]()


def learnt(project: Project, annotators: Iterable[int]) -> Learnt:
    """What decides in a project now, with the skills of these voices."""
    from learning.consensus import LEARNING

    if project.consensus not in LEARNING:
        return Learnt(method=project.consensus)
    fit = ConsensusFit.objects.filter(project=project, method=project.consensus).first()
    if fit is None:
        return Learnt(method=UNTAUGHT)
    records = Skill.objects.filter(project=project, annotator_id__in=set(annotators))
    return _learnt(project, fit.model, dict(records.values_list("annotator", "record")))


def frozen(project: Project) -> dict[str, Any] | None:
    """What a snapshot keeps, so that it decides alike for ever; None where nothing was learnt."""
    fit = ConsensusFit.objects.filter(project=project, method=project.consensus).first()
    if fit is None:
        return None
    records = Skill.objects.filter(project=project).order_by("annotator")
    return {
        "position": fit.position,
        "model": fit.model,
        "voices": {str(pk): record for pk, record in records.values_list("annotator", "record")},
    }


def thawed(project: Project, kept: Mapping[str, Any] | None) -> Learnt:
    """The inverse of `frozen`, with the consensus method that the project names."""
    from learning.consensus import LEARNING

    if project.consensus not in LEARNING:
        return Learnt(method=project.consensus)
    if kept is None:
        return Learnt(method=UNTAUGHT)
    return _learnt(project, kept["model"], {int(pk): one for pk, one in kept["voices"].items()})


def _learnt(project: Project, model: Mapping[str, Any], records: Mapping[int, Any]) -> Learnt:
    from learning.consensus.skills import skills_from_json

    return Learnt(
        method=project.consensus,
        skills=skills_from_json(model, records),
        words=hearing.read(project, model["words"]) if model.get("words") else None,
    )
