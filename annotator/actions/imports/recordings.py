"""Files of answers that models gave elsewhere: received, looked at, read in a job, then teachers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from annotator import jobs
from annotator.actions.imports import uploads, workbooks
from annotator.actions.imports.hearing import Hearing, asked_of, kind_of
from annotator.actions.teachers import lending
from annotator.errors import ConflictError, InvalidError
from annotator.formats import OF_IMAGES, ON_IMAGES, FormatError
from annotator.formats.answers import AnswerMapping, Kind, guess_answers
from annotator.formats.guessing import Column, columns_of
from annotator.formats.preview import SAMPLE_ROWS, preview
from annotator.formats.reading_answers import ReadAnswer
from annotator.formats.records import Problem, Record, RowError
from annotator.formats.sniffing import format_of
from annotator.models import (
    Job,
    JobState,
    Project,
    Recording,
    RecordingState,
    User,
)
from learning.errors import LearningError

LONGEST_NAME = 60  # the model's name follows where a file holds several
KEPT_DAYS = 14
SHOWN_PROBLEMS = 20
BEFORE = (RecordingState.WAITING, RecordingState.NEEDS_DECISION, RecordingState.FAILED)
BadRows = Literal["ask", "skip"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """The beginning of a file under a mapping.

    labels: (name, how often, whether the project has it), commonest first. unknown: (name, row, column) where
    each first stands that it has not. problems: rows of the sample that cannot be read so; problem: why none
    can. kind: what answers are made of.
    """

    columns: list[Column]
    rows: list[Record]
    mapping: AnswerMapping
    models: list[tuple[str, int]]
    labels: list[tuple[str, int, bool]]
    unknown: list[tuple[str, int, str]]
    problem: str
    problems: list[Problem]
    sampled: int
    complete: bool
    notes: list[str]
    kind: Kind


def receive(
    project: Project, file: BinaryIO, user: User | None = None, *, name: str = ""
) -> Recording:
    """Keep an upload under a random name. Raises InvalidError for a file that can't be read."""
    lending.schema_of(project)
    stored = uploads.store(file)
    shown = Path(name or getattr(file, "name", "") or "file").name[:255]
    try:
        with uploads.path_of(stored.name).open("rb") as stream:
            found = format_of(stream, shown)
        if found in (*OF_IMAGES, ON_IMAGES):
            raise FormatError("Images and boxes are no answers here. Choose CSV, JSONL or Parquet.")
    except FormatError as error:
        uploads.remove(stored.name)
        raise InvalidError(str(error), field="file") from error
    return Recording.objects.create(
        project=project,
        name=Path(shown).stem[:LONGEST_NAME],
        file_name=shown,
        stored_name=stored.name,
        format=found,
        size_bytes=stored.size_bytes,
        created_by=user,
    )


def look(
    recording: Recording,
    *,
    mapping: AnswerMapping | None = None,
    reader: AnyMapping[str, Any] | None = None,
) -> Look:
    """Show the beginning of a received file. Raises InvalidError when it can't be read so."""
    if recording.state not in BEFORE:
        raise ConflictError("This file is not there any more: it was read, or let go.")
    try:
        with uploads.path_of(recording.stored_name).open("rb") as stream:
            seen = preview(
                stream,
                recording.file_name,
                n=SAMPLE_ROWS,
                format=recording.format,
                options=reader,
                beginning=workbooks.beginning(recording.stored_name, recording.format, reader),
            )
    except (FormatError, LearningError) as error:
        raise InvalidError(str(error), field="file") from error
    columns = columns_of(seen.rows)
    project = recording.project
    chosen = mapping or _guessed(project, columns, seen.rows)
    hearing = Hearing(project, chosen)
    said, problems = _sampled(seen.rows, hearing)
    models = Counter(answer.model for answer in said)
    return Look(
        columns=columns,
        rows=seen.rows,
        mapping=chosen,
        models=models.most_common(),
        labels=_labels(hearing, said),
        unknown=_unknown(hearing, said),
        problem=hearing.problem,
        problems=[*seen.problems, *problems][:SHOWN_PROBLEMS],
        sampled=seen.sampled,
        complete=seen.complete,
        notes=seen.notes,
        kind=kind_of(project),
    )


def _guessed(project: Project, columns: Sequence[Column], rows: Sequence[Record]) -> AnswerMapping:
    asked = {name: one.name for name, one in asked_of(project).items()}
    return guess_answers(columns, rows, kind_of(project), asked)


def _sampled(rows: Sequence[Record], hearing: Hearing) -> tuple[list[ReadAnswer], list[Problem]]:
    said: list[ReadAnswer] = []
    problems: list[Problem] = []
    if hearing.problem:
        return said, problems
    for record in rows:
        try:
            said.append(hearing.read(record))
        except RowError as bad:
            problems += bad.problems(record.row)
    return said, problems


def _labels(hearing: Hearing, said: list[ReadAnswer]) -> list[tuple[str, int, bool]]:
    counts = Counter(name for answer in said for name in answer.names)
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [(name, count, hearing.names.column(name) is not None) for name, count in ordered]


def _unknown(hearing: Hearing, said: list[ReadAnswer]) -> list[tuple[str, int, str]]:
    """Where each name first stands that is no label of the project."""
    found: dict[str, tuple[str, int, str]] = {}
    for answer in said:
        for name in answer.names:
            if hearing.names.column(name) is None:
                found.setdefault(name, (name, answer.row, answer.stood[name]))
    return list(found.values())


def begin(
    recording: Recording,
    mapping: AnswerMapping,
    user: User | None = None,
    *,
    name: str = "",
    reader: AnyMapping[str, Any] | None = None,
    bad_rows: BadRows = "ask",
) -> Recording:
    """Enqueue the reading of a received file, once. Raises InvalidError for an unfit mapping."""
    if problem := Hearing(recording.project, mapping).problem:
        raise InvalidError(problem, field="mapping")
    with transaction.atomic():
        # Parts two presses of the button: one of them finds the file under way.
        recording = Recording.objects.select_for_update().get(pk=recording.pk)
        if recording.state not in BEFORE or _is_under_way(recording):
            raise ConflictError("This file is being read already, or was.")
        recording.state = RecordingState.WAITING
        recording.name = " ".join(name.replace("\x00", "").split())[:LONGEST_NAME] or recording.name
        recording.mapping = mapping.to_json()
        recording.options = {"reader": dict(reader or {}), "bad_rows": bad_rows}
        recording.report = {}
        recording.job = jobs.enqueue(
            "record",
            project=recording.project,
            params={"recording": recording.pk},
            started_by=user,
        )
        recording.save()
    return recording


def decide(
    recording: Recording, decision: Literal["rest", "discard"], user: User | None = None
) -> Recording:
    """Settle a file with bad rows: take the rest, or nothing of it."""
    if recording.state != RecordingState.NEEDS_DECISION:
        raise ConflictError("This file waits for no decision.")
    if decision == "discard":
        return discard(recording)
    mapping = AnswerMapping.from_json(recording.mapping)
    reader = recording.options.get("reader")
    return begin(recording, mapping, user, reader=reader, bad_rows="skip")


def discard(recording: Recording) -> Recording:
    """Let a file go of which nothing was taken; one that is under way is cancelled."""
    job = recording.job
    if job is not None and not job.is_over:
        jobs.request_cancel(job)
    Recording.objects.filter(pk=recording.pk, state__in=BEFORE).update(
        state=RecordingState.DISCARDED, finished_at=Now()
    )
    recording.refresh_from_db()
    if recording.state == RecordingState.DISCARDED:
        uploads.remove(recording.stored_name)
    return recording


def mark_stranded() -> int:
    """Fail the files whose job is over without them: cancelled early, or its workers died."""
    stranded = Recording.objects.filter(
        state__in=[RecordingState.WAITING, RecordingState.READING],
        job__state__in=[JobState.DONE, JobState.FAILED, JobState.CANCELLED],
    )
    told = "The reading ended before it was done. Nothing was taken; try again."
    return stranded.update(state=RecordingState.FAILED, finished_at=Now(), report={"refused": told})


def let_old_uploads_go() -> int:
    """Let go what was uploaded and then forgotten, so that the disk doesn't fill with it."""
    long_ago = timezone.now() - timedelta(days=KEPT_DAYS)
    old = Recording.objects.filter(state__in=BEFORE, created_at__lt=long_ago)
    found = [each for each in old[:100] if not _is_under_way(each)]
    for each in found:
        discard(each)
    return len(found)


def _is_under_way(recording: Recording) -> bool:
    return Job.objects.live().filter(kind="record", params__recording=recording.pk).exists()
