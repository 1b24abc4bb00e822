"""Fill the short queue of picks from what the strategy chose."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from annotator import jobs
from annotator.models import Item, Label, Pick, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.students.predictions import Predictions
    from learning.types import Pool, Selection

PICKS = 3_000
QUEUE_LOCK = 7_005
# A queue this short is filled again, also when no new student is due; before there is a student
# the cold start is chosen again only when it is used up.
FEWEST_PICKS = 1_000
FEWEST_BEFORE_STUDENT = 3
SUGGESTED = 5
# Before there is a student, this many representatives per label open the queue.
REPRESENTATIVES_PER_LABEL = 2
FEWEST_REPRESENTATIVES = 20


@dataclass(frozen=True, kw_only=True)
class Knowledge:
    """What is known of the pool when the queue is chosen: rows 0…n-1, maybe a student's word."""

    encodings: Any = None
    predictions: Predictions | None = None
    label_ids: tuple[int, ...] = ()

    @property
    def rows(self) -> int:
        if self.predictions is not None:
            return self.predictions.rows
        return 0 if self.encodings is None else len(self.encodings)


def wish_refill(project: Project) -> None:
    """Ask for more picks when few are left and the pool has more to give."""
    fewest = FEWEST_PICKS if project.current_student_id else FEWEST_BEFORE_STUDENT
    left = Pick.objects.filter(project=project)[:fewest].count()
    open_items = Item.objects.filter(
        project=project, open=True, order_key__gt=project.audit_cutoff
    )[: left + 1].count()
    if left < fewest and open_items > left:
        with transaction.atomic():
            jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")


def choose(project: Project, knowledge: Knowledge, rng: np.random.Generator) -> Selection:
    """Let the project's strategy choose; before there is a student, the cold start."""
    from learning.selection import STRATEGIES

    pool = _pool(project, knowledge)
    if knowledge.predictions is not None:
        return STRATEGIES[project.strategy]().select(pool, PICKS, rng)
    labels = Label.objects.filter(project=project, archived_at=None).count()
    wanted = max(FEWEST_REPRESENTATIVES, REPRESENTATIVES_PER_LABEL * labels)
    return STRATEGIES["representatives"]().select(pool, wanted, rng)


def _pool(project: Project, knowledge: Knowledge) -> Pool:
    import numpy as np

    from learning.types import Pool

    eligible = np.zeros(knowledge.rows, dtype=np.bool_)
    eligible[open_numbers(project, knowledge.rows)] = True
    known = knowledge.predictions
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    return Pool(
        eligible=eligible,
        labelled=~eligible,
        probabilities=None if known is None else known.probabilities,
        columns=None if known is None else known.columns,
        margins=None if known is None else known.margins,
        encodings=None if knowledge.encodings is None else knowledge.encodings[: knowledge.rows],
        label_names=tuple(names.get(pk, "?") for pk in knowledge.label_ids),
        multi_label=project.multi_label,
    )


def open_numbers(project: Project, below: int) -> NDArray[np.int64]:
    """Numbers of the items that the active stream may still choose, in any order.

    An item whose label came with its file is not chosen: it is served when nothing else is left.
    """
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(string_agg(int4send(i.number), ''::bytea), ''::bytea)
            FROM annotator_item i
            LEFT JOIN annotator_verdict v
                ON v.item_id = i.id AND v.state = 'decided' AND i.answers = 0
            WHERE i.project_id = %s AND i.open AND i.removed_at IS NULL
              AND i.order_key > %s AND i.number < %s
              AND v.item_id IS NULL
            """,
            [project.pk, project.audit_cutoff, below],
        )
        packed = cursor.fetchone()[0]
    return np.frombuffer(bytes(packed), dtype=">i4").astype(np.int64)


def replace_queue(
    project: Project, selection: Selection, knowledge: Knowledge, run: jobs.Run
) -> int:
    """Put the selection in the place of every pick that nobody holds. Returns how many are in.

    Picks that somebody is just taking are skipped, not waited for; they stay.
    """
    rows = [int(row) for row in selection.rows]
    suggestions = [json.dumps(_suggestion(knowledge, row)) for row in rows]
    with run.fence(), connection.cursor() as cursor:
        # Parts a training and a refill of one project: their picks would mix, or deadlock.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [QUEUE_LOCK, project.pk])
        cursor.execute(
            """
            DELETE FROM annotator_pick WHERE id IN (
                SELECT id FROM annotator_pick
                WHERE project_id = %s AND (leased_until IS NULL OR leased_until < now())
                FOR UPDATE SKIP LOCKED)
            """,
            [project.pk],
        )
        cursor.execute(
            """
            INSERT INTO annotator_pick
                (project_id, item_id, slot, rank, reason, probability, suggestion)
            SELECT i.project_id, i.id, place.slot, chosen.rank, chosen.reason, chosen.probability,
                   chosen.suggestion::jsonb
            FROM unnest(%s::int[], %s::text[], %s::float8[], %s::text[])
                WITH ORDINALITY AS chosen(number, reason, probability, suggestion, rank)
            JOIN annotator_item i ON i.project_id = %s AND i.number = chosen.number AND i.open
            CROSS JOIN generate_series(0, %s - 1) AS place(slot)
            WHERE NOT EXISTS (
                SELECT 1 FROM annotator_assignment a
                WHERE a.item_id = i.id AND a.slot = place.slot AND a.state = 'answered')
            ON CONFLICT DO NOTHING
            """,
            [
                rows,
                [reason[:300] for reason in selection.reasons],
                [float(p) for p in selection.probabilities],
                suggestions,
                project.pk,
                project.overlap,
            ],
        )
        return int(cursor.rowcount)


def _suggestion(knowledge: Knowledge, row: int) -> list[list[float]]:
    known = knowledge.predictions
    if known is None:
        return []
    top = known.top(row, SUGGESTED)
    return [[knowledge.label_ids[column], round(p, 4)] for column, p in top if p > 0]
