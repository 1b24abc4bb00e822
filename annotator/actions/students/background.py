"""Which students train by themselves beside the head, when, and for how long a day.

The head learns from every burst of answers. Dearer recipes wait until the labels grew by a good part
since their last run, until no other work waits for the machine that trains, and while the project has
minutes left today; of two projects the one that used less goes first. One that trains gives way to
whatever people ask for, and goes on behind it, see `turns`. A recipe that failed, or found
no GPU, waits for as many new labels as one that was trained; one that says itself that it does not pay
on such a lesson waits until it does. The recipe of the student that serves goes on in any case.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import current_encoding
from annotator.actions.students import (
    distilling,
    fitting,
    kept_lessons,
    lessons,
    marked_lessons,
    ordering,
    promoting,
    serving,
    tagging,
    turns,
    twins,
    version_files,
)
from annotator.actions.students.recipes import fits
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import ItemKind, Job, JobState, Project, Recipe, Shape, StudentVersion, When
from learning import students
from learning.errors import LearningError, PauseError

# A recipe is due when this share more was labelled than at its last run, and no sooner than here.
GROWN, FEWEST = 0.2, 100
STEP_BACK_SECONDS, HOUR_SECONDS = 30.0, 3600.0
MOST_MINUTES = 24 * 60
# What a new project tries where there is a GPU: of the dear ones the one that serves most projects. And on
# whatever there is those that take a minute, the quickest first, of texts with the answers they were measured on.
WITH_GPU = ("finetune", "token-finetune")
ANYWHERE = {"label-attention": ("single", "multi"), "contrastive": ("single",)}
NO_GPU = "No GPU was found."
GAVE_WAY = "What people asked for goes first."
# They learn from every burst of answers by themselves.
QUICK = ("head", tagging.QUICK.kind, ordering.PLAN.kind)


def key_of(project: Project) -> str:
    """What parts two trainings in the background of one project."""
    return f"background:{project.pk}"


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
            look_again(project)
        for kind, (when, params) in (recipes or {}).items():
            if kind not in fitting_kinds:
                listed = ", ".join(fitting_kinds) or "none"
                raise InvalidError(f"The recipes of this project are: {listed}.", field=kind)
            _set(fitting_kinds[kind], when, params)


def look_again(project: Project) -> None:
    """Let a training that waits for minutes, or for the end of a pause, look now whether it may go on."""
    with transaction.atomic():
        settling.bring_forward(key_of(project))


def _set(recipe: Recipe, when: str, params: dict[str, Any]) -> None:
    if when not in When.values:
        raise InvalidError(f"A recipe trains {', '.join(When.values)}.", field=recipe.kind)
    if when != When.NEVER or params:  # one that never trains may still lack the name of a model
        params = fitting.Plan(kind=recipe.kind, params=params).plain().params
    changed: dict[str, Any] = {"when": when, "params": params, "trouble": ""}
    if params != recipe.params:
        changed["tried_on"] = 0  # another recipe: it was never tried
    Recipe.objects.update_or_create(project=recipe.project, kind=recipe.kind, defaults=changed)


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
    """Train the recipe that waited longest, or go on with what gave way, if it is this project's turn."""
    project, plan = run.project, _plan(run)
    if run.job.attempt == 1 or plan is None:  # else a worker was killed that had begun
        if (why := _put_off(run)) is not None:
            return {"trained": False, "why": why}
        if plan is not None and not _is_wanted(project, plan):
            version_files.forget_checkpoint(run.job)
            plan = None
        plan = plan or _chosen(run, due(project, labelled(project)), labelled(project))
    elif _gave_way(run.job):
        return {"trained": False, "why": GAVE_WAY}
    if plan is None:
        return {"trained": False, "why": "No recipe is due, or those that are want a GPU."}
    began, turn = time.monotonic(), turns.Turn.of(run)
    try:
        version = _train(run, replace(plan, most_minutes=project.training_minutes, turn=turn))
    except PauseError:
        _go_on_later(run, GAVE_WAY, spent=turn.spent + time.monotonic() - began)
        version_files.remove_attempts(run, project)
        return {"trained": False, "why": GAVE_WAY}
    except (ConflictError, InvalidError, LearningError) as refusal:
        kept = Recipe.objects.filter(project=project, kind=plan.kind, params=plan.params)
        kept.update(trouble=str(refusal))
        raise
    wish(project, labelled(project))  # which may have grown while it gave way
    return twins.told(run, version)


def _put_off(run: jobs.Run) -> str | None:
    """Why a training neither begins nor goes on now, None if it does; it is asked for again later."""
    project = run.project
    if project.training_paused:
        why, in_seconds = "Training is paused.", HOUR_SECONDS
    elif turns.today(project).left <= 0:
        why, in_seconds = "Today's minutes are used up.", HOUR_SECONDS
    elif not turns.is_turn(run.job):
        why, in_seconds = "Other work goes first.", STEP_BACK_SECONDS
    else:
        return None
    if version_files.CHECKPOINT not in run.params:
        wish(project, labelled(project), in_seconds=in_seconds)
    elif project.training_minutes:
        _go_on_later(run, why, in_seconds)
    else:
        version_files.forget_checkpoint(run.job)
    return why


def _is_wanted(project: Project, plan: fitting.Plan) -> bool:
    """Whether what gave way is a recipe still that trains by itself: a lead may have set it otherwise."""
    known = recipes_of(project)
    served = serving_recipe(project, known)
    wanted = [each for each in known if each.when != When.NEVER] + ([served] if served else [])
    return any((each.kind, each.params) == (plan.kind, plan.params) for each in wanted)


def _gave_way(job: Job) -> bool:
    """Whether a worker was killed between giving way and saying so: another job goes on with this one's work."""
    first = job.params.get(version_files.CHECKPOINT, job.pk)
    later = Job.objects.filter(project=job.project_id, kind=turns.KIND, pk__gt=job.pk)
    return later.filter(**{f"params__{version_files.CHECKPOINT}": first}).exists()


def _go_on_later(run: jobs.Run, why: str, in_seconds: float = 0.0, **more: Any) -> None:
    """Ask for the rest of a training behind what waits; minutes of a day and attempts are counted by job."""
    first = run.params.get(version_files.CHECKPOINT, run.job.pk)
    params = {**run.params, version_files.CHECKPOINT: first, **more}
    with run.fence():
        if Job.objects.filter(pk=run.job.pk, cancel_requested=True).exists():
            version_files.forget_checkpoint(run.job)
            raise jobs.CancelledError("Cancelled.")
        key = key_of(run.project)
        jobs.enqueue(turns.KIND, project=run.project, key=key, due_in_seconds=in_seconds)
        # It may be one that was asked for meanwhile, for another recipe that is due: that one comes after it.
        done = Job.objects.values("done", "total").get(pk=run.job.pk)
        due = Now() + timedelta(seconds=in_seconds)
        Job.objects.filter(key=key, state=JobState.QUEUED).update(
            params=params, due_at=due, rung_at=due, message=why, **done
        )


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
    encoding, place = current_encoding(project), version_files.checkpoint_of(run.job)
    lesson = kept_lessons.read(place, project, encoding) if encoding else None
    if lesson is None and encoding is not None:
        plan.begin_anew()
        lesson = lessons.gather(project, encoding, whole_items=True)
    if encoding is None or lesson is None:
        raise ConflictError("A student needs encoded items and answers with two different labels.")
    seen = kept_lessons.seen(project, encoding, lesson.columns, lesson.numbers)
    try:
        version, _ = fitting.learn(run, project, encoding, lesson, plan)
    except PauseError:
        kept_lessons.keep(place, lesson, seen)
        raise
    fitting.put_to_use(version)
    if _may_teach(project, version):
        lessons.wish_with_others(project)
    return version


def _train_tagger(run: jobs.Run, plan: fitting.Plan) -> StudentVersion:
    """The same where answers mark spans; what it says teaches no head."""
    project = run.project
    encoding, place = current_encoding(project), version_files.checkpoint_of(run.job)
    words = reading_words.read(run, encoding) if encoding else None
    lesson = None
    if encoding is not None and words is not None:
        lesson = kept_lessons.read_marked(place, project, encoding, words)
        if lesson is None:
            plan.begin_anew()
            lesson = marked_lessons.gather(project, words, texts=True)
    if encoding is None or words is None or lesson is None:
        raise ConflictError("A student needs encoded items, and two marked texts, one with a span.")
    seen = kept_lessons.seen(project, encoding, lesson.columns, lesson.numbers)
    try:
        version, _, _ = tagging.learn(run, encoding, words, lesson, plan)
    except PauseError:
        kept_lessons.keep(place, lesson, seen)
        raise
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
                run.job.params = plan
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
