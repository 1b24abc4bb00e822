"""Versions that learned from just the same lesson in the same way: nobody trains them twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.students import pools
from annotator.actions.students.recipes import reads_items
from annotator.models import Encoding, Project, StudentVersion

if TYPE_CHECKING:
    from annotator.actions.students.fitting import Plan


def twin_of(project: Project, plan: Plan, encoding: Encoding, digest: str) -> StudentVersion | None:
    """The newest version of the recipe, if it learned from just this and can say all that it would say."""
    newest = newest_of(project, plan, encoding)
    is_twin = newest is not None and newest.lesson == digest and pools.is_whole(newest)
    return newest if is_twin else None


def newest_of(project: Project, plan: Plan, encoding: Encoding) -> StudentVersion | None:
    """The newest version of the recipe; by this encoder where it reads vectors, since those of a former one
    learn on beside it."""
    alike = StudentVersion.objects.filter(project=project, kind=plan.kind, params=plan.params)
    if not reads_items(plan.kind):
        alike = alike.filter(encoding__encoder=encoding.encoder, encoding__params=encoding.params)
    return alike.ready().select_related("sheet", "project").order_by("-number").first()


def told(run: jobs.Run, version: StudentVersion) -> dict[str, Any]:
    """What a job that learned says: of which version, and where it was there already."""
    said = {"student": version.number, "trained_on": version.trained_on}
    if version.job_id == run.job.pk:
        return {"trained": True, **said}
    why = f"Student {version.number} learned from just these answers already."
    return {"trained": False, **said, "why": why}
