"""What a teacher is lent when it is asked: items, labels, an encoder, a line to its endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection

from annotator.actions import encoding, endpoints
from annotator.actions.answer_cache import ProjectCache
from annotator.actions.budgets import RunBudget
from annotator.actions.media import read_image
from annotator.errors import ConflictError
from annotator.models import Item, ItemKind, Project, Teacher, TeacherRun

if TYPE_CHECKING:
    from learning.teachers.limits import Stopped
    from learning.teachers.types import Means, TeacherItem, TeacherSchema
    from learning.teachers.types import Teacher as Ready

AnyT = TypeVar("AnyT")


def schema_of(project: Project) -> TeacherSchema:
    """The labels and guidelines as a teacher reads them. Raises ConflictError without labels."""
    from learning.teachers.types import LabelText, TeacherSchema

    labels = list(project.live_labels())
    if not labels:
        raise ConflictError("The project has no labels yet; a teacher could answer nothing.")
    live = {label.pk for label in labels}
    return TeacherSchema(
        labels=tuple(
            LabelText(
                id=label.pk,
                name=label.name,
                description=label.description,
                parent_id=label.parent_id if label.parent_id in live else None,
            )
            for label in labels
        ),
        guidelines=project.guidelines,
        multi_label=project.multi_label,
    )


def items_of(project: Project, numbers: list[int]) -> list[TeacherItem]:
    """These items in this order, as far as they are still here."""
    from learning.teachers.types import TeacherItem

    rows = Item.objects.filter(project=project, number__in=numbers).present()
    found = {row.number: row for row in rows}
    images = project.item_kind == ItemKind.IMAGE
    return [
        TeacherItem(
            number=row.number,
            text=row.text,
            text_b=row.text_b,
            image=read_image(project.pk, row.image) if images and row.image else None,
        )
        for row in (found[number] for number in numbers if number in found)
    ]


@contextmanager
def ready(
    teacher: Teacher,
    run: TeacherRun,
    attempt: int,
    stopped: Stopped,
    *,
    anew: str = "",
    **instead: Any,
) -> Iterator[Ready]:
    """The run's teacher with all it needs; connections end with the block.

    anew: what was answered before is asked again, but for what was under this name. instead:
    parameters other than the run's.
    """
    from learning.teachers import TEACHERS
    from learning.teachers.types import Means

    plugin = TEACHERS.create(teacher.plugin, {**run.params, **instead})
    if "line" in plugin.needs:
        with _line(teacher, run, attempt, stopped, anew) as means:
            yield plugin.ready(means)
        return
    means = _vectors(teacher.project) if "encoder" in plugin.needs else Means()
    yield plugin.ready(means)


def _vectors(project: Project) -> Means:
    import numpy as np

    from learning.teachers.types import Means

    known = encoding.current_encoding(project)
    if known is None or not known.rows:
        raise ConflictError("The items are not encoded yet. Try again when that is done.")
    return Means(
        encoder=encoding.ready_encoder(project),
        encodings=np.asarray(encoding.open_matrix(known).view()[: known.rows], dtype=np.float32),
    )


@contextmanager
def _line(
    teacher: Teacher, run: TeacherRun, attempt: int, stopped: Stopped, anew: str
) -> Iterator[Means]:
    from annotator.runtime.sending import sender
    from learning.teachers.limits import Bucket
    from learning.teachers.line import Line
    from learning.teachers.types import Means

    if teacher.endpoint is None:
        raise ConflictError("The endpoint of this teacher is gone. Choose another one.")
    with endpoints.gateway() as way, _database_thread() as through:
        yield Means(
            line=Line(
                send=sender(way, endpoints.door(way, teacher.project, teacher.endpoint)),
                budget=RunBudget(run=run, attempt=attempt, through=through),
                cache=ProjectCache(
                    project_id=teacher.project_id,
                    place=" ".join(filter(None, (teacher.endpoint.base_url, anew))),
                    through=through,
                ),
                bucket=Bucket(requests_per_minute=teacher.requests_per_minute),
                concurrency=teacher.concurrency,
                stopped=stopped,
            )
        )


@contextmanager
def _database_thread() -> Iterator[Callable[[Callable[[], AnyT]], AnyT]]:
    """A way to the database for the threads that call: one connection for all of them.

    Each would else open one of its own, and leave it open when it ends.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="teacher-database") as pool:

        def through(work: Callable[[], AnyT]) -> AnyT:
            return pool.submit(work).result()

        try:
            yield through
        finally:
            pool.submit(_close_connection).result()


def _close_connection() -> None:
    connection.close()  # that of the thread which runs this
