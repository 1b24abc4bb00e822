"""Turn items into rows of the matrix, batch by batch, resuming where a killed worker stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from annotator import jobs
from annotator.actions.imports.media import read_image
from annotator.models import Encoding, Item, ItemKind, Project

# Rows encoded between two marks: long enough that sorting by length pays, short enough to resume.
CHUNK = 1_024
# Items an encoder without weights of its own is fitted on.
SAMPLE = 20_000
# One white pixel (PNG): what stands for the image of an item that was redacted.
BLANK = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da63f80f00010101001cb08c990000000049454e44ae426082"
)


def wish_encoding(project: Project) -> None:
    """Ask that the items which have no row yet be encoded; safe to ask twice."""
    with transaction.atomic():
        jobs.enqueue("encode", project=project, key=f"encode:{project.pk}")


def matrix_folder(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "matrices" / str(project_id)


def students_folder(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "students" / str(project_id)


def current_encoding(project: Project) -> Encoding | None:
    """The newest matrix of the encoder that the project names."""
    return _newest(project, project.encoder, project.encoder_params)


def _newest(project: Project, encoder: str, params: dict[str, Any]) -> Encoding | None:
    named = Encoding.objects.filter(project=project, encoder=encoder, params=params)
    return named.order_by("-id").first()


def open_matrix(encoding: Encoding) -> Any:
    from learning.encoders.matrix import Matrix

    path = matrix_folder(encoding.project_id) / f"{encoding.fingerprint}.f16"
    return Matrix(path, encoding.dimensions)


def run_encode(run: jobs.Run) -> dict[str, Any]:
    """Encode every item that has no row yet, and the labels; then let the queue be chosen anew."""
    project = run.project
    encoding = fill(run, project, project.encoder, project.encoder_params)
    with run.fence():
        jobs.enqueue("train", project=project, key=f"train:{project.pk}")
        if Project.objects.filter(pk=project.pk, item_count__gt=encoding.rows).exists():
            wish_encoding(project)
    return {"rows": encoding.rows, "fingerprint": encoding.fingerprint}


def fill(run: jobs.Run, project: Project, encoder: str, params: dict[str, Any]) -> Encoding:
    """Bring an encoder's matrix to as many rows as the project has items, and encode the labels."""
    from annotator.actions.encoders import naming

    total = project.item_count
    run.progress(0, max(total, 1), "Loading the encoder")
    ready = _ready(project, encoder, params)
    encoding, _ = Encoding.objects.get_or_create(
        project=project,
        fingerprint=ready.fingerprint,
        defaults={"encoder": encoder, "params": params, "dimensions": ready.dimensions},
    )
    matrix = open_matrix(encoding)
    while matrix.rows < total:
        start = matrix.rows
        run.progress(start, total, "Encoding")
        matrix.write(start, ready.encode(contents(project, start, CHUNK)))
        with run.fence():
            Encoding.objects.filter(pk=encoding.pk).update(rows=matrix.rows)
    naming.keep(project, encoding, ready)
    run.progress(total, max(total, 1), "Encoded")
    encoding.rows = matrix.rows
    with run.fence():
        Encoding.objects.filter(pk=encoding.pk).update(rows=encoding.rows)
    return encoding


def ready_encoder(project: Project) -> Any:
    """The project's encoder: as saved when it was fitted on these items, else made ready now."""
    return _ready(project, project.encoder, project.encoder_params)


def _ready(project: Project, encoder: str, params: dict[str, Any]) -> Any:
    from learning import encoders

    known = _newest(project, encoder, params)
    if known is not None and (matrix_folder(project.pk) / known.fingerprint).is_dir():
        return encoder_of(known)
    ready = encoders.ENCODERS[encoder](**params).fit(contents(project, 0, SAMPLE))
    ready.save(matrix_folder(project.pk) / ready.fingerprint)
    return ready


def encoder_of(encoding: Encoding) -> Any:
    """The encoder that wrote a matrix, as it was saved beside it."""
    from learning import encoders

    return encoders.load(matrix_folder(encoding.project_id) / encoding.fingerprint)


def contents(project: Project, start: int, count: int) -> list[str] | list[bytes]:
    from learning.encoders import pair

    items = Item.objects.filter(project=project, number__gte=start, number__lt=start + count)
    ordered = items.order_by("number")
    if project.item_kind == ItemKind.IMAGE:
        names = ordered.values_list("image", flat=True)
        return [read_image(project.pk, name) if name else BLANK for name in names]
    if project.item_kind == ItemKind.LIST:
        lists = ordered.values_list("text", "candidates")
        return [pair(text, "\n".join(candidates)) for text, candidates in lists]
    return [pair(text, text_b) for text, text_b in ordered.values_list("text", "text_b")]
