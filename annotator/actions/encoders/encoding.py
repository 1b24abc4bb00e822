"""Turn items into rows of the matrix, batch by batch, resuming where a killed worker stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotator import jobs
from annotator.actions.students import pool_items, recipes
from annotator.errors import InvalidError
from annotator.models import Encoding, Item, ItemKind, Job, JobState, Project

if TYPE_CHECKING:
    from learning.encoders import Encoder, Ready

# Rows encoded between two marks: long enough that sorting by length pays, short enough to resume. The
# first are fewer, so that who waits soon sees how long it takes.
CHUNK, FIRST_CHUNK = 1_024, 64
# After a refusal so long nobody but an import or a person asks again.
AGAIN_SECONDS = 600.0
# Items an encoder without weights of its own is fitted on.
SAMPLE = 20_000


def wish_encoding(project: Project) -> None:
    """Ask that the items which have no row yet be encoded; safe to ask twice."""
    with transaction.atomic():
        jobs.enqueue("encode", project=project, key=f"encode:{project.pk}")


def matrix_folder(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "matrices" / str(project_id)


def students_folder(project_id: int) -> Path:
    return Path(settings.DATA_DIR) / "students" / str(project_id)


def current_encoding(project: Project) -> Encoding | None:
    """The newest matrix of the encoder that the project names.

    One in which two texts are read as one serves until the one that reads them apart has as many rows.
    """
    return current_encodings([project]).get(project.pk)


def matrix_of(project: Project, encoder: str, params: dict[str, Any]) -> Encoding | None:
    """The same of an encoder that the project names no more."""
    return _current(project, list(_named(project, encoder, params).order_by("-id")))


def current_encodings(projects: Iterable[Project]) -> dict[int, Encoding]:
    """The same of many, by project, those without one left out."""
    wanted = {project.pk: project for project in projects}
    named: dict[int, list[Encoding]] = {}
    for each in Encoding.objects.filter(project__in=list(wanted)).order_by("-id"):
        of = wanted[each.project_id]
        if (each.encoder, each.params) == (of.encoder, of.encoder_params):
            named.setdefault(of.pk, []).append(each)
    found = {pk: _current(wanted[pk], rows) for pk, rows in named.items()}
    return {pk: one for pk, one in found.items() if one is not None}


def _current(project: Project, named: Sequence[Encoding]) -> Encoding | None:
    """Of matrices of the encoder that it names, newest first."""
    before = next((one for one in named if not one.apart), None)
    if not _reads_apart(project):
        return before
    newest = next((one for one in named if one.apart), None)
    if newest is None or (before is not None and newest.rows < before.rows):
        return before
    return newest


def behind(project: Project, encoding: Encoding) -> bool:
    """Whether a matrix in which two texts are read as one waits for one that reads them apart."""
    return _reads_apart(project) and not encoding.apart


def _reads_apart(project: Project) -> bool:
    return project.item_kind == ItemKind.PAIR


def _newest(project: Project, encoder: str, params: dict[str, Any]) -> Encoding | None:
    """The one that is written to."""
    named = _named(project, encoder, params).filter(apart=_reads_apart(project))
    return named.order_by("-id").first()


def _named(project: Project, encoder: str, params: dict[str, Any]) -> QuerySet[Encoding]:
    return Encoding.objects.filter(project=project, encoder=encoder, params=params)


def open_matrix(encoding: Encoding) -> Any:
    from learning.encoders.matrix import Matrix

    path = matrix_folder(encoding.project_id) / f"{encoding.fingerprint}.f16"
    return Matrix(path, encoding.dimensions)


def run_encode(run: jobs.Run) -> dict[str, Any]:
    """Encode every item that has no row yet, and the labels; then let the queue be chosen anew. The same by
    a former encoder while a student that reads its vectors serves."""
    from annotator.actions.explore import mapping

    project = run.project
    encoding = fill(run, project, project.encoder, project.encoder_params)
    with run.fence():
        mapping.follow(project)
        jobs.enqueue("train", project=project, key=f"train:{project.pk}")
        if Project.objects.filter(pk=project.pk, item_count__gt=encoding.rows).exists():
            wish_encoding(project)
    if former := recipes.former_encoder(project):
        _fill_former(run, project, *former)
        recipes.wish_serving(project)
    return {"rows": encoding.rows, "fingerprint": encoding.fingerprint}


def _fill_former(run: jobs.Run, project: Project, encoder: str, params: dict[str, Any]) -> None:
    from learning.errors import LearningError

    try:
        fill(run, project, encoder, params)
    except LearningError as error:
        raise InvalidError(
            "All items are encoded, but not by the former encoder, whose vectors the student that serves reads: "
            f"{error} Bring its model back, or promote a student of the present encoder."
        ) from error


def failed_lately(project: Project) -> bool:
    """Whether the last encoding that ended was refused just now: to ask again at once would go on for ever."""
    lately = timezone.now() - timedelta(seconds=AGAIN_SECONDS)
    ended = Job.objects.filter(project=project, kind="encode", finished_at__gt=lately)
    last = ended.order_by("-finished_at").first()
    return last is not None and last.state == JobState.FAILED


def fill(run: jobs.Run, project: Project, encoder: str, params: dict[str, Any]) -> Encoding:
    """Bring an encoder's matrix to as many rows as the project has items, and encode the labels."""
    import numpy as np

    from annotator.actions.encoders import naming

    total = project.item_count
    loading = partial(run.progress, 0, max(total, 1), "Loading the encoder")
    loading()
    ready = _ready(project, encoder, params, loading)
    encoding, _ = Encoding.objects.get_or_create(
        project=project,
        fingerprint=ready.fingerprint,
        defaults={
            "encoder": encoder,
            "params": params,
            "dimensions": ready.dimensions,
            "apart": _reads_apart(project),
        },
    )
    matrix = open_matrix(encoding)
    while matrix.rows < total:
        start = matrix.rows
        run.progress(start, total, "Encoding")
        count = min(CHUNK, max(FIRST_CHUNK, start))
        vectors = np.array(ready.encode(contents(project, start, count)))
        with run.fence():
            vectors[redacted(project, start, len(vectors))] = 0
            matrix.write(start, vectors)
            Encoding.objects.filter(pk=encoding.pk).update(rows=matrix.rows)
    naming.keep(project, encoding, ready)
    run.progress(total, max(total, 1), "Encoded")
    encoding.rows = matrix.rows
    with run.fence():
        Encoding.objects.filter(pk=encoding.pk).update(rows=encoding.rows)
    return encoding


def redacted(project: Project, start: int, count: int) -> list[int]:
    """Of so many items from `start` on the places, from 0, of those that were redacted. To be asked in the fence in
    which what was read of them is written, so that it never lies on disk: a redaction meanwhile found nothing to
    forget, and a worker that dies between two steps would leave it there.
    """
    from annotator.actions.verdicts import sealing

    sealing.hold(project.pk)  # parts this from a redaction that is under way
    blank = Item.objects.filter(project=project, text="", text_b="", image="")
    found = blank.filter(number__gte=start, number__lt=start + count)
    rows = found.values_list("number", "candidates")
    return [number - start for number, candidates in rows if not any(candidates)]


def ready_encoder(project: Project) -> Any:
    """The encoder of the project's matrix: as saved beside it, else made ready now."""
    known = current_encoding(project)
    if known is not None and (matrix_folder(project.pk) / known.fingerprint).is_dir():
        return encoder_of(known)
    return _ready(project, project.encoder, project.encoder_params, lambda: None)


def _ready(project: Project, encoder: str, params: dict[str, Any], beat: Callable[[], None]) -> Any:
    from learning import encoders

    known = _newest(project, encoder, params)
    if known is not None and (matrix_folder(project.pk) / known.fingerprint).is_dir():
        return encoder_of(known)
    plugin = encoders.ENCODERS[encoder](**params)
    ready = fitted(plugin, project, contents(project, 0, SAMPLE), beat)
    ready.save(matrix_folder(project.pk) / ready.fingerprint)
    return ready


def fitted(
    plugin: Encoder,
    project: Project,
    sample: list[str] | list[bytes],
    beat: Callable[[], None],
) -> Ready:
    """An encoder made ready for a project's items, from what `contents` gives of some of them. That may take a
    minute, in which `beat` is called every second; what it raises ends the wait."""
    from learning.encoders.apart import Apart, sides
    from learning.students.patience import beside

    if not _reads_apart(project):
        return beside(lambda: plugin.fit(sample), beat)
    every = [text for both in sample for text in sides(str(both))]
    return Apart(ready=beside(lambda: plugin.fit(every), beat))


def encoder_of(encoding: Encoding) -> Any:
    """The encoder that wrote a matrix, as it was saved beside it."""
    from learning import encoders

    return encoders.load(matrix_folder(encoding.project_id) / encoding.fingerprint)


def contents(project: Project, start: int, count: int) -> list[str] | list[bytes]:
    items = Item.objects.filter(project=project, number__gte=start, number__lt=start + count)
    return read(project, items)


def read(project: Project, items: QuerySet[Item]) -> list[str] | list[bytes]:
    """What encoders are given of a project's items, in the order of their numbers."""
    from learning.encoders import pair
    from learning.encoders.apart import together

    ordered = items.order_by("number")
    if project.item_kind == ItemKind.IMAGE:
        return list(pool_items.images_of(items))
    if project.item_kind == ItemKind.LIST:
        lists = ordered.values_list("text", "candidates")
        return [pair(text, "\n".join(candidates)) for text, candidates in lists]
    texts = ordered.values_list("text", "text_b")
    if _reads_apart(project):
        return [together(text, text_b) for text, text_b in texts]
    return [pair(text, text_b) for text, text_b in texts]
