"""Files of versions: what an attempt leaves behind, and how long they are kept."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.students.recipes import reads_items, registry_of
from annotator.errors import AnnotatorError
from annotator.models import Job, PredictedFile, Project, Shape, StudentVersion

# The newest versions keep all their files: of a kind that reads vectors so many, whose files are small, and of
# one that reads texts or images so many, each of which holds a whole model.
KEPT_FILES, KEPT_OTHERS = 5, 2
# Older ones that served keep what it takes to return to them, the newest first, while there is room in a project.
SERVED_BYTES = 1_000_000_000
POOL = "pool"
ASIDE = ".pool-"
# What of a job says whose checkpoints it goes on from: the number of the training's first job.
CHECKPOINT = "checkpoint"
# How the folder of an attempt at a job is named, and that of its checkpoints.
_ATTEMPT = re.compile(r"(?:.+-(\d+)-\d+|\.checkpoint-(\d+))")


@contextlib.contextmanager
def resumable(folder: Path) -> Iterator[Path]:
    """A folder for the checkpoints of a job: it goes when the version is published or refused, and
    stays for the next worker when this one dies or loses its lease, and for the next job when it gives way.
    """
    from learning.errors import LearningError, PauseError

    try:
        yield folder
    except (jobs.FencedError, PauseError):
        raise
    except (AnnotatorError, LearningError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def checkpoint_of(job: Job) -> Path:
    """Where the checkpoints of a training are, whichever of its jobs this is."""
    first = job.params.get(CHECKPOINT, job.pk)
    return students_folder(job.project_id or 0) / f".checkpoint-{first}"


def forget_checkpoint(job: Job) -> None:
    """Remove the checkpoints of a training that nobody goes on with."""
    shutil.rmtree(checkpoint_of(job), ignore_errors=True)


def remove_attempts(run: jobs.Run, project: Project) -> None:
    """Remove what earlier attempts at this job wrote before they were killed."""
    for left in students_folder(project.pk).glob(f"*-{run.job.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)


def forget_old(project: Project) -> None:
    """Remove files of old versions that nobody needs just now, and those that no version names; rows stay.

    One that ever served keeps its model, so that one can return to it; what it said of the pool, which is most of
    what grows, it says anew then.
    """
    with transaction.atomic():
        # Parts this from a person who promotes one of them: it must not serve without its files.
        locked = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        versions = StudentVersion.objects.filter(project=project).exclude(folder="")
        whole = _newest(versions) | {locked.current_student_id or 0}
        at_work = PredictedFile.objects.live().filter(project=project, student__isnull=False)
        whole |= set(at_work.values_list("student_id", flat=True))
        old = versions.exclude(pk__in=whole).order_by("-number")
        served = _within(SERVED_BYTES, list(old.exclude(promoted_at=None)))
        gone = dict(old.exclude(pk__in=[each.pk for each in served]).values_list("pk", "folder"))
        StudentVersion.objects.filter(pk__in=gone).update(folder="")
        for version in served:
            if project.shape != Shape.RANKING:  # whose pool nothing says anew
                _set_aside(folder_of(version))
    for version in served:
        for left in folder_of(version).glob(f"{ASIDE}*"):
            shutil.rmtree(left, ignore_errors=True)
    for folder in gone.values():  # a worker that is killed here leaves strays
        shutil.rmtree(students_folder(project.pk) / folder, ignore_errors=True)
    _forget_strays(project)


def _newest(versions: QuerySet[StudentVersion]) -> set[int]:
    """The newest of each kind, by their ids."""
    found: set[int] = set()
    for kind in set(versions.order_by().values_list("kind", flat=True)):
        known = registry_of(kind)
        small = kind in known and not reads_items(kind)
        newest = versions.filter(kind=kind).order_by("-number").values_list("pk", flat=True)
        found |= set(newest[: KEPT_FILES if small else KEPT_OTHERS])
    return found


def _within(room: int, versions: list[StudentVersion]) -> list[StudentVersion]:
    """Those whose models have room together, the first ones first."""
    found = []
    for version in versions:
        size = _model_bytes(folder_of(version))
        if size <= room:
            found.append(version)
            room -= size
    return found


def _set_aside(folder: Path) -> None:
    """Take the pool away at once: who promotes the version finds all of it or none."""
    with contextlib.suppress(FileNotFoundError):
        (folder / POOL).rename(folder / f"{ASIDE}{secrets.token_hex(4)}")


def _model_bytes(folder: Path) -> int:
    pools = (POOL, ASIDE)
    files = (
        each
        for each in folder.rglob("*")
        if not each.relative_to(folder).parts[0].startswith(pools)
    )
    return sum(each.stat().st_size for each in files if each.is_file())


def folder_of(version: StudentVersion) -> Path:
    """Where the files of a version are, if it has any."""
    return students_folder(version.project_id) / version.folder


def _forget_strays(project: Project) -> None:
    """Remove what a killed or cancelled training left, once its job is over."""
    paths = list(students_folder(project.pk).glob("*"))  # before the jobs: one may begin just now
    at_work = Job.objects.filter(project=project).live()
    live = set(at_work.values_list("pk", flat=True))
    live |= set(at_work.values_list(f"params__{CHECKPOINT}", flat=True))
    # After the jobs: one may publish just now.
    named = set(StudentVersion.objects.filter(project=project).values_list("folder", flat=True))
    for path in paths:
        found = _ATTEMPT.fullmatch(path.name)
        if found is None or int(found[1] or found[2]) in live or path.name in named:
            continue
        shutil.rmtree(path, ignore_errors=True)
