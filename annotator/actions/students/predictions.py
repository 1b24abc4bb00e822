"""Label a whole file by a student: ask for it, end it, take it away, let it go."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Mapping as AnyMapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.imports import uploads
from annotator.actions.students import teaching
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.formats import OF_IMAGES, FormatError
from annotator.formats.guessing import TEXT_NAMES
from annotator.formats.preview import Preview, preview
from annotator.models import (
    ItemKind,
    Job,
    JobState,
    PredictedFile,
    PredictionState,
    Project,
    Shape,
    StudentVersion,
    User,
)

KEPT_DAYS = 14
# The formats that take any column.
WRITTEN = ("csv", "jsonl", "parquet")


@dataclass(frozen=True, kw_only=True)
class Wish:
    """How a file is labelled. `text` and `text_b` name its columns, empty ones are guessed, and a zip of
    images has none; `format` is what is written; `soft` adds the probability of every label."""

    text: str = ""
    text_b: str = ""
    format: str = "csv"
    soft: bool = False

    @classmethod
    def from_json(cls, values: AnyMapping[str, Any]) -> Wish:
        """Make a wish of a form's or a body's values. Raises InvalidError for an unknown one."""
        unknown = set(values) - {one.name for one in fields(cls)}
        if unknown:
            raise InvalidError(f"There is no such choice: {', '.join(sorted(unknown))}.")
        return cls(**values)


def create(
    project: Project,
    file: BinaryIO,
    wish: Wish,
    user: User | None = None,
    *,
    name: str = "",
    version: StudentVersion | None = None,
) -> PredictedFile:
    """Ask that a file be labelled by a version, the current one if none is named.

    Raises InvalidError for a file or a choice that cannot be, ConflictError without a student.
    """
    student = _student(project, version)
    shown = Path(name or getattr(file, "name", "") or "file").name[:255]
    chosen = _chosen(project, file, shown, wish)
    stored = uploads.store(file)
    with transaction.atomic():
        made = PredictedFile.objects.create(
            project=project,
            student=student,
            file_name=shown,
            stored_name=stored.name,
            settings=chosen,
            created_by=user,
        )
        go_on(made)
    return made


def go_on(predicted: PredictedFile, done: int = 0) -> None:
    """Enqueue the next piece of the work behind what waits, in the caller's transaction.

    done: the rows that are predicted.
    """
    job = jobs.enqueue(
        "predict",
        project=predicted.project,
        params={"file": predicted.pk},
        key=f"predict:{predicted.pk}",
        started_by=predicted.created_by,
    )
    if job is None:
        return
    if done and predicted.rows:
        Job.objects.filter(pk=job.pk).update(done=done, total=predicted.rows + 1)
    predicted.job, predicted.state = job, PredictionState.WAITING
    predicted.save(update_fields=["job", "state"])


def end(predicted: PredictedFile, state: PredictionState, error: str = "", **values: Any) -> bool:
    """Write a live one's end; False when it had one. What only the work needed goes."""
    live = PredictedFile.objects.live().filter(pk=predicted.pk)
    if not live.update(state=state, error=error, finished_at=Now(), **values):
        return False
    transaction.on_commit(lambda: _forget(predicted))
    return True


def mark_stranded() -> int:
    """End those whose job is over without them: cancelled before it began, or its workers died."""
    states = [JobState.DONE, JobState.FAILED, JobState.CANCELLED]
    found = list(PredictedFile.objects.live().filter(job__state__in=states).select_related("job"))
    for each in found:
        cancelled = each.job is None or each.job.state == JobState.CANCELLED
        state = PredictionState.CANCELLED if cancelled else PredictionState.FAILED
        # Not one that went on with another piece meanwhile.
        if PredictedFile.objects.filter(pk=each.pk, job=each.job).exists():
            end(each, state, each.job.error if each.job else "")
    return len(found)


def let_old_ones_go() -> int:
    """Remove labelled files after two weeks, so that the disk does not fill with them."""
    long_ago = timezone.now() - timedelta(days=KEPT_DAYS)
    old = PredictedFile.objects.exclude(result_name="").filter(finished_at__lt=long_ago)
    found = list(old[:100])
    for each in found:
        (folder_of(each.project_id) / each.result_name).unlink(missing_ok=True)
        PredictedFile.objects.filter(pk=each.pk).update(result_name="")
    return len(found)


def folder_of(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "predictions" / str(project_id)


def parts_of(predicted: PredictedFile) -> Path:
    """Where the work keeps what is predicted so far."""
    return folder_of(predicted.project_id) / f".parts-{predicted.pk}"


def path_of(predicted: PredictedFile) -> Path:
    """Where the labelled file lies. Raises NotFoundError while there is none, or none any more."""
    path = folder_of(predicted.project_id) / predicted.result_name
    if not predicted.result_name or not path.is_file():
        raise NotFoundError("This labelled file is not there: not yet, or it was removed.")
    return path


def download_name(predicted: PredictedFile) -> str:
    """The name that a browser keeps the file under; nothing in it comes from a person."""
    suffix = Path(predicted.result_name).suffix
    return f"concord-{predicted.project_id}-predictions-{predicted.pk}{suffix}"


def _forget(predicted: PredictedFile) -> None:
    uploads.remove(predicted.stored_name)
    shutil.rmtree(parts_of(predicted), ignore_errors=True)


def _student(project: Project, version: StudentVersion | None) -> StudentVersion:
    if told := teaching.why_silent(project):
        raise ConflictError(told)
    student = version or project.current_student
    if student is None:
        marks = project.shape == Shape.SPANS
        since = "two answers, with a mark among them," if marks else "two different labels"
        raise ConflictError(f"There is no student yet; it trains from {since} on.")
    if not student.folder or not (students_folder(project.pk) / student.folder).is_dir():
        raise ConflictError(f"The files of student {student.number} were removed to save space.")
    return student


def _chosen(project: Project, file: BinaryIO, name: str, wish: Wish) -> dict[str, Any]:
    """The wish with what was guessed. Raises InvalidError for what the file does not have."""
    if wish.format not in WRITTEN:
        told = f"A labelled file is written as {', '.join(WRITTEN)}."
        raise InvalidError(told, field="format")
    try:
        seen = preview(file, name)
    except FormatError as error:
        raise InvalidError(str(error), field="file") from error
    file.seek(0)
    chosen = asdict(wish) | {"reader": seen.format}
    _refuse_other_items(project, seen)
    if project.item_kind == ItemKind.IMAGE:
        if wish.text or wish.text_b:
            raise InvalidError("Images are read from a zip, and no column is chosen.", field="text")
        return chosen
    two = project.item_kind == ItemKind.PAIR
    chosen["text"] = _column(seen, wish.text or _likely_text(seen), "text")
    if two:
        chosen["text_b"] = _column(seen, wish.text_b or seen.mapping.text_b, "text_b")
    elif wish.text_b:
        raise InvalidError("This project's items have one text.", field="text_b")
    return chosen


def _refuse_other_items(project: Project, seen: Preview) -> None:
    """Raise InvalidError for images where items are texts, and for texts where they are images."""
    images = project.item_kind == ItemKind.IMAGE
    if images == (seen.format in OF_IMAGES):
        return
    wanted = "images: choose a zip of images" if images else "texts: choose a table of texts"
    found = "no zip of images" if images else "a zip of images"
    raise InvalidError(f"This project's items are {wanted}. The file is {found}.", field="file")


def _likely_text(seen: Preview) -> str:
    """The column that the preview takes for the text; "" where neither its name nor what is in it says so."""
    column = next((one for one in seen.columns if one.name == seen.mapping.text), None)
    if column is None:
        return ""
    is_named = column.name.strip().casefold() in TEXT_NAMES
    return column.name if is_named or _is_written("".join(column.examples)) else ""


def _is_written(said: str) -> bool:
    """Whether most of it are letters, the vowel signs of many scripts among them; spaces count for nothing."""
    kinds = [unicodedata.category(one)[0] for one in said if not one.isspace()]
    return 2 * sum(kind in "LM" for kind in kinds) > len(kinds)


def _column(seen: Preview, wanted: str, field: str) -> str:
    names = [column.name for column in seen.columns]
    if wanted in names and wanted:
        return wanted
    told = f"has no column “{wanted}”" if wanted else "does not say which column holds the text"
    told += f"; it has: {', '.join(names)}."
    raise InvalidError(f"The file {told}" + ("" if wanted else " Name the one."), field=field)
