"""Two versions side by side: a paired test, and the items on which they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from annotator.actions.encoders.encoding import students_folder
from annotator.actions.queue import auditing
from annotator.actions.students import promoting, sheets
from annotator.models import Item, Part, Project, Shape, StudentVersion

if TYPE_CHECKING:
    from learning.audit.promotion import Paired
    from learning.students.predictions import Predictions

# Items that are listed, and cells of each student's word that are looked at for them.
LISTED, MOST_CELLS = 20, 4_000_000


@dataclass(frozen=True, kw_only=True)
class Differing:
    """An item, what each of two versions says of it, and what people decided, if they did."""

    item: Item
    one: list[int]
    other: list[int]
    truth: list[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """`judged` are differences on evaluation items, with the truth, of `judged_count`; `pool` those on
    the first `looked_at` items of the pool, of `pool_count`. None: files are gone."""

    paired: Paired
    judged: list[Differing]
    judged_count: int
    pool: list[Differing] | None
    pool_count: int
    looked_at: int


def contrast(project: Project, one: StudentVersion, other: StudentVersion) -> Contrast:
    """How two versions of a project differ."""
    judged, judged_count = _judged(project, one, other)
    pool, count, looked_at = _of_pool(project, one, other)
    return Contrast(
        paired=promoting.paired(project, one, other),
        judged=judged,
        judged_count=judged_count,
        pool=pool,
        pool_count=count,
        looked_at=looked_at,
    )


def _judged(
    project: Project, one: StudentVersion, other: StudentVersion
) -> tuple[list[Differing], int]:
    import numpy as np

    alone = project.shape == Shape.LABELS
    answers = auditing.answered(project, Part.EVALUATION) if alone else []
    found = sheets.between(project, [one, other], answers)
    if len(found.versions) < 2:
        return [], 0
    differ = found.asked.all(axis=0) & (found.said[0] != found.said[1]).any(axis=1)
    rows = np.flatnonzero(differ)[:LISTED].tolist()
    ids = np.array(found.columns.label_ids)
    items = _items(project, [found.numbers[row] for row in rows])
    listed = [
        Differing(
            item=items[found.numbers[row]],
            one=ids[found.said[0][row]].tolist(),
            other=ids[found.said[1][row]].tolist(),
            truth=ids[found.truth[row]].tolist(),
        )
        for row in rows
        if found.numbers[row] in items
    ]
    return listed, int(differ.sum())


def _of_pool(
    project: Project, one: StudentVersion, other: StudentVersion
) -> tuple[list[Differing] | None, int, int]:
    """The differences, how many there are, and of how many items. Those that differ most surely first;
    the drawn sample is left out, since it is answered blind."""
    import numpy as np

    from learning.students.predictions import DENSE_LABELS

    if project.shape != Shape.LABELS:
        return [], 0, 0
    words = [_predictions(project, each) for each in (one, other)]
    first, second = words
    if first is None or second is None or max(first.labels, second.labels) > DENSE_LABELS:
        return None, 0, 0
    rows = min(first.rows, second.rows, MOST_CELLS // max(first.labels, second.labels, 1))
    said = [np.asarray(each.probabilities[:rows]) for each in (first, second)]
    same = [label for label in one.label_ids if label in set(other.label_ids)]
    tables = [
        each[:, [version.label_ids.index(label) for label in same]]
        for each, version in zip(said, (one, other), strict=True)
    ]
    task = project.task
    chosen = [task.chosen(table) for table in tables]
    differs = (chosen[0] != chosen[1]).any(axis=1)
    gap = np.abs(tables[0] - tables[1]).max(axis=1, initial=0)
    order = np.flatnonzero(differs)
    order = order[np.argsort(-gap[order], kind="stable")]
    items = _items(project, order[: 4 * LISTED].tolist(), drawn=False)
    ids = np.array(same, dtype=np.int64)
    listed = [
        Differing(
            item=items[number],
            one=ids[chosen[0][number]].tolist(),
            other=ids[chosen[1][number]].tolist(),
        )
        for number in order.tolist()
        if number in items
    ]
    return listed[:LISTED], len(order), rows


def _items(project: Project, numbers: list[int], *, drawn: bool = True) -> dict[int, Item]:
    found = Item.objects.filter(project=project, number__in=numbers).present()
    if not drawn:
        found = found.filter(order_key__gt=project.audit_cutoff, part="")
    return {each.number: each for each in found}


def _predictions(project: Project, version: StudentVersion) -> Predictions | None:
    from learning.errors import DamagedFileError
    from learning.students.predictions import read_predictions

    if not version.folder:
        return None
    try:
        return read_predictions(students_folder(project.pk) / version.folder / "pool")
    except DamagedFileError:
        return None
