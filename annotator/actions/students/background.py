"""Which students train by themselves beside the head, when, and for how long a day.

The head learns from every burst of answers. Dearer recipes wait until the labels grew by a good part
since their last run, until no other work waits for the machine that trains, and while the project has
minutes left today; of two projects the one that used less goes first. A recipe that failed, or found
no GPU, waits for as many new labels as one that was trained; one that says itself that it does not pay
on such a lesson waits until it does. The recipe of the student that serves goes on in any case.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import current_encoding
from annotator.actions.students import (
    distilling,
    fitting,
    lessons,
    marked_lessons,
    ordering,
    promoting,
    serving,
    tagging,
    twins,
)
from annotator.actions.students.recipes import fits
from annotator.errors import ConflictError, InvalidError
from annotator.models import ItemKind, Job, JobState, Project, Recipe, Shape, StudentVersion, When
from learning import students
from learning.errors import LearningError

QUEUE = "train"
# Kinds of jobs that train another student than the head; they share a key, so that a project trains one
# of them at a time.
TRAININGS = ("background", "finetune")
# A recipe is due when this share more was labelled than at its last run, and no sooner than here.
GROWN, FEWEST = 0.2, 100
STEP_BACK_SECONDS, HOUR_SECONDS = 30.0, 3600.0
MOST_MINUTES = 24 * 60
# What a new project tries where there is a GPU: of the dear ones the one that serves most projects. And on
# whatever there is those that take a minute, the quickest first, of texts with the answers they were measured on.
WITH_GPU = ("finetune", "token-finetune")
ANYWHERE = {"label-attention": ("single", "multi"), "contrastive": ("single",)}
NO_GPU = "No GPU was found."
# They learn from every burst of answers by themselves.
QUICK = ("head", tagging.QUICK.kind, ordering.PLAN.kind)


@dataclass(frozen=True, kw_only=True)
class Today:
    """The project's minutes of the last 24 hours: what it may use, and used."""

    minutes: int
    used: float

    @property
    def left(self) -> float:
        return max(self.minutes - self.used, 0.0)


def key_of(project: Project) -> str:
    """What parts two trainings of one project."""
    return f"challenger:{project.pk}"


def recipes_of(project: Project) -> list[Recipe]:
    """Every recipe that fits the project beside the head, as a lead set it or as it is at first."""
    known = {each.kind: each for each in Recipe.objects.filter(project=project)}
    return [
        known.get(kind) or Recipe(project=project, kind=kind, when=_at_first(project, kind))
        for kind in project.task.students
        if kind not in QUICK and fits(project, kind)
    ]


def _at_first(project: Project, kind: str) -> When:
    """When a recipe trains that no lead set."""
    if project.item_kind == ItemKind.TEXT and project.task_type in ANYWHERE.get(kind, ()):
        return When.ALWAYS
    return When.GPU if kind in WITH_GPU else When.NEVER


def unpaid(recipe: Recipe, labelled: int, labels: int) -> str:
    """Why a recipe that trains by itself is not worth a try just now, as the student itself says it."""
    if recipe.when == When.NEVER:
        return ""
    try:
        student = fitting.Plan(kind=recipe.kind, params=recipe.params).plugin()
    except InvalidError:
        return ""  # its training says what is wrong, where it stays to be read
    return students.unpaid(student, labelled, labels)


def change(
    project: Project,
    *,
    minutes: int | None = None,
    recipes: dict[str, tuple[str, dict[str, Any]]] | None = None,
) -> None:
    """Set the minutes a day, and for recipes when they train and with which parameters.

    Raises InvalidError for what there is not; then nothing is changed.
    """
    fitting_kinds = {each.kind: each for each in recipes_of(project)}
    with transaction.atomic():
        if minutes is not None:
            if not 0 <= minutes <= MOST_MINUTES:
                raise InvalidError(f"A day has 0 to {MOST_MINUTES:,} minutes.", field="minutes")
            Project.objects.filter(pk=project.pk).update(training_minutes=minutes)
        for kind, (when, params) in (recipes or {}).items():
            if kind not in fitting_kinds:
                listed = ", ".join(fitting_kinds) or "none"
                raise InvalidError(f"The recipes of this project are: {listed}.", field=kind)
            _set(fitting_kinds[kind], when, params)


def _set(recipe: Recipe, when: str, params: dict[str, Any]) -> None:
    if when not in When.values:
        raise InvalidError(f"A recipe trains {', '.join(When.values)}.", field=recipe.kind)
    if when != When.NEVER or params:  # one that never trains may still lack the name of a model
        params = fitting.Plan(kind=recipe.kind, params=params).plain().params
    changed: dict[str, Any] = {"when": when, "params": params, "trouble": ""}
    if params != recipe.params:
        changed["tried_on"] = 0  # another recipe: it was never tried
    Recipe.objects.update_or_create(project=recipe.project, kind=recipe.kind, defaults=changed)


def today(project: Project) -> Today:
    """What trainings of the last 24 hours took, those that a person asked for among them."""
    day = timezone.now() - timedelta(days=1)
    rows = Job.objects.filter(project=project, kind__in=TRAININGS, started_at__gte=day)
    took = rows.aggregate(took=Sum(Coalesce(F("finished_at"), Now()) - F("started_at")))["took"]
    used = (took or timedelta()).total_seconds() / 60
    return Today(minutes=project.training_minutes, used=used)


def due(project: Project, labelled: int) -> list[Recipe]:
    """The recipes for which enough changed, the one that waited longest first; of those that were never tried
    the quickest."""
    known, labels = recipes_of(project), project.live_labels().count()
    found = [
        each
        for each in known
        if each.when != When.NEVER
        and labelled >= wanted(each)
        and not unpaid(each, labelled, labels)
    ]
    served = serving_recipe(project, known)
    if served and served not in found and _is_behind(project, served, labelled):
        found.append(served)
    long_ago = timezone.now() - timedelta(days=10_000)
    ranks = {kind: rank for rank, kind in enumerate(ANYWHERE)}
    return sorted(
        found, key=lambda each: (each.tried_at or long_ago, ranks.get(each.kind, len(ranks)))
    )


def wanted(recipe: Recipe) -> int:
    """The labelled items from which on the recipe is due."""
    return max(FEWEST, math.ceil(recipe.tried_on * (1 + GROWN)))


def serving_recipe(project: Project, known: list[Recipe]) -> Recipe | None:
    """The recipe of the student that serves, where it does not learn from every burst of answers anyway, and
    nobody went back to that very version."""
    current = project.current_student
    if current is None or current.kind in QUICK or promoting.is_held(project):
        return None
    return serving.recipe_of(project, current, known)


def learns_on_from(recipe: Recipe, current: StudentVersion) -> int:
    """The labelled items from which on the student that serves, of this recipe, learns on."""
    return math.ceil(max(recipe.tried_on, current.trained_on) * (1 + GROWN))


def _is_behind(project: Project, recipe: Recipe, labelled: int) -> bool:
    """Whether the student that serves is to learn on: there is as much more as any recipe waits for, or the
    labels are others."""
    current = project.current_student
    if current is None:
        return False
    grown = labelled >= learns_on_from(recipe, current)
    return grown or serving.has_moved(project, current, recipe.tried_at)


def wish(project: Project, labelled: int, *, in_seconds: float = 0.0) -> None:
    """Ask for a training in the background if a recipe is due; safe to ask twice."""
    if project.training_paused or not project.training_minutes or not due(project, labelled):
        return
    with transaction.atomic():
        jobs.enqueue("background", project=project, key=key_of(project), due_in_seconds=in_seconds)


def run_background(run: jobs.Run) -> dict[str, Any]:
    """Train the recipe that waited longest, if it is this project's turn."""
    project = run.project
    plan = _plan(run)  # what an attempt began that was killed
    if plan is None:
        answered = labelled(project)
        if project.training_paused:
            return {"trained": False, "why": "Training is paused."}
        if today(project).left <= 0:
            wish(project, answered, in_seconds=HOUR_SECONDS)
            return {"trained": False, "why": "Today's minutes are used up."}
        if not is_turn(run.job):
            wish(project, answered, in_seconds=STEP_BACK_SECONDS)
            return {"trained": False, "why": "Other work goes first."}
        plan = _chosen(run, due(project, answered), answered)
    if plan is None:
        return {"trained": False, "why": "No recipe is due, or those that are want a GPU."}
    try:
        version = _train(run, replace(plan, most_minutes=project.training_minutes))
    except (ConflictError, InvalidError, LearningError) as refusal:
        kept = Recipe.objects.filter(project=project, kind=plan.kind, params=plan.params)
        kept.update(trouble=str(refusal))
        raise
    wish(project, version.trained_on)
    return twins.told(run, version)


def _plan(run: jobs.Run) -> fitting.Plan | None:
    """What the job is to train, where that was decided."""
    if "kind" not in run.params:
        return None
    return fitting.Plan(kind=run.params["kind"], params=run.params["student"])


def run_asked(run: jobs.Run) -> dict[str, Any]:
    """Train the student that a person asked for; it takes over by the same rule as any other."""
    asked = run.params.get("student", {})
    version = _train(run, _plan(run) or fitting.Plan(kind="finetune", params=asked))
    return twins.told(run, version)


def _train(run: jobs.Run, plan: fitting.Plan) -> StudentVersion:
    project = run.project
    if project.shape != Shape.LABELS:
        return _train_tagger(run, plan)
    encoding = current_encoding(project)
    lesson = lessons.gather(project, encoding, whole_items=True) if encoding else None
    if encoding is None or lesson is None:
        raise ConflictError("A student needs encoded items and answers with two different labels.")
    version, _ = fitting.learn(run, project, encoding, lesson, plan)
    fitting.put_to_use(version)
    if _may_teach(project, version):
        lessons.wish_with_others(project)
    return version


def _train_tagger(run: jobs.Run, plan: fitting.Plan) -> StudentVersion:
    """The same where answers mark spans; what it says teaches no head."""
    project = run.project
    encoding = current_encoding(project)
    words = reading_words.read(run, encoding) if encoding else None
    lesson = marked_lessons.gather(project, words, texts=True) if words else None
    if encoding is None or words is None or lesson is None:
        raise ConflictError("A student needs encoded items, and two marked texts, one with a span.")
    version, _, _ = tagging.learn(run, encoding, words, lesson, plan)
    fitting.put_to_use(version)
    return version


def _may_teach(project: Project, version: StudentVersion) -> bool:
    """Whether a head could learn from it beside the answers: it serves, or is ahead of what serves."""
    project.refresh_from_db(fields=["current_student"])
    current = project.current_student
    if version.kind == "head" or current is None or current == version:
        return version.kind != "head"
    return promoting.paired(project, version, current).p_better <= distilling.ALPHA


def labelled(project: Project) -> int:
    """What the latest lesson held: as many as there are, to some answers. It need not be that of the newest version,
    which may have taken long."""
    latest = StudentVersion.objects.filter(project=project).order_by("-position", "-number")
    return latest.values_list("trained_on", flat=True).first() or 0


def _chosen(run: jobs.Run, recipes: list[Recipe], labelled: int) -> fitting.Plan | None:
    """The first one that this machine may train. It is marked as tried, so that it waits if it fails,
    and written into the job, so that another worker goes on with it if this one is killed."""
    known = recipes_of(run.project)
    served = serving_recipe(run.project, known)
    for recipe in recipes:
        anyway = recipe.when == When.ALWAYS or (served is not None and _are_one(recipe, served))
        here = anyway or fitting.accelerator() != "cpu"
        with run.fence():
            if any(_are_one(recipe, each) for each in known):
                _mark(recipe, labelled, "" if here else NO_GPU)
            if here:
                plan = {"kind": recipe.kind, "student": recipe.params, "labelled": labelled}
                Job.objects.filter(pk=run.job.pk).update(params=plan)
                return fitting.Plan(kind=recipe.kind, params=recipe.params)
    return None


def _are_one(one: Recipe, other: Recipe) -> bool:
    return (one.kind, one.params) == (other.kind, other.params)


def _mark(recipe: Recipe, labelled: int, trouble: str) -> None:
    Recipe.objects.update_or_create(
        project=recipe.project,
        kind=recipe.kind,
        defaults={
            "when": recipe.when,
            "params": recipe.params,
            "tried_on": labelled,
            "tried_at": Now(),
            "trouble": trouble,
        },
    )


def is_turn(job: Job) -> bool:
    """Whether nothing else wants the machine: what people asked for goes first, then projects that
    used less today. A worker begins a job that was due later beside the one it does, so that what it
    has in work counts too."""
    here = Job.objects.filter(queue=QUEUE, state=JobState.RUNNING, worker=job.worker)
    if here.filter(lease_until__gte=Now()).exclude(pk=job.pk).exists():
        return False
    waiting = Job.objects.filter(queue=QUEUE, state=JobState.QUEUED, due_at__lte=Now())
    if waiting.exclude(kind="background").exists():
        return False
    if job.project is None:
        return True
    mine = (today(job.project).used, job.project_id or 0)
    others = waiting.filter(~Q(project=job.project), project__archived_at=None)
    return all(
        (today(other.project).used, other.project_id or 0) > mine
        for other in others.select_related("project")
        if other.project is not None
    )


def step_aside(project: Project) -> None:
    """Take back what waits in the background, for a training that a person asks for."""
    for job in Job.objects.filter(key=key_of(project), kind="background", state=JobState.QUEUED):
        jobs.request_cancel(job)
