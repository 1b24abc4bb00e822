"""The student that serves goes on learning, whatever a lead set about its recipe since it was trained."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from annotator.models import (
    Job,
    Label,
    Part,
    Project,
    Recipe,
    StudentVersion,
    Verdict,
    VerdictState,
    When,
)


def recipe_of(project: Project, version: StudentVersion, known: list[Recipe]) -> Recipe:
    """The recipe by which a version was trained: the project's own, or one beside it with the version's
    parameters, which is nowhere kept."""
    for recipe in known:
        if (recipe.kind, recipe.params) == (version.kind, version.params):
            return recipe
    tried = Job.objects.filter(
        project=project,
        kind="background",
        params__kind=version.kind,
        params__student=version.params,
        params__has_key="labelled",
    )
    last = tried.order_by("-id").first()
    return Recipe(
        project=project,
        kind=version.kind,
        params=version.params,
        when=When.NEVER,
        tried_on=0 if last is None else last.params["labelled"],
        tried_at=None if last is None else last.started_at,
    )


def added(project: Project, version: StudentVersion) -> list[Label]:
    """The labels that were added since a version was trained, which it cannot give."""
    known = set(version.label_ids)
    return [each for each in project.live_labels() if each.pk not in known]


def has_moved(project: Project, version: StudentVersion, tried_at: datetime | None) -> bool:
    """Whether it was left behind by the labels: one that it gives is archived, or one that it cannot give
    was given. Not again for what was so when it was last tried to train it.
    """
    began = version.created_at if version.job is None else version.job.started_at
    since = max(filter(None, (began, tried_at)))
    archived = Label.objects.filter(project=project, archived_at__gt=since)
    if archived.filter(pk__in=version.label_ids).exists():
        return True
    fresh = [each.pk for each in added(project, version) if each.created_at > since]
    decided = Q(state=VerdictState.DECIDED) | Q(state=VerdictState.PARTIAL)
    given = Verdict.objects.filter(decided, project=project, labels__overlap=fresh)
    learnable = given.exclude(item__part__in=(Part.EVALUATION, Part.CALIBRATION))
    return bool(fresh) and learnable.exists()
