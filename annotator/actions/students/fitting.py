"""Fit a student, predict the pool with it, measure it, publish it: whole or not at all.

Until the one transaction that publishes, a version is a folder that no row names; what a killed
worker left of it is removed by the next attempt, or by the next training.
"""

from __future__ import annotations

import contextlib
import importlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
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
    conforming,
    distilling,
    evaluating,
    origins,
    promoting,
    recipes,
    sheets,
)
from annotator.actions.students.pool_texts import PoolTexts
from annotator.actions.teachers import local_models
from annotator.errors import AnnotatorError, ConflictError, InvalidError
from annotator.models import (
    Encoding,
    Job,
    PredictedFile,
    Project,
    StudentState,
    StudentVersion,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.lessons import Lesson
    from learning.students import Fitted, Student
    from learning.students.predictions import Predictions
    from learning.tasks import Columns

# Old versions keep their figures for the curve; their files go, but for the newest few heads, which
# are small, and the newest of the others, which may be returned to.
KEPT_FILES, KEPT_OTHERS = 5, 2
# How the folder of an attempt at a job is named, and that of its checkpoints.
_ATTEMPT = re.compile(r"(?:.+-(\d+)-\d+|\.checkpoint-(\d+))")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to train: a kind of student, its parameters, and after how long to give up.

    by_f1: a head gives several labels by their best F1. It is no parameter: what a student says stays of one
    recipe wherever its line is drawn.
    """

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    most_minutes: float | None = None
    by_f1: bool = False

    def plugin(self) -> Any:
        """A student, or a tagger. Raises InvalidError for a kind or parameters that there are not."""
        from learning.errors import LearningError

        try:
            chosen = {"cut": None} if self.by_f1 else {}
            return recipes.registry_of(self.kind).create(self.kind, self.params | chosen)
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

    from learning.students.predictions import read_predictions, write_predictions

    done = published(run)
    if done is not None:
        predictions = read_predictions(students_folder(project.pk) / done.folder / "pool")
        follow_up(run, done, predictions)
        return done, predictions
    started = time.monotonic()
    rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
    student: Student = plan.plugin()
    remove_attempts(run, project)
    folder = students_folder(project.pk) / f"{plan.kind}-{run.job.pk}-{run.job.attempt}"
    with resumable(students_folder(project.pk) / f".checkpoint-{run.job.pk}") as checkpoint:
        start = _former(encoding, plan.kind, lesson.columns)
        fitted = fit(run, lesson.data, plan, rng, checkpoint, start)
        taught = distilling.teach(run, project, encoding, lesson, fitted)
        fitted = taught.fitted
        taught.save(folder)
        items = open_matrix(encoding).view() if student.needs == "encodings" else PoolTexts(project)
        predictions = write_predictions(
            folder / "pool", fitted, items, lambda done, of: run.progress(done, of, "Predicting")
        )
        figures = evaluating.evaluate(project, lesson, student, predictions, rng, run)
        if also is not None:
            figures = replace(figures, metrics=figures.metrics | also(folder))
        fields = {
            "kind": plan.kind,
            "params": plan.params,
            "folder": folder.name,
            "by_epoch": _by_epoch(fitted),
            "beside": taught.told,
            "device": device_of(student),
            "seconds": round(time.monotonic() - started, 3),
            **figures.fields(),
        }
        version = publish(run, encoding, lesson, predictions, fields)
    follow_up(run, version, predictions)
    return version, predictions


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
    """Learn what the plan's plugin learns from, from the checkpoint of a killed attempt if it learned from just this."""
    from learning.errors import CheckpointMismatchError

    began = time.monotonic()

    def report(done: int, total: int) -> None:
        run.progress(done, total, "Training")
        minutes = (time.monotonic() - began) / 60
        if plan.most_minutes is not None and minutes > plan.most_minutes:
            raise ConflictError(
                f"It was not trained within {plan.most_minutes:g} minutes, which is all that the "
                "project has a day. Give it more, or start this training by hand."
            )

    def learnt() -> Any:
        return plan.plugin().fit(data, rng, report, start=start, checkpoint=checkpoint)

    try:
        return learnt()
    except CheckpointMismatchError:
        shutil.rmtree(checkpoint)  # answers came between a worker that died and this one
        return learnt()


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[Path]:
    """A folder for the checkpoints of a job: it goes when the version is published or refused, and
    stays for the next worker when this one dies or loses its lease.
    """
    from learning.errors import LearningError

    try:
        yield folder
    except jobs.FencedError:
        raise
    except (AnnotatorError, LearningError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def device_of(student: Any) -> str:
    """Where it learned: those that read texts take a GPU where there is one."""
    return accelerator() if student.needs == "texts" else "cpu"


def accelerator() -> str:
    """What this process computes on. Found by name, as plugins are: the web never imports torch."""
    return str(importlib.import_module("learning.students.devices").device().type)


def _by_epoch(fitted: Fitted) -> list[float]:
    """The share of its own items on which its margin was above 0, after each epoch."""
    margins = getattr(fitted, "margins", None)  # those that learn in epochs keep them, (epochs, n)
    if margins is None or not margins.size:
        return []
    return [round(float(share), 4) for share in (margins > 0).mean(axis=1)]


def follow_up(run: jobs.Run, version: StudentVersion, predictions: Predictions) -> None:
    """What rests on a version once it is there; done again after a kill in between."""
    project = version.project
    conforming.calibrate(run, version, predictions, version.sheet.held)
    estimating.wish(project)
    differing.wish(project)
    routing.wish_after_training(project)
    scoring.wish(project)


def _former(encoding: Encoding, kind: str, columns: Columns) -> Fitted | None:
    """The newest head on the same vectors to begin a head from, if its columns are still ours; of one
    that a better voice taught, what its answers alone made."""
    from learning import students
    from learning.errors import DamagedFileError

    if kind != "head":
        return None
    heads = StudentVersion.objects.filter(encoding=encoding, kind=kind).exclude(folder="")
    former = heads.order_by("-number").first()
    if former is None or tuple(former.label_ids) != columns.label_ids[: len(former.label_ids)]:
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


def catch_up(run: jobs.Run, project: Project, encoding: Encoding) -> bool:
    """Let the student that serves predict items that came after it. False where none did."""
    from learning import students
    from learning.students.predictions import read_predictions, write_predictions

    serving = project.current_student
    if serving is None or not serving.folder:
        return False
    of_vectors = students.STUDENTS[serving.kind].needs == "encodings"
    if of_vectors and serving.encoding_id != encoding.pk:
        return False  # it reads other vectors than there are now
    folder = students_folder(project.pk) / serving.folder
    items = open_matrix(encoding).view() if of_vectors else PoolTexts(project)
    if len(items) > encoding.rows or read_predictions(folder / "pool").rows >= len(items):
        return (
            False  # what has no vector yet is not chosen from: the training behind it comes again
        )
    write_predictions(
        folder / "pool",
        students.load(folder),
        items,
        lambda done, of: run.progress(done, of, "Predicting"),
    )
    return True


def put_to_use(version: StudentVersion) -> None:
    """Let the queue follow a version that took over, and remove files that it made needless."""
    project = version.project
    if Project.objects.filter(pk=project.pk, current_student=version).exists():
        with transaction.atomic():
            jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    forget_old_files(project)


def remove_attempts(run: jobs.Run, project: Project) -> None:
    """Remove what earlier attempts at this job wrote before they were killed."""
    for left in students_folder(project.pk).glob(f"*-{run.job.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)


def forget_old_files(project: Project) -> None:
    """Remove the files of versions that neither serve, nor label a file just now, nor are among the
    newest of their kind, and those that no version names; rows stay."""
    with transaction.atomic():
        # Parts this from a person who promotes one of them: it must not serve without its files.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        versions = StudentVersion.objects.filter(project=project).exclude(folder="")
        kinds = set(versions.order_by().values_list("kind", flat=True))
        kept = {
            pk
            for kind in kinds
            for pk in versions.filter(kind=kind)
            .order_by("-number")
            .values_list("pk", flat=True)[: KEPT_FILES if kind == "head" else KEPT_OTHERS]
        }
        kept.add(locked.current_student_id or 0)
        at_work = PredictedFile.objects.live().filter(project=project, student__isnull=False)
        kept |= set(at_work.values_list("student_id", flat=True))
        gone = dict(versions.exclude(pk__in=kept).values_list("pk", "folder"))
        StudentVersion.objects.filter(pk__in=gone).update(folder="")
    for folder in gone.values():  # a worker that is killed here leaves strays
        shutil.rmtree(students_folder(project.pk) / folder, ignore_errors=True)
    _forget_strays(project)


def _forget_strays(project: Project) -> None:
    """Remove what a killed or cancelled training left, once its job is over."""
    paths = list(students_folder(project.pk).glob("*"))  # before the jobs: one may begin just now
    live = set(Job.objects.filter(project=project).live().values_list("pk", flat=True))
    for path in paths:
        found = _ATTEMPT.fullmatch(path.name)
        if found is None or int(found[1] or found[2]) in live:
            continue
        if not StudentVersion.objects.filter(project=project, folder=path.name).exists():
            shutil.rmtree(path, ignore_errors=True)
