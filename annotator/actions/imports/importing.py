"""From an uploaded file to items: received, looked at, read in a job, committed all at once."""

from __future__ import annotations

import time
from collections.abc import Mapping as AnyMapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from annotator import jobs
from annotator.actions.imports import looking, uploads
from annotator.actions.imports.checks import check_labels, check_mapping
from annotator.actions.imports.landing import land
from annotator.actions.imports.marking import MarkStage
from annotator.actions.imports.media import sweep_images
from annotator.actions.imports.staging import LabelBook, Report, Stage, UnknownLabelsError, staging
from annotator.errors import AnnotatorError, ConflictError, InvalidError
from annotator.formats import FORMATS, MAY_NAME, ON_IMAGES, FormatError, Problem, Record
from annotator.formats.guard import guarded
from annotator.formats.mapping import Mapped, Mapping, mapped
from annotator.formats.records import RowError
from annotator.formats.sniffing import format_of
from annotator.models import BatchState, ImportBatch, ItemKind, Job, JobState, Project, Shape, User
from learning.errors import LearningError

LabelMode = Literal["votes", "suggestions", "truth"]
SHOWN_LABELS = 1_000
KEPT_DAYS = 14
_BEFORE = (BatchState.WAITING, BatchState.NEEDS_DECISION, BatchState.FAILED)


@dataclass(frozen=True, kw_only=True)
class Options:
    """The importer's choices beside the mapping.

    `labels`: votes (a person's single answer outweighs them), suggestions (shown, never counted)
    or truth (the verdict at once). `bad_rows`: ask, or skip them. `reader` holds parameters of the
    format, such as delimiter and encoding. `voice` names the import annotator.
    """

    labels: LabelMode = "votes"
    duplicates: Literal["skip", "keep"] = "skip"
    new_labels: Literal["create", "refuse"] = "create"
    bad_rows: Literal["ask", "skip"] = "ask"
    format: str = ""
    reader: dict[str, Any] = field(default_factory=dict)
    voice: str = ""

    @classmethod
    def from_json(cls, values: AnyMapping[str, Any]) -> Options:
        """Make options of a form's or a stored row's values. Raises InvalidError for a wrong one."""
        allowed = {
            "labels": get_args(LabelMode),
            "duplicates": ("skip", "keep"),
            "new_labels": ("create", "refuse"),
            "bad_rows": ("ask", "skip"),
            "format": ("", *FORMATS),
        }
        unknown = set(values) - {one.name for one in fields(cls)}
        if unknown:
            raise InvalidError(f"There is no import option {', '.join(sorted(unknown))}.")
        for name, choices in allowed.items():
            if name in values and values[name] not in choices:
                listed = ", ".join(choice for choice in choices if choice)
                raise InvalidError(f"“{name}” is one of {listed}.", field=name)
        return cls(**values)


def start_import(
    project: Project,
    file: BinaryIO,
    mapping: Mapping | None = None,
    options: Options | None = None,
    user: User | None = None,
    *,
    name: str = "",
) -> ImportBatch:
    """Receive a file and begin its import; without a mapping the guessed one is taken."""
    batch = receive(project, file, user, name=name)
    return begin(batch, mapping, options or Options(), user)


def receive(
    project: Project, file: BinaryIO, user: User | None = None, *, name: str = ""
) -> ImportBatch:
    """Keep an upload under a random name. Raises InvalidError for a file that can't be imported."""
    stored = uploads.store(file)
    shown = Path(name or getattr(file, "name", "") or "file").name[:255]
    try:
        with uploads.path_of(stored.name).open("rb") as stream:
            found = format_of(stream, shown)
    except FormatError as error:
        uploads.remove(stored.name)
        raise InvalidError(str(error), field="file") from error
    if project.item_kind == ItemKind.IMAGE and found in MAY_NAME:
        found = ON_IMAGES
    return ImportBatch.objects.create(
        project=project,
        file_name=shown,
        stored_name=stored.name,
        format=found,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        created_by=user,
    )


def begin(
    batch: ImportBatch, mapping: Mapping | None, options: Options, user: User | None = None
) -> ImportBatch:
    """Enqueue the import of a received file, once. Raises InvalidError for an unfit mapping.

    Without a mapping the guessed one is taken, and the file is read as it was for the guess.
    """
    if mapping is None:
        found = looking.look(batch, format=options.format, reader=options.reader)
        mapping, options = found.mapping, replace(options, reader=found.reader)
    check_mapping(batch.project, mapping, options.format or batch.format)
    check_labels(batch.project, options.labels)
    with transaction.atomic():
        # Parts two presses of the button: one of them finds the batch under way.
        batch = ImportBatch.objects.select_for_update().get(pk=batch.pk)
        if batch.state not in _BEFORE or _is_under_way(batch):
            raise ConflictError("This file is being imported already, or was.")
        batch.state = BatchState.WAITING
        batch.format = options.format or batch.format
        batch.mapping, batch.options = mapping.to_json(), asdict(options)
        batch.report = {}
        batch.job = jobs.enqueue(
            "import", project=batch.project, params={"batch": batch.pk}, started_by=user
        )
        batch.save()
    return batch


def decide(
    batch: ImportBatch, decision: Literal["rest", "discard"], user: User | None = None
) -> ImportBatch:
    """Settle a batch with bad rows: import the rest, or nothing of it."""
    if batch.state != BatchState.NEEDS_DECISION:
        raise ConflictError("This import waits for no decision.")
    if decision == "discard":
        return discard(batch)
    options = replace(Options.from_json(batch.options), bad_rows="skip")
    return begin(batch, Mapping.from_json(batch.mapping), options, user)


def discard(batch: ImportBatch) -> ImportBatch:
    """Let a file go of which nothing was imported; one that is under way is cancelled."""
    job = batch.job
    if job is not None and not job.is_over:
        jobs.request_cancel(job)
    ImportBatch.objects.filter(pk=batch.pk, state__in=_BEFORE).update(
        state=BatchState.DISCARDED, finished_at=Now()
    )
    batch.refresh_from_db()
    if batch.state == BatchState.DISCARDED:
        uploads.remove(batch.stored_name)
    return batch


def is_importing(project: Project) -> bool:
    """Whether items are on their way."""
    return Job.objects.live().filter(project=project, kind="import").exists()


def mark_stranded() -> int:
    """Fail the batches whose job is over without them: cancelled early, or its workers died."""
    stranded = ImportBatch.objects.filter(
        state__in=[BatchState.WAITING, BatchState.READING],
        job__state__in=[JobState.DONE, JobState.FAILED, JobState.CANCELLED],
    )
    return stranded.update(
        state=BatchState.FAILED,
        finished_at=Now(),
        report={"refused": "The import ended before it was done. Nothing was imported; try again."},
    )


def let_old_uploads_go() -> int:
    """Discard what was uploaded and then forgotten, so that the disk doesn't fill with it."""
    long_ago = timezone.now() - timedelta(days=KEPT_DAYS)
    old = ImportBatch.objects.filter(state__in=_BEFORE, created_at__lt=long_ago)
    found = [batch for batch in old[:100] if not _is_under_way(batch)]
    for batch in found:
        discard(batch)
    return len(found)


def run_import(run: jobs.Run) -> dict[str, Any]:
    """Read the file into staging tables, then commit it; the import job's work."""
    batch = ImportBatch.objects.select_related("project").get(pk=run.params["batch"])
    if batch.state == BatchState.DONE:  # a worker died between its commit and the end of its job
        return {"batch": batch.pk, "items": batch.items_added}
    try:
        with uploads.sentences_for_full_disks():
            return _import(run, batch)
    except jobs.FencedError:
        raise
    except AnnotatorError as refusal:
        _end_without_items(run, batch, refusal)
        raise


def _import(run: jobs.Run, batch: ImportBatch) -> dict[str, Any]:
    started = time.monotonic()
    project = run.project
    _set_state(run, batch, BatchState.READING, {})
    options = Options.from_json(batch.options)
    # A file does not tell where on a scale a new grade stands, and fixed answers have no further one.
    is_closed = project.task.ordered or bool(project.task.begins_with)
    creates = options.new_labels == "create" and not is_closed
    book = LabelBook(project, create=creates, mapping=Mapping.from_json(batch.mapping))
    report = Report()
    own = MarkStage if batch.format == ON_IMAGES else Stage
    with staging(own(project, book, suggests=options.labels == "suggestions")) as stage:
        _read(run, batch, stage, report)
        told = report.to_json() | {"labels": _counted(book)}
        if report.bad_rows and options.bad_rows == "ask":
            _set_state(run, batch, BatchState.NEEDS_DECISION, told)
            return {"batch": batch.pk, "bad_rows": report.bad_rows}
        if not report.good_rows:
            raise InvalidError("No row of the file can be imported.", report=told)
        run.progress(batch.size_bytes, batch.size_bytes, "Writing the items")
        told["seconds"] = round(time.monotonic() - started, 2)
        landed = land(run, batch, stage, told)
    uploads.remove(batch.stored_name)
    return {"batch": batch.pk, "items": landed.items, "answers": landed.answers}


def _read(run: jobs.Run, batch: ImportBatch, stage: Stage, report: Report) -> None:
    """Stage every good row, note every bad one, and report how far the file is read."""
    options, mapping = Options.from_json(batch.options), Mapping.from_json(batch.mapping)
    label_column = mapping.answer_column
    written = stage.book.questions.written if stage.book.questions else frozenset()
    try:
        reader = FORMATS.create(batch.format, options.reader)
        with uploads.path_of(batch.stored_name).open("rb") as stream:
            for row in guarded(reader.read(stream), batch.size_bytes):
                if isinstance(row, Problem):
                    report.add(row)
                    continue
                problems = _staged(stage, row, mapping, label_column, written)
                for problem in problems:
                    report.add(problem)
                if not problems:
                    report.rows += 1
                    report.good_rows += 1
                if (report.rows & 1023) == 0:
                    done = min(stream.tell(), batch.size_bytes - 1)
                    run.progress(max(done, 0), batch.size_bytes, f"Read {report.rows:,} rows")
        stage.flush()
    except (FormatError, LearningError) as error:
        raise InvalidError(str(error), report=report.to_json()) from error


def _staged(
    stage: Stage, record: Record, mapping: Mapping, label_column: str, written: frozenset[str]
) -> list[Problem]:
    """Take a record into the stage, or say why not."""
    try:
        item = mapped(record, mapping, spelled=stage.task.spelled, written=written)
        _check_given(item, label_column, stage)
        stage.add(item)
    except RowError as error:
        return list(error.problems(record.row))
    except (UnknownLabelsError, LearningError) as error:
        return [Problem(record.row, label_column, str(error))]
    return []


def _check_given(item: Mapped, column: str, stage: Stage) -> None:
    """Refuse answers of another shape than the project's; leave out those that say nothing."""
    if stage.task.spelled:
        _check_spelled(item, column)
        return
    texts = any(given.texts for given in item.given) and not stage.task.writing
    if texts or any(given.words is not None for given in item.given):
        told = "A written text stands here; the project's answers are others."
        raise RowError([(column, told)])
    if stage.project.shape != Shape.LABELS:
        if any(not given.is_marked and given.labels for given in item.given):
            told = "Labels of the whole item stand here; the project marks places in it."
            raise RowError([(column, told)])
        item.given = tuple(given for given in item.given if given.is_marked)
        return
    if any(given.boxes or (given.spans and not stage.task.marking) for given in item.given):
        told = "Places are marked here; the project labels whole items."
        raise RowError([(column, told)])
    if stage.project.multi_label:
        return
    for given in item.given:
        if len(given.labels) > 1:
            told = f"The row has {len(given.labels)} labels where the project takes one."
            raise RowError([(column, told)])
    if any(not given.labels for given in item.given):
        item.given = tuple(given for given in item.given if given.labels)


def _check_spelled(item: Mapped, column: str) -> None:
    """Take written answers alone."""
    if any(given.spans for given in item.given):
        told = "Places in the text are marked here; the project's answers are written texts."
        raise RowError([(column, told)])
    if any(given.kind == "prediction" and given.words for given in item.given):
        told = "What a model wrote cannot be suggested here. Import it as a vote, or leave it out."
        raise RowError([(column, told)])
    item.given = tuple(given for given in item.given if given.words)


def _counted(book: LabelBook) -> list[list[Any]]:
    counts = sorted(zip(book.names, book.counts, strict=True), key=lambda one: (-one[1], one[0]))
    return [[name, count] for name, count in counts[:SHOWN_LABELS]]


def _set_state(
    run: jobs.Run, batch: ImportBatch, state: BatchState, report: dict[str, Any]
) -> None:
    with run.fence():
        ImportBatch.objects.filter(pk=batch.pk).update(
            state=state, report=report, rows_read=report.get("rows", 0)
        )


def _end_without_items(run: jobs.Run, batch: ImportBatch, refusal: AnnotatorError) -> None:
    """Record why nothing was imported. After a cancel the file stays, to be begun again."""
    report = refusal.data.get("report")
    told = report if isinstance(report, dict) else {}
    _set_state(run, batch, BatchState.FAILED, told | {"refused": refusal.detail})
    if batch.project.item_kind == ItemKind.IMAGE and not _others_run(batch):
        sweep_images(batch.project_id)


def _others_run(batch: ImportBatch) -> bool:
    others = Job.objects.live().filter(project=batch.project, kind="import")
    return any(job.pk != batch.job_id for job in others)


def _is_under_way(batch: ImportBatch) -> bool:
    return Job.objects.live().filter(kind="import", params__batch=batch.pk).exists()
