"""Fit a student, predict the pool with it, measure it, publish it: whole or not at all.

Until the one transaction that publishes, a version is a folder that no row names; what a killed
worker left of it is removed by the next attempt, or by the next training.
"""

from __future__ import annotations

import importlib
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from django.db import transaction
from django.db.models import Max

from annotator import jobs
from annotator.actions.encoders.encoding import open_matrix, students_folder
from annotator.actions.figures import estimating
from annotator.actions.imports import differing
from annotator.actions.routing import routing, scoring
from annotator.actions.students import (
    choices,
    conforming,
    distilling,
    evaluating,
    lessons,
    origins,
    promoting,
    recipes,
    sheets,
    turns,
    twins,
    version_files,
)
from annotator.actions.students.pool_items import pool_of
from annotator.actions.teachers import local_models
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Encoding,
    Project,
    StudentState,
    StudentVersion,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.lessons import Lesson
    from learning.students import Fitted
    from learning.students.predictions import Predictions
    from learning.tasks import Columns


# So long a student reads the pool before it is told how long all of it takes.
LOOK_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to train: a kind of student, its parameters, and after how long to give up.

    ways: how a head learns by the project's settings, see `recipes.ways_of`. turn: by which it gives way
    to others; None for what a person asked for.
    """

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    most_minutes: float | None = None
    ways: dict[str, Any] = field(default_factory=dict)
    turn: turns.Turn | None = field(default=None, compare=False)

    @property
    def spent(self) -> float:
        """The seconds of work on it before this job's."""
        return 0.0 if self.turn is None else self.turn.spent

    def begin_anew(self) -> None:
        """What was learned before is in vain, and no work on this student."""
        if self.turn is not None:
            self.turn.spent = 0.0

    def plugin(self) -> Any:
        """A student, or a tagger. Raises InvalidError for a kind or parameters that there are not."""
        from learning.errors import LearningError

        try:
            return recipes.registry_of(self.kind).create(self.kind, self.params | self.ways)
        except (LearningError, ValueError) as error:
            named = getattr(error, "parameter", "")
            told = {"parameter": named} if named else {}
            raise InvalidError(str(error), field="params", **told) from error

    def plain(self) -> Plan:
        """The same without values that the kind has anyway: what trains alike is one recipe, and its
        tests are counted together; a model as the path or the pinned name that it is loaded by.
        Raises InvalidError as `plugin`, and for a model that nobody may name.
        """
        plugin = self.plugin()
        own = {each.name: each.default for each in fields(plugin)}
        params = {name: value for name, value in self.params.items() if value != own[name]}
        if "model" in params:
            params["model"] = local_models.place_of(params)
        return replace(self, params=params)


class Learned(Protocol):
    """What is told of a lesson with the version that learned from it."""

    @property
    def numbers(self) -> NDArray[np.int64]: ...
    @property
    def columns(self) -> Columns: ...
    @property
    def held(self) -> list[int]: ...
    @property
    def answers(self) -> int: ...
    @property
    def position(self) -> int: ...


def learn(
    run: jobs.Run,
    project: Project,
    encoding: Encoding,
    lesson: Lesson,
    plan: Plan,
    also: Callable[[Path], dict[str, float]] | None = None,
) -> tuple[StudentVersion, Predictions]:
    """Train, predict, evaluate, publish; after a kill behind the publishing only what follows it.

    also: puts what else the version knows into its folder, and gives figures of it.
    """
    import numpy as np

    if (done := published(run)) is not None:
        return _as_before(run, done)
    started = time.monotonic()
    digest = lessons.digest_of(project, encoding, lesson, plan.ways)
    # What is marked beside the labels is not in the lesson.
    twin = twins.twin_of(project, plan, encoding, digest) if also is None else None
    if twin is not None and plan.kind != "head":
        return _as_before(run, twin)
    rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
    version_files.remove_attempts(run, project)
    folder = students_folder(project.pk) / f"{plan.kind}-{run.job.pk}-{run.job.attempt}"
    with version_files.resumable(version_files.checkpoint_of(run.job)) as checkpoint:
        start = _former(encoding, plan, lesson.columns)
        fitted = fit(run, lesson.data, plan, rng, checkpoint, start)
        taught = distilling.teach(run, project, encoding, lesson, fitted)
        if twin is not None and taught.is_as(twin.beside):
            return _as_before(run, twin, taught.told)
        _save(taught, plan, folder)
        predictions = _predicted(run, encoding, plan, taught.fitted, folder, checkpoint, started)
        figures = evaluating.evaluate(project, lesson, plan.plugin(), predictions, rng, run)
        if also is not None:
            figures = replace(figures, metrics=figures.metrics | also(folder))
        fields = {
            "kind": plan.kind,
            "params": plan.params,
            "folder": folder.name,
            "lesson": digest,
            "by_epoch": _by_epoch(taught.fitted),
            "beside": taught.told,
            "device": device_of(plan.plugin()),
            "seconds": round(plan.spent + time.monotonic() - started, 3),
            **figures.fields(),
        }
        version = publish(run, encoding, lesson, predictions, fields)
    follow_up(run, version, predictions)
    return version, predictions


def _save(taught: distilling.Taught, plan: Plan, folder: Path) -> None:
    """Write the student; its manifest tells how its labels counted, which no parameter does."""
    from learning.storage import note

    taught.save(folder)
    if "class_weights" in plan.ways:
        note(folder, {"class_weights": plan.ways["class_weights"]})


def _predicted(
    run: jobs.Run,
    encoding: Encoding,
    plan: Plan,
    fitted: Fitted,
    folder: Path,
    checkpoint: Path,
    started: float,
) -> Predictions:
    """What it says of the pool, written beside it; until all is said, beside the checkpoints."""
    from learning.storage import MANIFEST, sha256_of
    from learning.students.predictions import read_predictions, write_predictions

    of_vectors = plan.plugin().needs == "encodings"
    items = open_matrix(encoding).view() if of_vectors else pool_of(run.project)
    report, place = within_the_day(run, plan, started), checkpoint / version_files.POOL
    write_predictions(place, fitted, items, report, work=sha256_of(folder / MANIFEST))
    place.rename(folder / version_files.POOL)
    return read_predictions(folder / version_files.POOL)


def _as_before(
    run: jobs.Run, twin: StudentVersion, beside: dict[str, Any] | None = None
) -> tuple[StudentVersion, Predictions]:
    """The version that there is, with what is measured of it anew; `beside` is what is told now of what it
    learned beside the answers."""
    from learning.students.predictions import read_predictions

    if beside is not None:
        with run.fence():
            StudentVersion.objects.filter(pk=twin.pk).update(beside=beside)
    predictions = read_predictions(version_files.folder_of(twin) / "pool")
    follow_up(run, twin, predictions)
    return twin, predictions


def published(run: jobs.Run) -> StudentVersion | None:
    """What an attempt at this job published before it was killed."""
    return StudentVersion.objects.filter(job=run.job).select_related("sheet", "project").first()


def fit(
    run: jobs.Run,
    data: Any,
    plan: Plan,
    rng: np.random.Generator,
    checkpoint: Path,
    start: Any = None,
) -> Any:
    """Learn what the plan's plugin learns from, from the checkpoint of a killed attempt, or of one that gave way,
    if it learned from just this."""
    from learning.errors import CheckpointMismatchError

    began, plugin = time.monotonic(), plan.plugin()

    def report(done: int, total: int) -> None:
        run.progress(done, total, "Training")
        if plan.turn is not None:
            # What some do behind their last step, such as a head on tuned vectors, is in no checkpoint.
            keeps = hasattr(plugin, "checkpoint_steps") and done < total
            plan.turn.heed(done, keeps=keeps)
        minutes = (plan.spent + time.monotonic() - began) / 60
        if plan.most_minutes is not None and minutes > plan.most_minutes:
            raise ConflictError(
                f"It was not trained within {plan.most_minutes:g} minutes, which is all that the "
                "project has a day. Give it more, or start this training by hand."
            )

    def learnt() -> Any:
        return plugin.fit(data, rng, report, start=start, checkpoint=checkpoint)

    try:
        return learnt()
    except CheckpointMismatchError:
        shutil.rmtree(checkpoint)  # answers came between a worker that died and this one
        return learnt()


def within_the_day(run: jobs.Run, plan: Plan, started: float) -> Callable[[int, int], None]:
    """Report how far the pool is predicted. What would take longer than all the minutes of a day ends as soon
    as that is seen. It gives way once it read on; what was read is kept."""
    began, first, before = time.monotonic(), -1, -1

    def report(done: int, total: int) -> None:
        nonlocal began, first, before
        run.progress(done, total, "Predicting")
        if first < 0:  # where it goes on, or behind its first block
            began, first, before = time.monotonic(), done, done
        elif done > first and plan.turn is not None:
            plan.turn.heed(done, keeps=True)
        if done == before:  # in the middle of a block nobody knows how far it is
            return
        before = done
        took = time.monotonic() - began
        spent = plan.spent + began - started
        minutes = (spent + took * (total - first) / (done - first)) / 60
        if plan.most_minutes is not None and took > LOOK_SECONDS and minutes > plan.most_minutes:
            raise ConflictError(
                f"With all {total:,} items to read it would take about {math.ceil(minutes):,} minutes, and the project "
                f"has {plan.most_minutes:g} a day. Give it more, or start this training by hand."
            )

    return report


def device_of(student: Any) -> str:
    """Where it learned: those that read the items themselves take a GPU where there is one."""
    return accelerator() if student.needs in ("texts", "images") else "cpu"


def accelerator() -> str:
    """What this process computes on. Found by name, as plugins are: the web never imports torch."""
    return str(importlib.import_module("learning.students.devices").device().type)


def _by_epoch(fitted: Fitted) -> list[float]:
    """The share of its own items on which its margin was above 0, after each epoch, of those that have one."""
    import numpy as np

    margins = getattr(fitted, "margins", None)  # those that learn in epochs keep them, (epochs, n)
    if margins is None:
        return []
    told = np.isfinite(margins).sum(axis=1)
    ahead = (margins > 0).sum(axis=1)
    return [round(float(share), 4) for share in ahead[told > 0] / told[told > 0]]


def follow_up(run: jobs.Run, version: StudentVersion, predictions: Predictions) -> None:
    """What rests on a version once it is there; done again after a kill in between."""
    project = version.project
    conforming.calibrate(run, version, predictions, version.sheet.held)
    estimating.wish(project)
    differing.wish(project)
    routing.wish_after_training(project)
    scoring.wish(project)


def _former(encoding: Encoding, plan: Plan, columns: Columns) -> Fitted | None:
    """The newest head on the same vectors to begin a head from, if its columns are still ours and its labels
    counted as they are to count now; of one that a better voice taught, what its answers alone made."""
    from learning import students
    from learning.errors import DamagedFileError

    if plan.kind != "head":
        return None
    heads = StudentVersion.objects.filter(encoding=encoding, kind=plan.kind).exclude(folder="")
    former = heads.order_by("-number").first()
    if former is None or tuple(former.label_ids) != columns.label_ids[: len(former.label_ids)]:
        return None
    if choices.chosen(former).get("class_weights") != plan.ways.get("class_weights"):
        return None
    try:
        return students.load(distilling.plain_folder(former))
    except DamagedFileError:
        return None  # a cold start gives the same student, only slower


def publish(
    run: jobs.Run,
    encoding: Encoding,
    lesson: Learned,
    predictions: Predictions,
    fields: dict[str, Any],
    told: Callable[[int], Any] | None = None,
) -> StudentVersion:
    """The row, what it says of the audit items, and whether it serves: all of it or nothing.

    told: the value that it gives an item, by its number, where answers are more than labels.
    """
    from learning.storage import MANIFEST, sha256_of

    folder = students_folder(encoding.project_id) / fields["folder"]
    origins.note(folder, encoding, lesson, fields)
    with run.fence():
        # Parts two trainings that finish at the same moment: numbers and promotion.
        project = Project.objects.select_for_update(no_key=True).get(pk=encoding.project_id)
        version = StudentVersion.objects.create(
            project=project,
            number=_next_number(project),
            state=StudentState.READY,
            job=run.job,
            encoding=encoding,
            label_ids=list(lesson.columns.label_ids),
            position=lesson.position,
            trained_on=len(lesson.numbers),
            answers=lesson.answers,
            digest=sha256_of(folder / MANIFEST),
            **fields,
        )
        sheets.write(run, version, predictions, lesson.held, told)
        promoting.decide(project, version)
    return version


def _next_number(project: Project) -> int:
    last = StudentVersion.objects.filter(project=project).aggregate(n=Max("number"))["n"]
    number = max(last or 0, project.student_number) + 1
    Project.objects.filter(pk=project.pk).update(student_number=number)
    return number


def put_to_use(version: StudentVersion) -> None:
    """Let the queue follow a version that took over, and remove files that it made needless."""
    project = version.project
    if Project.objects.filter(pk=project.pk, current_student=version).exists():
        with transaction.atomic():
            jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    version_files.forget_old(project)
