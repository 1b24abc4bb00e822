"""The work of labelling a file of texts or images: read through once, predicted part by part, then written whole.

Each part is on disk before the next one begins, so a killed worker's successor loses one part at
most. The file that comes of it has a row for every row that could be read.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.actions.students import predicted_rows, predictions, predictors
from annotator.actions.students.predicted_rows import Row
from annotator.actions.students.predictors import Predictor, predictor_of
from annotator.errors import AnnotatorError, InvalidError
from annotator.formats import WRITERS, Field, FormatError, Problem
from annotator.formats.writing import Kind, cell
from annotator.models import Job, PredictedFile, PredictionState, Shape
from learning.errors import LearningError

if TYPE_CHECKING:
    from annotator.actions.students.predictors import Said

CHUNK = 1_024
# An image takes a hundred times as long as a text.
IMAGES = 32
# Of a text that is marked every word is read.
MARKED = 128
MOST_COLUMNS = 1_000
SHOWN_PROBLEMS = 20
# A piece of work ends after so long if somebody waits for the same worker, and after a part of its own
# at the soonest: else two files that load slowly would give way to each other for ever.
PIECE_SECONDS = 60.0


def run_predict(run: jobs.Run) -> dict[str, Any]:
    """Do a piece of the work; the last one publishes the file."""
    live = PredictedFile.objects.live().select_related("project", "student__encoding")
    predicted = live.filter(pk=run.params["file"]).first()
    if predicted is None:
        return {"over": True}
    try:
        with uploads.sentences_for_full_disks():
            return _piece(run, predicted)
    except jobs.FencedError:
        raise
    except jobs.CancelledError as refusal:
        _end(run, predicted, PredictionState.CANCELLED, refusal.detail)
        raise
    except AnnotatorError as refusal:
        _end(run, predicted, PredictionState.FAILED, refusal.detail)
        raise
    except (LearningError, FormatError) as refusal:
        _end(run, predicted, PredictionState.FAILED, str(refusal))
        raise InvalidError(str(refusal)) from refusal


def _end(run: jobs.Run, predicted: PredictedFile, state: PredictionState, told: str) -> None:
    with run.fence():
        predictions.end(predicted, state, told)


def _piece(run: jobs.Run, predicted: PredictedFile) -> dict[str, Any]:
    _ = run.project  # raises when it was deleted meanwhile
    _heed_late_cancels(run)
    with run.fence():
        PredictedFile.objects.filter(pk=predicted.pk).update(state=PredictionState.RUNNING)
    if not predicted_rows.is_read(predicted):
        _read_through(run, predicted)
    total = predicted.rows or 0
    folder = predictions.parts_of(predicted)
    folder.mkdir(parents=True, exist_ok=True)
    predictor = predictor_of(predicted)
    began = None  # once it is loaded and the file is read up to what is left
    for start, rows in _chunks(predicted):
        done = min(start + len(rows), total)
        if not _part(folder, start).is_file():
            began = began or time.monotonic()
            _keep(_part(folder, start), predictor.said(rows))
        run.progress(done, total + 1, "Predicting")
        if began is not None and done < total and _should_give_way(run, began):
            with run.fence():
                run.heed()
                predictions.go_on(predicted, done)
            return {"rows": done, "of": total}
    run.progress(total, total + 1, "Writing the file")
    return _publish(run, predicted, predictor)


def _heed_late_cancels(run: jobs.Run) -> None:
    """Stop where a piece before this one was cancelled after it had asked for this one."""
    pieces = Job.objects.filter(project=run.job.project_id, kind="predict", key=run.job.key)
    if pieces.filter(cancel_requested=True).exists():
        raise jobs.CancelledError("Cancelled.")


def _should_give_way(run: jobs.Run, began: float) -> bool:
    return time.monotonic() - began > PIECE_SECONDS and Job.objects.waiting(run.job.queue).exists()


def _read_through(run: jobs.Run, predicted: PredictedFile) -> None:
    """Learn how many rows there are, which columns, and what is wrong with rows."""
    columns: dict[str, None] = {}
    rows = silent = unreadable = 0
    problems: list[list[Any]] = []
    size = _size(predicted)
    called = "images" if predicted_rows.of_images(predicted) else "rows"
    for seen, row in enumerate(predicted_rows.first_time(predicted)):
        if seen % size == 0:
            run.progress(0, 0, f"Read {seen:,} {called}")
        if isinstance(row, Problem):
            unreadable += 1
            if len(problems) < SHOWN_PROBLEMS:
                problems.append([row.row, row.column, row.message])
            continue
        rows += 1
        silent += row.is_silent
        columns.update(dict.fromkeys(row.fields))
        if len(columns) > MOST_COLUMNS:
            raise InvalidError(f"The file has more than {MOST_COLUMNS:,} columns.")
    if rows == silent:
        raise InvalidError(_nothing_told(predicted, problems))
    predicted.rows, predicted.columns = rows, list(columns)
    predicted.report = {"silent": silent, "unreadable": unreadable, "problems": problems}
    predicted.report["renamed"] = _renamed(predicted)
    with run.fence():
        predicted.save(update_fields=["rows", "columns", "report"])


def _nothing_told(predicted: PredictedFile, problems: list[list[Any]]) -> str:
    """Why there is nothing to label."""
    if not predicted_rows.of_images(predicted):
        return f"No row of {predicted.file_name} has a text in the chosen column."
    told = f"No image of {predicted.file_name} can be read."
    return f"{told} {problems[0][2]}" if problems else told


def _size(predicted: PredictedFile) -> int:
    if predicted_rows.of_images(predicted):
        return IMAGES
    return MARKED if predicted.project.shape == Shape.SPANS else CHUNK


def _renamed(predicted: PredictedFile) -> dict[str, str]:
    """By its name, what a column is called from now on of whose name we write one."""
    ours = [field.name for field in predictors.fields(predicted)]
    taken, found = {*predicted.columns, *ours}, {}
    for name in predicted.columns:
        if name in ours:
            other = f"{name}_before"
            while other in taken:
                other += "_before"
            found[name] = other
            taken.add(other)
    return found


def _chunks(predicted: PredictedFile) -> Iterator[tuple[int, list[Row]]]:
    """(number of the first row, rows), in the order of the file."""
    start, rows, size = 0, [], _size(predicted)
    for row in predicted_rows.again(predicted):
        rows.append(row)
        if len(rows) == size:
            yield start, rows
            start, rows = start + size, []
    if rows:
        yield start, rows


def _part(folder: Path, start: int) -> Path:
    return folder / f"{start:010d}.safetensors"


def _keep(path: Path, said: Said) -> None:
    """Write what is said of a part, all at once."""
    from safetensors.numpy import save

    from learning.storage import write_bytes

    write_bytes(path, save(said))


def _publish(run: jobs.Run, predicted: PredictedFile, predictor: Predictor) -> dict[str, Any]:
    """Write beside the place, move it in, then say so in one transaction."""
    from learning.storage import sha256_of, sync_folder

    folder, format = predictions.folder_of(predicted.project_id), predicted.settings["format"]
    for left in folder.glob(f"{predicted.pk}-*"):  # a worker was killed after it moved its file in
        left.unlink()
    fresh = predictions.parts_of(predicted) / "result"
    with fresh.open("wb") as stream:
        WRITERS.create(format).write(
            _records(run, predicted, predictor), _fields(predicted), stream
        )
    name = f"{predicted.pk}-{secrets.token_hex(8)}.{format}"
    digest, size = sha256_of(fresh), fresh.stat().st_size
    fresh.replace(folder / name)
    sync_folder(folder)
    try:
        with run.fence():
            made: dict[str, Any] = {"result_name": name, "sha256": digest, "size_bytes": size}
            if not predictions.end(predicted, PredictionState.DONE, **made):
                raise jobs.CancelledError("Cancelled.")
    except BaseException:
        (folder / name).unlink(missing_ok=True)
        raise
    return {"rows": predicted.rows}


def _fields(predicted: PredictedFile) -> list[Field]:
    given: Kind = "json" if predicted.settings["format"] == "jsonl" else "text"
    renamed = predicted.report.get("renamed", {})
    kept = [renamed.get(name, name) for name in predicted.columns]
    return [Field(name, given) for name in kept] + predictors.fields(predicted)


def _records(
    run: jobs.Run, predicted: PredictedFile, predictor: Predictor
) -> Iterator[dict[str, Any]]:
    from safetensors.numpy import load

    as_it_is = predicted.settings["format"] == "jsonl"
    nothing = dict.fromkeys(field.name for field in predictors.fields(predicted))
    renamed = predicted.report.get("renamed", {})
    for start, rows in _chunks(predicted):
        run.check()
        part = load(_part(predictions.parts_of(predicted), start).read_bytes())
        for row, told in zip(rows, predictor.told(part, rows), strict=True):
            fields: dict[str, Any] = {}
            for name in predicted.columns:
                value = row.fields.get(name)
                kept = value if as_it_is or value is None else cell(value)
                fields[renamed.get(name, name)] = kept
            yield fields | (nothing if row.is_silent else told)
