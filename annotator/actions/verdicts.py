"""From sealed annotations to the label an item has now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from annotator.actions.schema import columns_of
from annotator.models import Project, Verdict, VerdictSource, VerdictState

CHUNK = 5_000
VERDICT_LOCK = 7_003

_STANDING = """
SELECT a.item_id, a.annotator_id, a.labels, a.stream, v.weight, v.truth, e.position
FROM annotator_annotation a
JOIN annotator_annotator v ON v.id = a.annotator_id
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position IS NOT NULL
WHERE a.item_id = ANY(%s) AND a.kind = 'answer'
  AND NOT EXISTS (
    SELECT 1 FROM annotator_annotation later
    JOIN annotator_ledgerentry le ON le.annotation_id = later.id AND le.position IS NOT NULL
    WHERE later.previous_id = a.id)
ORDER BY a.item_id, e.position
"""


@dataclass(frozen=True)
class _Vote:
    item: int
    annotator: int
    labels: list[int]
    stream: str
    weight: float
    truth: bool
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
    votes: dict[int, list[_Vote]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [item_ids])
        for row in cursor.fetchall():
            votes[row[0]].append(_Vote(*row))
    Verdict.objects.filter(item_id__in=[pk for pk in item_ids if pk not in votes]).delete()
    verdicts = [_final(project, said) for said in votes.values() if _is_final(said)]
    open_questions = [said for said in votes.values() if not _is_final(said)]
    verdicts += _by_consensus(project, open_questions)
    Verdict.objects.bulk_create(
        verdicts,
        update_conflicts=True,
        unique_fields=["item"],
        update_fields=["labels", "soft", "state", "source", "voices", "position", "decided_at"],
    )
    return len(verdicts)


def _is_final(votes: Sequence[_Vote]) -> bool:
    return any(vote.stream == "review" or vote.truth for vote in votes)


def _final(project: Project, votes: Sequence[_Vote]) -> Verdict:
    reviews = [vote for vote in votes if vote.stream == "review"]
    word = reviews[-1] if reviews else next(vote for vote in votes if vote.truth)
    return _verdict(
        project,
        votes,
        labels=word.labels,
        soft={str(label): 1.0 for label in word.labels},
        state=VerdictState.DECIDED,
        source=VerdictSource.REVIEWER if reviews else VerdictSource.TRUTH,
    )


def _by_consensus(project: Project, items: list[list[_Vote]]) -> list[Verdict]:
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
    return [
        _verdict(
            project,
            votes,
            labels=[ids[c] for c in np.flatnonzero(consensus.answers[row])],
            soft={
                str(ids[c]): round(float(consensus.shares[row, c]), 6)
                for c in np.flatnonzero(consensus.shares[row])
            },
            state=VerdictState.TIE if consensus.tied[row] else VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
        )
        for row, votes in enumerate(items)
    ]


def _verdict(project: Project, votes: Sequence[_Vote], **values: Any) -> Verdict:
    return Verdict(
        item_id=votes[0].item,
        project=project,
        voices=len({vote.annotator for vote in votes}),
        position=max(vote.position for vote in votes),
        **values,
    )
