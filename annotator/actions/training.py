"""Train a student from the verdicts, publish it whole or not at all, and refill the queue."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from django.db.models import Max
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions import (
    choosing,
    conforming,
    differing,
    estimating,
    evaluating,
    flagging,
    lessons,
    queueing,
    routing,
    scoring,
    sheets,
)
from annotator.actions.encoding import (
    current_encoding,
    open_matrix,
    students_folder,
    wish_encoding,
)
from annotator.actions.schema import columns_of
from annotator.errors import ConflictError, NotFoundError
from annotator.models import (
    Encoding,
    EstimateSource,
    Item,
    Project,
    StudentState,
    StudentVersion,
)
from learning.errors import CheckpointMismatchError, LearningError

if TYPE_CHECKING:
    import numpy as np

    from annotator.actions.lessons import Lesson
    from learning.students import Fitted, Student
    from learning.students.predictions import Predictions
    from learning.tasks import Columns
    from learning.types import Report, TrainingData

# Old heads keep their figures for the curve; their files go, but for the newest few.
KEPT_FILES = 5
PREDICTION_STEPS = 100


def run_train(run: jobs.Run) -> dict[str, Any]:
    """Train the quick student and refill the queue; without enough labels only refill it."""
    project = run.project
    encoding = current_encoding(project)
    if encoding is None or encoding.rows == 0:
        wish_encoding(project)
        return {"trained": False, "why": "The items are not encoded yet."}
    lesson = lessons.gather(project, encoding)
    if lesson is None:
        chosen = _refill(run, project, encoding, None)
        differing.wish(project)
        return {"trained": False, "why": "Two different labels are needed.", "picks": chosen}
    version, predictions = _learn(run, project, encoding, lesson, kind="head")
    knowledge = _knowledge(project, encoding, predictions, version)
    if Project.objects.filter(pk=project.pk, current_student=version).exists():
        _refill(run, project, encoding, knowledge)
    forget_old_files(project)
    flagging.wish(project)
    return {"trained": True, "student": version.number, "trained_on": len(lesson.numbers)}


def run_finetune(run: jobs.Run) -> dict[str, Any]:
    """Fine-tune a transformer; it takes over only if it wins on the audit sample."""
    project = run.project
    encoding = current_encoding(project)
    lesson = lessons.gather(project, encoding, texts=True) if encoding else None
    if encoding is None or lesson is None:
        raise ConflictError(
            "A fine-tuned student needs encoded items and answers with two different labels."
        )
    params = run.params.get("student", {})
    with _resumable(students_folder(project.pk) / f".checkpoint-{run.job.pk}") as checkpoint:
        version, _ = _learn(
            run, project, encoding, lesson, kind="finetune", params=params, checkpoint=checkpoint
        )
    return {"trained": True, "student": version.number, "trained_on": len(lesson.numbers)}


@contextlib.contextmanager
def _resumable(folder: Path) -> Iterator[Path]:
    """A folder for the checkpoints of a job: it goes when the job ends, one way or another, and
    stays for the next worker when this one dies or loses its lease.
    """
    try:
        yield folder
    except (jobs.CancelledError, LearningError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _learn(
    run: jobs.Run,
    project: Project,
    encoding: Encoding,
    lesson: Lesson,
    *,
    kind: str,
    params: dict[str, Any] | None = None,
    checkpoint: Path | None = None,
) -> tuple[StudentVersion, Any]:
    import numpy as np

    from learning.students import STUDENTS
    from learning.students.predictions import write_predictions

    started = time.monotonic()
    rng = np.random.default_rng([project.pk, lesson.position, len(lesson.numbers)])
    student = STUDENTS[kind](**(params or {}))
    folder = students_folder(project.pk) / f"{kind}-{secrets.token_hex(6)}"
    fitted = _fit(
        student,
        lesson.data,
        rng,
        lambda done, total: run.progress(done, total, "Training"),
        _former(project, kind, lesson.columns),
        checkpoint,
    )
    fitted.save(folder)
    items = open_matrix(encoding).view() if student.needs == "encodings" else _Texts(project)
    predictions = write_predictions(
        folder / "pool", fitted, items, lambda done, total: run.progress(done, total, "Predicting")
    )
    figures = evaluating.evaluate(project, lesson, student, predictions, rng, run)
    version = _publish(run, project, encoding, lesson, folder, kind, params or {}, figures, started)
    sheets.write(run, version, predictions, lesson.held)
    conforming.calibrate(run, version, predictions, lesson.held)
    estimating.wish(project)
    differing.wish(project)
    routing.wish_after_training(project)
    scoring.wish(project)
    return version, predictions


def _fit(
    student: Student,
    data: TrainingData,
    rng: np.random.Generator,
    report: Report,
    start: Fitted | None,
    checkpoint: Path | None,
) -> Fitted:
    try:
        return student.fit(data, rng, report, start=start, checkpoint=checkpoint)
    except CheckpointMismatchError:
        if checkpoint is None:
            raise
        shutil.rmtree(checkpoint)  # answers came between a worker that died and this one
        return student.fit(data, rng, report, start=start, checkpoint=checkpoint)


def _former(project: Project, kind: str, columns: Columns) -> Fitted | None:
    """The present student of the same kind to begin from, if its columns are still ours."""
    from learning import students
    from learning.errors import DamagedFileError

    former = project.current_student
    if former is None or former.kind != kind or kind != "head":
        return None
    if tuple(former.label_ids) != columns.label_ids[: len(former.label_ids)]:
        return None
    try:
        return students.load(students_folder(project.pk) / former.folder)
    except DamagedFileError:
        return None  # a cold start gives the same student, only slower


def _publish(
    run: jobs.Run,
    project: Project,
    encoding: Encoding,
    lesson: Lesson,
    folder: Path,
    kind: str,
    params: dict[str, Any],
    figures: evaluating.Figures,
    started: float,
) -> StudentVersion:
    from learning.storage import MANIFEST, sha256_of

    with run.fence():
        # Parts a head and a transformer that finish at the same moment: numbers and promotion.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        last = StudentVersion.objects.filter(project=project).aggregate(n=Max("number"))["n"]
        version = StudentVersion.objects.create(
            project=project,
            number=(last or 0) + 1,
            kind=kind,
            params=params,
            state=StudentState.READY,
            job=run.job,
            encoding=encoding,
            label_ids=list(lesson.columns.label_ids),
            position=lesson.position,
            trained_on=len(lesson.numbers),
            answers=lesson.answers,
            folder=folder.name,
            digest=sha256_of(folder / MANIFEST),
            seconds=round(time.monotonic() - started, 3),
            device=figures.device,
            accuracy=figures.accuracy,
            accuracy_low=figures.low,
            accuracy_high=figures.high,
            evaluated_on=figures.evaluated_on,
            estimate=figures.source,
            metrics=figures.metrics,
        )
        if takes_over(locked, version):
            _promote(locked, version)
    return version


def takes_over(project: Project, version: StudentVersion) -> bool:
    """Whether a fresh student becomes the current one by itself.

    A newer one of the same kind does; one of another kind only with a better audit figure. A
    student that a person promoted stays until a person decides again.
    """
    current = project.current_student
    if project.student_pinned and current is not None:
        return False
    if current is None or current.kind == version.kind:
        return True
    both_audited = version.estimate == current.estimate == EstimateSource.AUDIT
    return both_audited and (version.accuracy or 0) > (current.accuracy or 0)


def _promote(project: Project, version: StudentVersion) -> None:
    StudentVersion.objects.filter(pk=version.pk).update(promoted_at=Now())
    Project.objects.filter(pk=project.pk).update(current_student=version)


def promote(project: Project, version: StudentVersion) -> None:
    """Make a student the current one by a person's decision, forwards or back."""
    if version.project_id != project.pk or version.state != StudentState.READY:
        raise NotFoundError("There is no such student in this project.")
    if not (students_folder(project.pk) / version.folder / "manifest.json").is_file():
        raise ConflictError(
            f"The files of student {version.number} were removed to save space. "
            "Train again, or promote one of the newest versions."
        )
    _promote(project, version)
    Project.objects.filter(pk=project.pk).update(student_pinned=True)
    jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")
    estimating.wish(project)


def unpin(project: Project) -> None:
    """Let newer students take over again."""
    Project.objects.filter(pk=project.pk).update(student_pinned=False)


def run_refill(run: jobs.Run) -> dict[str, Any]:
    """Choose the queue anew with the current student's word, after a promotion by hand."""
    project = run.project
    encoding = current_encoding(project)
    if encoding is None or encoding.rows == 0:
        return {"picks": 0}
    knowledge = knowledge_of(project, encoding)
    if project.current_student is not None and knowledge is not None:
        sets = conforming.follow(run, project.current_student, knowledge.predictions)
        knowledge = replace(knowledge, sets=sets)
    return {"picks": _refill(run, project, encoding, knowledge)}


def knowledge_of(project: Project, encoding: Encoding) -> choosing.Knowledge | None:
    """The current student's predictions beside the matrix, or None while there is no student."""
    from learning.students.predictions import read_predictions

    current = project.current_student
    if current is None:
        return None
    predictions = read_predictions(students_folder(project.pk) / current.folder / "pool")
    return _knowledge(project, encoding, predictions, current)


def _knowledge(
    project: Project, encoding: Encoding, predictions: Predictions, version: StudentVersion
) -> choosing.Knowledge:
    return choosing.Knowledge(
        encodings=open_matrix(encoding).view(),
        predictions=predictions,
        label_ids=tuple(version.label_ids),
        learnt=lessons.read(project, encoding.rows, columns_of(project)),
        sets=conforming.ready(version),
    )


def _refill(
    run: jobs.Run, project: Project, encoding: Encoding, knowledge: choosing.Knowledge | None
) -> int:
    import numpy as np

    known = knowledge or choosing.Knowledge(encodings=open_matrix(encoding).view())
    rng = np.random.default_rng(secrets.randbits(64))
    selection = choosing.choose(project, known, rng)
    return queueing.replace_queue(project, selection, known, run)


def forget_old_files(project: Project) -> None:
    """Remove the files of heads that are neither current nor among the newest; rows stay."""
    current = project.current_student_id
    kept = StudentVersion.objects.filter(project=project, kind="head").order_by("-number")
    newest = set(kept.values_list("folder", flat=True)[:KEPT_FILES])
    for version in StudentVersion.objects.filter(project=project, kind="head").exclude(folder=""):
        if version.folder not in newest and version.pk != current:
            shutil.rmtree(students_folder(project.pk) / version.folder, ignore_errors=True)
            StudentVersion.objects.filter(pk=version.pk).update(folder="")


class _Texts(Sequence[str]):
    """The project's texts as a sequence that is read block by block."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.rows = Project.objects.values_list("item_count", flat=True).get(pk=project.pk)

    def __len__(self) -> int:
        return int(self.rows)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        from learning.encoders import pair

        if isinstance(place, int):
            return self[place : place + 1][0]
        items = Item.objects.filter(
            project=self.project, number__gte=place.start, number__lt=place.stop
        )
        return [pair(a, b) for a, b in items.order_by("number").values_list("text", "text_b")]
