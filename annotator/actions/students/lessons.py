"""What a student learns from: the verdicts of now, as arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.db import connection, transaction

from annotator import jobs
from annotator.actions.encoders import naming
from annotator.actions.encoders.encoding import open_matrix
from annotator.actions.projects.schema import columns_of
from annotator.actions.queue import auditing
from annotator.actions.students import pool_items
from annotator.actions.verdicts.sealing import position as sealed_position
from annotator.actions.verdicts.verdicts import KEPT_BELIEF
from annotator.models import Encoding, Item, ItemKind, Part, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.tasks import Columns
    from learning.types import TrainingData

# `p_right` is how much the word of a teacher is to be relied on; null where people or files decided. The last
# column holds the labels that one voice alone decided.
_TRAINABLE = f"""
SELECT i.number, v.soft::text, v.known, i.answers, i.content_hash, c.p_right, v.position,
       CASE WHEN v.voices = 1 AND v.source = 'consensus' THEN v.labels END
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
LEFT JOIN annotator_acceptance c
    ON v.source = 'teacher' AND c.item_id = v.item_id AND c.ended_at IS NULL
WHERE v.project_id = %s AND i.number < %s AND v.state IN ('decided', 'partial')
  AND i.removed_at IS NULL
  AND NOT {auditing.untrainable_items()}
ORDER BY i.number
"""  # noqa: S608 - only our own condition is put in


# How far the ledger was sealed when each label was added. What was answered by then could not name it.
_ADDED = """
SELECT l.id, before.last FROM annotator_label l
CROSS JOIN LATERAL (
    SELECT b.last FROM annotator_ledgerbatch b
    WHERE b.project_id = l.project_id AND b.sealed_at < l.created_at
    ORDER BY b.number DESC LIMIT 1) before
WHERE l.project_id = %s AND l.created_at > (
    SELECT min(sealed_at) FROM annotator_ledgerbatch WHERE project_id = l.project_id)
"""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What a student is about to learn: item numbers beside the arrays made of their verdicts.

    `whole` marks the items of which every label is known, not only what a question was about;
    `taught` those that a teacher decided: they weigh less, and no figure is computed from them.
    `audited` holds what it will be measured on, known before it learns: an item that is drawn while
    it learns may be one of its own. `held` are the numbers of all that is kept from it so.
    """

    numbers: NDArray[np.int64]
    groups: NDArray[np.int64]
    whole: NDArray[np.bool_]
    taught: NDArray[np.bool_]
    data: TrainingData
    columns: Columns
    audited: list[tuple[int, list[int]]]
    held: list[int]
    answers: int
    position: int


@dataclass(frozen=True, kw_only=True)
class Learnt:
    """Verdicts as (n,) item numbers, ascending, (n, k) targets, (n,) how likely right each is held to be, None
    where all are sure, (n, k) what is known of them, and (n, k) which labels were added since."""

    numbers: NDArray[np.int64]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32] | None
    known: NDArray[np.bool_]
    younger: NDArray[np.bool_]
    rows: list[Any]

    @property
    def whole(self) -> NDArray[np.bool_]:
        """(n,) bool: a whole answer is behind it."""
        import numpy as np

        return np.array([row[2] is None for row in self.rows], dtype=np.bool_)

    @property
    def taught(self) -> NDArray[np.bool_]:
        """(n,) bool: a teacher decided it, and no person."""
        import numpy as np

        return np.array([row[5] is not None for row in self.rows], dtype=np.bool_)


class Learned(Protocol):
    """What every lesson has: its items, which content each has, and the labels by column."""

    @property
    def numbers(self) -> NDArray[np.int64]: ...
    @property
    def groups(self) -> NDArray[np.int64]: ...
    @property
    def columns(self) -> Columns: ...


def wish_with_others(project: Project) -> None:
    """Ask for a head now that another machine's word changed, which it may learn from beside the answers."""
    if project.soft_rows and project.current_student_id and not project.training_paused:
        with transaction.atomic():
            jobs.enqueue("train", project=project, key=f"train:{project.pk}")


def gather(project: Project, encoding: Encoding, *, whole_items: bool = False) -> Lesson | None:
    """The training set as of now, or None while it has fewer than two different labels.

    whole_items: the items themselves too, texts or images, beside their vectors.

    Evaluation and calibration items and their content duplicates are never in it. Of an item that
    only questions were answered about, the other labels are not known; those that were added after
    an item's last answer are younger than it.
    """
    import numpy as np

    position = sealed_position(project)
    audited = auditing.answered(project, Part.EVALUATION)
    calibrating = auditing.answered(project, Part.CALIBRATION)
    columns = columns_of(project)
    learnt = read(project, encoding.rows, columns)
    used = (learnt.targets > 0).any(axis=0).sum()
    if len(learnt.numbers) < 2 or used < (1 if project.multi_label else 2):
        return None
    groups = [int.from_bytes(bytes(row[4])[:7]) for row in learnt.rows]
    return Lesson(
        numbers=learnt.numbers,
        groups=np.array(groups, dtype=np.int64),
        whole=learnt.whole,
        taught=learnt.taught,
        data=data_of(
            project,
            encoding,
            columns,
            learnt.numbers,
            whole_items=whole_items,
            targets=learnt.targets,
            weights=learnt.weights,
            known=learnt.known,
            younger=learnt.younger if learnt.younger.any() else None,
        ),
        columns=columns,
        audited=audited,
        held=[number for number, _ in [*audited, *calibrating]],
        answers=sum(row[3] for row in learnt.rows),
        position=position,
    )


def data_of(
    project: Project,
    encoding: Encoding,
    columns: Columns,
    numbers: NDArray[np.int64],
    *,
    whole_items: bool,
    **answers: Any,
) -> TrainingData:
    """What was answered about these items, beside the items and what the labels are called."""
    import numpy as np

    from learning.types import TrainingData

    return TrainingData(
        **answers,
        encodings=np.asarray(open_matrix(encoding).view()[numbers], dtype=np.float32),
        **(read_of(project, numbers.tolist()) if whole_items else {}),
        multi_label=project.multi_label,
        parts=project.task.parts,
        label_vectors=naming.of(project, encoding, columns),
        label_texts=naming.texts_of(project, columns) if whole_items else None,
        ordered=project.task.ordered,
        paired=encoding.apart,
        sided=project.task.sided,
    )


def digest_of(project: Project, encoding: Encoding, lesson: Lesson, *ways: object) -> str:
    """A hash of all that a student learns from, of the items that it is to speak of, and of `ways`, in which it is
    to learn though they are no parameters."""
    data = lesson.data
    arrays = (data.targets, data.weights, data.known, data.younger, data.label_vectors)
    called = naming.texts_of(project, lesson.columns)
    return hashed(project, encoding, lesson, arrays, called, *ways)


def hashed(
    project: Project, encoding: Encoding, lesson: Learned, arrays: Iterable[Any], *ways: object
) -> str:
    """The same of whatever is learned from: its arrays, some of them None, and what else there is."""
    import numpy as np

    told = hashlib.sha256()
    for array in (lesson.numbers, lesson.groups, *arrays):
        told.update(repr(None if array is None else (array.shape, str(array.dtype))).encode())
        told.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    labels = (lesson.columns.label_ids, sorted(lesson.columns.archived))
    pool = (encoding.fingerprint, encoding.rows, project.audit_cutoff)
    told.update(json.dumps([*labels, *pool, *ways]).encode())
    return told.hexdigest()


def read_of(project: Project, numbers: list[int]) -> dict[str, Any]:
    """What students that read items read of these, in the order of the numbers, by the name of `TrainingData`."""
    items = Item.objects.filter(project=project, number__in=numbers)
    if project.item_kind == ItemKind.IMAGE:
        return {"images": pool_items.images_of(items)}
    return {"texts": pool_items.texts_of(items)}


def read(project: Project, below: int, columns: Columns) -> Learnt:
    """The verdicts that students may learn from, of items with numbers below `below`."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_TRAINABLE, [project.pk, below])
        rows = cursor.fetchall()
    task = project.task
    targets, weights = _targets(project, rows, columns)
    usable = np.asarray(task.usable(targets))
    rows = [row for row, kept in zip(rows, usable.tolist(), strict=True) if kept]
    known = task.known(targets[usable], columns)
    for place, row in enumerate(rows):
        if row[2] is not None:
            asked = np.zeros(len(columns), dtype=np.bool_)
            asked[[columns.column(label) for label in row[2]]] = True
            known[place] &= asked
    # Not where only an archived label was asked about; without any labels answers are values.
    told = np.asarray(known.any(axis=1)) | (len(columns) == 0)
    rows = [row for row, kept in zip(rows, told.tolist(), strict=True) if kept]
    targets, weights = np.where(known, targets[usable], 0)[told], weights[usable][told]
    return Learnt(
        numbers=np.array([row[0] for row in rows], dtype=np.int64),
        targets=targets,
        weights=weights if (weights < 1).any() else None,
        known=known[told],
        younger=_younger(project, rows, columns) & (targets == 0),
        rows=rows,
    )


def _younger(project: Project, rows: list[Any], columns: Columns) -> NDArray[np.bool_]:
    """(n, k): the label was added after the item's last answer."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_ADDED, [project.pk])
        sealed = dict(cursor.fetchall())
    before = np.array([sealed.get(label, 0) for label in columns.label_ids], dtype=np.int64)
    positions = np.array([row[6] for row in rows], dtype=np.int64)
    return np.asarray(positions[:, None] <= before, dtype=np.bool_)


def _targets(
    project: Project, rows: list[Any], columns: Columns
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n, k): the verdict's shares; archived labels are left out and single rows sum to 1. (n,): how far to rely
    on each row.

    The one label that a single voice gave stands whole and weighs its share: beside it the posterior holds
    only what voices mistake for it anywhere, which would blur every such item alike.
    """
    import numpy as np

    targets = np.zeros((len(rows), len(columns)), dtype=np.float32)
    weights = np.ones(len(rows), dtype=np.float32)
    for row, (_, text, _known, _answers, _hash, p_right, _position, alone) in enumerate(rows):
        soft = json.loads(text)
        if alone and not project.multi_label:
            weights[row] = soft.get(str(alone[0]), KEPT_BELIEF)  # a smaller share is not kept
            soft = {alone[0]: 1.0}
        elif p_right is not None:
            weights[row] = p_right
        for label, share in soft.items():
            targets[row, columns.column(int(label))] = share
    targets[:, ~columns.active] = 0
    if not project.multi_label:
        total = targets.sum(axis=1, keepdims=True)
        np.divide(targets, total, out=targets, where=total > 0)
    return np.clip(targets, 0, 1), weights
