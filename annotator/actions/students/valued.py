"""Train a student of answers that are more than labels: what its kinds have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.students import evaluating, fitting, origins, twins, version_files
from annotator.models import Encoding, Project, StudentVersion

if TYPE_CHECKING:
    import numpy as np

    from annotator.actions.students.fitting import Learned
    from learning.students.predictions import Predictions

SaidT = TypeVar("SaidT")


@dataclass(frozen=True, kw_only=True)
class Work(Generic[SaidT]):
    """How a kind of student does its part.

    plan: what is trained, on data; load: of the folder of a former one to begin from, None where none is.
    write: (folder, fitted) -> what it says of the pool, also as predictions; read: the same, as written.
    evaluate: (what it says, generator) -> its figures; told: (what it says, an item's number) -> the value
    that this amounts to. beside: what it learns from beside the answers. digest: of all that it learns from; "" where twins are not told.
    """

    plan: fitting.Plan
    data: Any
    load: Callable[[Path], Any] | None
    write: Callable[[Path, Any], tuple[Predictions, SaidT]]
    read: Callable[[Path, Predictions], SaidT]
    evaluate: Callable[[SaidT, np.random.Generator], evaluating.Figures]
    told: Callable[[SaidT, int], Any]
    beside: dict[str, Any] = field(default_factory=dict)
    digest: str = ""


def learn(
    run: jobs.Run, encoding: Encoding, lesson: Learned, work: Work[SaidT]
) -> tuple[StudentVersion, Predictions, SaidT]:
    """Train, predict the pool, evaluate, publish; after a kill behind that only what follows it."""
    import numpy as np

    from learning.students.predictions import read_predictions

    project = run.project
    done = fitting.published(run)
    if done is None and work.digest:
        done = twins.twin_of(project, work.plan, encoding, work.digest)
    if done is not None:
        pool = students_folder(project.pk) / done.folder / "pool"
        predictions = read_predictions(pool)
        fitting.follow_up(run, done, predictions)
        return done, predictions, work.read(pool, predictions)
    started = time.monotonic()
    rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
    version_files.remove_attempts(run, project)
    folder = students_folder(project.pk) / f"{work.plan.kind}-{run.job.pk}-{run.job.attempt}"
    with version_files.resumable(version_files.checkpoint_of(run.job)) as checkpoint:
        start = _former(project, lesson, work)
        fitted = fitting.fit(run, work.data, work.plan, rng, checkpoint, start)
        fitted.save(folder)
        predictions, said = work.write(folder / "pool", fitted)
        fields = {
            "kind": work.plan.kind,
            "params": work.plan.params,
            "folder": folder.name,
            "lesson": work.digest,
            "device": fitting.device_of(work.plan.plugin()),
            **work.evaluate(said, rng).fields(),
            "beside": work.beside,
            "seconds": round(work.plan.spent + time.monotonic() - started, 3),
        }
        version = fitting.publish(
            run, encoding, lesson, predictions, fields, lambda number: work.told(said, number)
        )
    fitting.follow_up(run, version, predictions)
    return version, predictions, said


def _former(project: Project, lesson: Learned, work: Work[Any]) -> Any:
    """The newest student of this kind to begin from, if its columns are still ours."""
    from learning.errors import DamagedFileError

    if work.load is None:
        return None
    known = StudentVersion.objects.filter(project=project, kind=work.plan.kind).exclude(folder="")
    former = known.order_by("-number").first()
    ids = lesson.columns.label_ids
    if former is None or tuple(former.label_ids) != ids[: len(former.label_ids)]:
        return None
    try:
        return work.load(students_folder(project.pk) / former.folder)
    except DamagedFileError:
        return None  # a cold start gives the same student, only slower
