"""Snapshots: sealed, frozen, written as a stream, and published all at once."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q

import annotator
from annotator import jobs, outbox
from annotator.actions.exports.export_options import EXTENSIONS, Options, check_fit
from annotator.actions.exports.snapshotting import Rows
from annotator.actions.exports.spreading import laid_out
from annotator.actions.imports.media import image_path
from annotator.actions.imports.uploads import sentences_for_full_disks
from annotator.actions.verdicts import agreeing, settling, weighing
from annotator.errors import AnnotatorError, InvalidError, NotFoundError
from annotator.formats import WRITERS, Field, Writer
from annotator.formats.archive import pack
from annotator.models import (
    Annotator,
    Item,
    ItemKind,
    JobState,
    Label,
    LedgerBatch,
    Project,
    Snapshot,
    SnapshotState,
    User,
)
from learning.registry import parameters_of

SCHEMA_VERSION = 1
_ISO = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'


def create_snapshot(
    project: Project, options: Options | None = None, user: User | None = None
) -> Snapshot:
    """Ask for an export of the project as it stands when the job begins: it seals first."""
    chosen = options or Options()
    if project.item_kind != ItemKind.IMAGE and chosen.images:
        raise InvalidError("This project has no images.", field="images")
    check_fit(project, chosen.format)
    with transaction.atomic():
        snapshot = Snapshot.objects.create(
            project=project, options=chosen.to_json(), created_by=user
        )
        snapshot.job = jobs.enqueue(
            "export", project=project, params={"snapshot": snapshot.pk}, started_by=user
        )
        snapshot.save(update_fields=["job"])
    return snapshot


def run_export(run: jobs.Run) -> dict[str, Any]:
    """Seal, freeze, write and publish a snapshot; a killed worker's successor writes the same."""
    snapshot = Snapshot.objects.get(pk=run.params["snapshot"])
    if snapshot.state == SnapshotState.READY:
        return _result(snapshot)
    try:
        with sentences_for_full_disks():
            _freeze(run, snapshot)
            _publish(run, snapshot)
    except jobs.FencedError:
        raise
    except AnnotatorError as refusal:
        with run.fence():
            Snapshot.objects.filter(pk=snapshot.pk).update(
                state=SnapshotState.FAILED,
                manifest=snapshot.manifest | {"refused": refusal.detail},
            )
        raise
    return _result(snapshot)


def path_of(snapshot: Snapshot) -> Path:
    """Where a finished export lies. Raises NotFoundError while there is none."""
    path = folder() / snapshot.stored_name
    if snapshot.state != SnapshotState.READY or not path.is_file():
        raise NotFoundError("This export isn't ready, or its file is gone.")
    return path


def download_name(snapshot: Snapshot) -> str:
    """The name that a browser keeps the file under; nothing in it comes from a person."""
    return (
        f"concord-{snapshot.project_id}-snapshot-{snapshot.pk}{Path(snapshot.stored_name).suffix}"
    )


def folder() -> Path:
    return Path(settings.DATA_DIR) / "snapshots"


def rebuilt_sha256(snapshot: Snapshot) -> str:
    """Write a finished snapshot again and give the hash, which has to be the one it was given."""
    with _workspace(f".checking-{snapshot.pk}-") as space:
        path, _ = _build(snapshot, space, lambda done, total, message: None)
        return _sha256(path)


def mark_stranded() -> int:
    """Fail the snapshots whose job is over without them: cancelled early, or its workers died."""
    stranded = Snapshot.objects.filter(
        state=SnapshotState.WRITING,
        job__state__in=[JobState.DONE, JobState.FAILED, JobState.CANCELLED],
    )
    return stranded.update(state=SnapshotState.FAILED)


def _freeze(run: jobs.Run, snapshot: Snapshot) -> None:
    """Seal, then note the position and all that may change later; once for every snapshot."""
    if "frozen" in snapshot.manifest:
        return
    run.progress(0, 1, "Sealing the answers")
    position = settling.settle_now(run.project)
    with run.fence():
        # Parts the snapshot from an import that would add items between the count and the rest.
        # The same lock parts it from an undo, which is in or out by the clock.
        project = Project.objects.select_for_update(no_key=True).get(pk=run.project.pk)
        snapshot.position = position
        snapshot.item_count = project.item_count
        snapshot.manifest = {"frozen": _frozen(project, position)}
        snapshot.save(update_fields=["position", "item_count", "manifest"])


def _frozen(project: Project, position: int) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', %s)", [_ISO])
        taken_at = cursor.fetchone()[0]
    sealed = (
        LedgerBatch.objects.filter(project=project, last__lte=position).order_by("number").last()
    )
    voices = Annotator.objects.filter(project=project).order_by("id")
    return {
        "taken_at": taken_at,
        "made_by": f"Concord {annotator.__version__}",
        "project": project.name,
        "task_type": project.task_type,
        "item_kind": project.item_kind,
        "consensus": project.consensus,
        "skills": weighing.frozen(project),
        "agreement": agreeing.summary(project),
        "asks": project.asks_labels,
        **_frozen_questions(project),
        "reviews": True,
        "ledger_digest": bytes(sealed.digest).hex() if sealed else "",
        "labels": _frozen_labels(project),
        "voices": list(voices.values("id", "name", "kind", "weight", "truth")),
    }


def _frozen_questions(project: Project) -> dict[str, Any]:
    """The questions of a form, as its task is told them; nothing where there is one question."""
    questions = project.task.questions
    if not questions:
        return {}
    return {"questions": [asdict(one) | {"live": sorted(one.live)} for one in questions]}


def _frozen_labels(project: Project) -> list[dict[str, Any]]:
    """The schema; an archived label whose name was given anew is exported with its key."""
    found: list[dict[str, Any]] = []
    taken: set[str] = set()
    labels = Label.objects.filter(project=project).order_by("column")
    for label in sorted(labels, key=lambda label: label.archived_at is not None):
        name = label.name if label.name not in taken else f"{label.name} ({label.key})"
        taken.add(name)
        found.append(
            {
                "id": label.pk,
                "key": label.key,
                "name": label.name,
                "export_name": name,
                "description": label.description,
                "column": label.column,
                "archived": label.archived_at is not None,
            }
        )
    return sorted(found, key=lambda label: label["column"])


def _publish(run: jobs.Run, snapshot: Snapshot) -> None:
    """Write beside the place, make it last, move it in, then say so in one transaction."""
    _remove_leftovers(snapshot)
    with _workspace(f".writing-{snapshot.pk}-") as space:
        path, manifest = _build(snapshot, space, run.progress)
        digest, size = _sha256(path), path.stat().st_size
        stored = f"{snapshot.pk}-{secrets.token_hex(8)}{path.suffix}"
        path.replace(folder() / stored)
    _sync(folder())
    try:
        with run.fence():
            Snapshot.objects.filter(pk=snapshot.pk, project=run.project).update(
                state=SnapshotState.READY,
                manifest=manifest,
                stored_name=stored,
                sha256=digest,
                size_bytes=size,
            )
            told = {"snapshot": snapshot.pk, "sha256": digest, "size_bytes": size}
            where = f"snapshots/{snapshot.pk}"
            outbox.note(snapshot.project_id, "snapshot.ready", {**told, "path": where})
    except AnnotatorError:  # another attempt's job by now, or a deleted project's
        (folder() / stored).unlink(missing_ok=True)
        raise
    snapshot.refresh_from_db()


def _remove_leftovers(snapshot: Snapshot) -> None:
    """Remove what a killed worker left of this snapshot; its row names no file yet."""
    for left in folder().glob(f".writing-{snapshot.pk}-*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in folder().glob(f"{snapshot.pk}-*"):
        left.unlink(missing_ok=True)


@contextmanager
def _workspace(prefix: str) -> Iterator[Path]:
    """A folder on the same disk for half-written files, removed whatever happens."""
    folder().mkdir(parents=True, exist_ok=True)
    space = Path(tempfile.mkdtemp(prefix=prefix, dir=folder()))
    try:
        yield space
    finally:
        shutil.rmtree(space, ignore_errors=True)


Progress = Callable[[int, int, str], None]


def _build(snapshot: Snapshot, space: Path, progress: Progress) -> tuple[Path, dict[str, Any]]:
    """Write the snapshot's files and its manifest; give the one file that leaves, and the manifest."""
    options = Options.from_json(snapshot.options)
    rows = Rows(
        snapshot,
        options.splits,
        lambda done, total: progress(min(done, total - 1), total, "Writing rows"),
    )
    written = [
        _written(space, name, *table, _writer(rows, options, split))
        for name, split, table in _tables(rows, options)
    ]
    members, told = laid_out(options.format, written, space)
    images = _images(snapshot, options)
    manifest = _manifest(snapshot, rows, told, images)
    about = space / "manifest.json"
    about.write_text(
        json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    if options.pack == "file":
        return space / written[0]["name"], manifest
    packed = space / "export.zip"
    with packed.open("wb") as stream:
        pack([("manifest.json", about), *members, *images], stream)
        stream.flush()
        os.fsync(stream.fileno())
    return packed, manifest


def _tables(
    rows: Rows, options: Options
) -> Iterator[tuple[str, str, tuple[Iterator[dict[str, Any]], list[Field]]]]:
    """(file name, split, (its rows, its columns)), each made when it is asked for."""
    extension = EXTENSIONS[options.format]
    if "verdicts" in options.contents:
        for split in options.splits or ("",):
            yield f"{split or 'items'}.{extension}", split, (rows.items(split), rows.item_fields())
    if "annotations" in options.contents:
        yield f"annotations.{extension}", "", (rows.annotations(), rows.annotation_fields())


def _writer(rows: Rows, options: Options, split: str) -> Writer:
    """The format's writer with those of the wishes that it has a parameter for."""
    wishes = {
        "formula_safe": options.formula_safe,
        "labels": rows.label_names,
        "task": rows.task_type,
        "split": split,
        "splits": list(options.splits),
    }
    known = parameters_of(WRITERS.create(options.format))
    return WRITERS.create(options.format, {name: wishes[name] for name in wishes if name in known})


def _written(
    space: Path, name: str, rows: Iterator[dict[str, Any]], columns: list[Field], writer: Writer
) -> dict[str, Any]:
    path = space / name
    with path.open("wb") as stream:
        count = writer.write(rows, columns, stream)
        stream.flush()
        os.fsync(stream.fileno())
    return {
        "name": name,
        "rows": count,
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
        "columns": [[column.name, column.kind] for column in columns],
    }


def _images(snapshot: Snapshot, options: Options) -> list[tuple[str, Path]]:
    if not options.images:
        return []
    there = Q(removed_at=None) | Q(removed_at__gt=snapshot.manifest["frozen"]["taken_at"])
    items = Item.objects.filter(
        there, project_id=snapshot.project_id, number__lt=snapshot.item_count
    )
    names = items.exclude(image="").order_by("image").values_list("image", flat=True).distinct()
    return [(f"images/{name}", image_path(snapshot.project_id, name)) for name in names]


def _manifest(
    snapshot: Snapshot, rows: Rows, files: list[dict[str, Any]], images: list[tuple[str, Path]]
) -> dict[str, Any]:
    frozen = snapshot.manifest["frozen"]
    csv = snapshot.options["format"] == "csv"
    return {
        "schema_version": SCHEMA_VERSION,
        "made_by": frozen["made_by"],
        "project": {"id": snapshot.project_id, "name": frozen["project"]},
        "snapshot": snapshot.pk,
        "taken_at": frozen["taken_at"],
        "ledger": {"position": snapshot.position, "digest": frozen["ledger_digest"]},
        "options": snapshot.options,
        "files": files,
        "images": len(images),
        "counts": rows.counts.to_json(),
        "formula_safe": bool(csv and snapshot.options["formula_safe"]),
        "frozen": frozen,
    }


def _result(snapshot: Snapshot) -> dict[str, Any]:
    return {"snapshot": snapshot.pk, "sha256": snapshot.sha256, "size_bytes": snapshot.size_bytes}


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(directory: Path) -> None:
    """Make the move itself survive a loss of power."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
