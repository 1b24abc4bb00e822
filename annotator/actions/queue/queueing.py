"""Fill the short queue of picks from what the strategy chose."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from annotator import jobs
from annotator.actions.desk import reasking
from annotator.actions.explore import seeding
from annotator.actions.routing import doubling
from annotator.actions.students import conforming
from annotator.models import Pick, Project, Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.queue.choosing import Knowledge
    from annotator.actions.students.conforming import LabelSet
    from learning.spans import Span
    from learning.types import Selection

QUEUE_LOCK = 7_005
# A queue this short is filled again, also when no new student is due; before there is a student
# the cold start is chosen again only when it is used up.
FEWEST_PICKS = 1_000
FEWEST_BEFORE_STUDENT = 3
SUGGESTED, SUGGESTED_AT_MOST = 5, 10

_FREE_PICKS = """
DELETE FROM annotator_pick WHERE id IN (
    SELECT id FROM annotator_pick
    WHERE project_id = %s AND (leased_until IS NULL OR leased_until < now())
    FOR UPDATE SKIP LOCKED)
"""
# The last condition: not even tried where somebody is just answering, since the insert would wait
# for them while it holds the picks that they may come to want.
_NEW_PICKS = """
INSERT INTO annotator_pick
    (project_id, item_id, slot, rank, reason, probability, suggestion, question_id, label_set,
     set_size)
SELECT i.project_id, i.id, place.slot, chosen.rank, chosen.reason, chosen.probability,
       chosen.suggestion::jsonb, chosen.question, chosen.label_set::jsonb, chosen.set_size
FROM unnest(%s::int[], %s::text[], %s::float8[], %s::text[], %s::bigint[], %s::text[], %s::int[])
    WITH ORDINALITY AS chosen(
        number, reason, probability, suggestion, question, label_set, set_size, rank)
JOIN annotator_item i ON i.project_id = %s AND i.number = chosen.number AND i.open
CROSS JOIN LATERAL generate_series(0, %s + i.extra_voices - 1) AS place(slot)
WHERE NOT EXISTS (
    SELECT 1 FROM annotator_assignment a
    WHERE a.item_id = i.id AND a.slot = place.slot AND a.state = 'answered'
      AND (a.question_id IS NULL OR a.question_id = chosen.question))
  AND NOT EXISTS (
    SELECT 1 FROM annotator_pick p WHERE p.item_id = i.id AND p.slot = place.slot)
ON CONFLICT DO NOTHING
"""
# What the active stream may choose. An item whose label came with its file is not chosen: it is served
# when nothing else is left. One that only questions were answered about may be chosen.
_CHOOSABLE = """
FROM annotator_item i
LEFT JOIN annotator_verdict v ON v.item_id = i.id AND v.state = 'decided' AND i.answers = 0
WHERE i.project_id = %s AND i.open AND i.removed_at IS NULL AND i.order_key > %s
  AND v.item_id IS NULL
"""


def wish_refill(project: Project) -> None:
    """Ask for more picks when few are left and the pool has more to give."""
    fewest = FEWEST_PICKS if project.current_student_id else FEWEST_BEFORE_STUDENT
    left = Pick.objects.filter(project=project)[:fewest].count()
    if left < fewest and _more_than(project, left):
        with transaction.atomic():
            jobs.enqueue("refill", project=project, key=f"refill:{project.pk}")


def _more_than(project: Project, picks: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 {_CHOOSABLE} LIMIT 1 OFFSET %s",
            [project.pk, project.audit_cutoff, picks],
        )
        return cursor.fetchone() is not None


def open_numbers(project: Project, below: int) -> NDArray[np.int64]:
    """Numbers of the items that the active stream may still choose, in any order."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(string_agg(int4send(i.number), ''::bytea), ''::bytea) "
            f"{_CHOOSABLE} AND i.number < %s",
            [project.pk, project.audit_cutoff, below],
        )
        packed = cursor.fetchone()[0]
    return np.frombuffer(bytes(packed), dtype=">i4").astype(np.int64)


def lengths(project: Project, below: int) -> NDArray[np.int64]:
    """(below,) characters of the texts of each item that the active stream may still choose; 0 of others."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(string_agg(int4send(i.number) || "
            "int4send(char_length(i.text) + char_length(i.text_b)), ''::bytea), ''::bytea) "
            f"{_CHOOSABLE} AND i.number < %s",
            [project.pk, project.audit_cutoff, below],
        )
        packed = cursor.fetchone()[0]
    told = np.frombuffer(bytes(packed), dtype=">i4").astype(np.int64).reshape(-1, 2)
    found = np.zeros(below, dtype=np.int64)
    found[told[:, 0]] = told[:, 1]
    return found


def replace_queue(
    project: Project, selection: Selection, knowledge: Knowledge, run: jobs.Run
) -> int:
    """Put the selection in the place of every pick that nobody holds. Returns how many are in.

    Picks that somebody is just taking are skipped, not waited for; they stay.
    """
    kept = seeding.suggested(project) if project.shape == Shape.SPANS else {}
    columns = _columns(selection, knowledge, doubling.waiting(project), kept)
    with run.fence(), connection.cursor() as cursor:
        # Parts a training and a refill of one project: their picks would mix, or deadlock.
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [QUEUE_LOCK, project.pk])
        cursor.execute(_FREE_PICKS, [project.pk])
        reasking.place(project)
        cursor.execute(_NEW_PICKS, [*columns, project.pk, project.overlap])
        return int(cursor.rowcount)


def _columns(
    selection: Selection,
    knowledge: Knowledge,
    unaided: Container[int],
    kept: Mapping[int, list[dict[str, Any]]],
) -> list[list[Any]]:
    """Item numbers, reasons, probabilities, suggestions, questions and sets of the picks, in order.

    `unaided` items come without a suggestion and without a set; `kept` are spans that people confirmed.
    """
    rows = selection.rows.tolist()
    found = conforming.label_sets(knowledge.sets, knowledge.predictions, selection.rows)
    sets = [None if row in unaided else each for row, each in zip(rows, found, strict=True)]
    asked = [-1] * len(rows) if selection.questions is None else selection.questions.tolist()
    return [
        rows,
        [_fitting(reason) for reason in selection.reasons],
        selection.probabilities.tolist(),
        [
            json.dumps(
                []
                if row in unaided
                else _with(kept.get(row, []), _suggestion(knowledge, row, each))
            )
            for row, each in zip(rows, sets, strict=True)
        ],
        [None if column < 0 else knowledge.label_ids[column] for column in asked],
        [None if each is None else json.dumps(each.shown()) for each in sets],
        [None if each is None else each.size for each in sets],
    ]


def _fitting(reason: str) -> str:
    longest = Pick._meta.get_field("reason").max_length or len(reason)
    return reason if len(reason) <= longest else f"{reason[: longest - 1]}…"


def _with(kept: list[dict[str, Any]], said: Any) -> Any:
    """A suggestion with spans that people confirmed; what the student says across them gives way."""
    if not kept:
        return said
    own = said["spans"] if isinstance(said, dict) else []
    free = [
        one
        for one in own
        if all(one["end"] <= each["start"] or each["end"] <= one["start"] for each in kept)
    ]
    return {
        "spans": sorted([*free, *kept], key=lambda one: (one["start"], one["end"], one["label"]))
    }


def _suggestion(knowledge: Knowledge, row: int, held: LabelSet | None) -> Any:
    """The likeliest labels; as many as the set has, so that each of those has its probability. Where
    a tagger or a ranker speaks, the spans or the order that it says.
    """
    if knowledge.ordered is not None:
        return {"order": knowledge.ordered.order(row)} if row < knowledge.ordered.lists else []
    if knowledge.tagged is not None:
        return {"spans": _spans(knowledge.label_ids, knowledge.tagged.spans(row))}
    known = knowledge.predictions
    if known is None:
        return []
    if knowledge.parts:
        labels = _of_questions(knowledge, known.row(row))
        return {"labels": labels, "spans": _marks(knowledge, row)} if knowledge.marked else labels
    in_set = 0 if held is None else len(held.sure) + len(held.maybe)
    top = known.top(row, min(max(SUGGESTED, in_set), SUGGESTED_AT_MOST))
    return [[knowledge.label_ids[column], round(p, 4)] for column, p in top if p > 0]


def _of_questions(knowledge: Knowledge, said: NDArray[np.float32]) -> list[list[Any]]:
    """Of each question of a form the likeliest labels, as shares of where it is asked."""
    import numpy as np

    from learning.parts import shares

    found: list[list[Any]] = []
    for part, each in zip(knowledge.parts, shares(said[None], knowledge.parts), strict=True):
        best = np.argsort(-each[0], kind="stable")[:SUGGESTED].tolist()
        found += [
            [knowledge.label_ids[part.columns[place]], round(float(each[0, place]), 4)]
            for place in best
            if each[0, place] > 0
        ]
    return found


def _marks(knowledge: Knowledge, row: int) -> list[dict[str, Any]]:
    """The spans that a form's questions suggest where they are asked."""
    found: list[dict[str, Any]] = []
    for place, said in knowledge.marked.items():
        if row < said.texts:
            # As `marked_lessons.own_columns` orders them, however they are listed by now.
            columns = sorted(knowledge.parts[place].columns)
            ids = [knowledge.label_ids[column] for column in columns]
            known = [each for each in said.spans(row) if each[0].label < len(ids)]
            found += _spans(ids, known)
    return found


def _spans(label_ids: Sequence[int], said: list[tuple[Span, float]]) -> list[dict[str, Any]]:
    """As a value has them, each with its probability."""
    return [
        {
            "start": span.start,
            "end": span.end,
            "label": label_ids[span.label],
            "probability": round(p, 4),
        }
        for span, p in said
    ]
