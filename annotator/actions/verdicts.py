"""From sealed annotations to the label an item has now."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection, transaction

from annotator.actions.schema import columns_of
from annotator.models import Project, Verdict, VerdictSource, VerdictState

CHUNK = 5_000
VERDICT_LOCK = 7_003

# LIMIT and OFFSET keep the planner at one index probe per row: for a large chunk it would read the
# whole ledger instead, and again for the next one.
_STANDING = """
SELECT a.item_id, a.annotator_id, a.labels, a.stream, v.weight, v.truth, e.position
FROM annotator_annotation a
JOIN annotator_annotator v ON v.id = a.annotator_id
CROSS JOIN LATERAL (
    SELECT position FROM annotator_ledgerentry
    WHERE annotation_id = a.id AND position IS NOT NULL OFFSET 0) e
WHERE a.item_id = ANY(%s) AND a.kind = 'answer'
  AND (SELECT le.position FROM annotator_annotation later
       JOIN annotator_ledgerentry le ON le.annotation_id = later.id
       WHERE later.previous_id = a.id LIMIT 1) IS NULL
ORDER BY a.item_id, e.position
"""
_WRITE = """
INSERT INTO annotator_verdict
    (item_id, project_id, labels, soft, state, source, voices, position, decided_at)
SELECT v.item, %s, v.labels::bigint[], v.soft::jsonb, v.state, v.source, v.voices, v.position, now()
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[], %s::bigint[])
    AS v(item, labels, soft, state, source, voices, position)
ORDER BY v.item
ON CONFLICT (item_id) DO UPDATE SET
    labels = excluded.labels, soft = excluded.soft, state = excluded.state,
    source = excluded.source, voices = excluded.voices, position = excluded.position,
    decided_at = excluded.decided_at
"""


class Vote(NamedTuple):
    """A standing answer: who said what to which item, with which weight, at which position."""

    item: int
    annotator: int
    labels: list[int]
    stream: str
    weight: float
    truth: bool
    position: int


class Derived(NamedTuple):
    """What follows from the votes on one item; `soft` maps label ids to shares of the weight."""

    item: int
    labels: list[int]
    soft: dict[int, float]
    state: VerdictState
    source: VerdictSource
    voices: int
    position: int


def decide(project: Project, item_ids: Iterable[int]) -> int:
    """Derive the verdicts of these items anew. Returns how many verdicts were written.

    A reviewer's word is final, then a label imported as truth, then the consensus of the votes;
    a tie waits for review. An item whose every answer was taken back has no verdict.
    """
    written = 0
    for chunk in _chunks(item_ids):
        with transaction.atomic(), connection.cursor() as cursor:
            # Parts two workers that would derive the same verdicts from different positions.
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [VERDICT_LOCK, project.pk])
            written += _decide_chunk(project, chunk)
    return written


def _chunks(item_ids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted(set(item_ids))
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]


def _decide_chunk(project: Project, item_ids: list[int]) -> int:
    votes: dict[int, list[Vote]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [item_ids])
        for row in cursor.fetchall():
            votes[row[0]].append(Vote(*row))
    Verdict.objects.filter(item_id__in=[pk for pk in item_ids if pk not in votes]).delete()
    found = derive(project, votes.values())
    if found:
        _write(project, found)
    return len(found)


def _write(project: Project, found: list[Derived]) -> None:
    columns: list[Any] = [
        [one.item for one in found],
        ["{" + ",".join(map(str, one.labels)) + "}" for one in found],
        [json.dumps(one.soft) for one in found],
        [str(one.state) for one in found],
        [str(one.source) for one in found],
        [one.voices for one in found],
        [one.position for one in found],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [project.pk, *columns])


def derive(project: Project, items: Iterable[Sequence[Vote]]) -> list[Derived]:
    """Derive what each item's votes amount to; finals first, then what consensus says.

    `items` holds the votes of one item each, in the order of their positions.
    """
    finals: list[Derived] = []
    open_questions: list[Sequence[Vote]] = []
    for said in items:
        if any(vote.stream == "review" or vote.truth for vote in said):
            finals.append(_final(said))
        else:
            open_questions.append(said)
    return finals + _by_consensus(project, open_questions)


def _final(votes: Sequence[Vote]) -> Derived:
    reviews = [vote for vote in votes if vote.stream == "review"]
    word = reviews[-1] if reviews else next(vote for vote in votes if vote.truth)
    return _derived(
        votes,
        labels=word.labels,
        soft=dict.fromkeys(word.labels, 1.0),
        state=VerdictState.DECIDED,
        source=VerdictSource.REVIEWER if reviews else VerdictSource.TRUTH,
    )


def _by_consensus(project: Project, items: Sequence[Sequence[Vote]]) -> list[Derived]:
    if not items:
        return []
    import numpy as np

    from learning.consensus import CONSENSUS
    from learning.types import Votes

    columns = columns_of(project, with_archived=True)
    flat = [(row, vote) for row, votes in enumerate(items) for vote in votes]
    method = CONSENSUS[project.consensus]()
    consensus = method.aggregate(
        Votes(
            items=len(items),
            item=np.array([row for row, _ in flat], dtype=np.int64),
            annotator=np.array([vote.annotator for _, vote in flat], dtype=np.int64),
            answers=columns.hot([vote.labels for _, vote in flat]),
            weights=np.array([vote.weight for _, vote in flat], dtype=np.float64),
            multi_label=project.multi_label,
        )
    )
    ids = columns.label_ids
    labels: list[list[int]] = [[] for _ in items]
    for row, column in np.argwhere(consensus.answers).tolist():
        labels[row].append(ids[column])
    soft: list[dict[int, float]] = [{} for _ in items]
    rows, places = np.nonzero(consensus.shares)
    shares = consensus.shares[rows, places].tolist()
    for row, column, share in zip(rows.tolist(), places.tolist(), shares, strict=True):
        soft[row][ids[column]] = round(share, 6)
    return [
        _derived(
            votes,
            labels=labels[row],
            soft=soft[row],
            state=VerdictState.TIE if consensus.tied[row] else VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
        )
        for row, votes in enumerate(items)
    ]


def _derived(votes: Sequence[Vote], **values: Any) -> Derived:
    return Derived(
        item=votes[0].item,
        voices=len({vote.annotator for vote in votes}),
        position=max(vote.position for vote in votes),
        **values,
    )
