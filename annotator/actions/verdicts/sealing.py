"""Number committed annotations and chain their hashes, apart from the answers themselves.

Insertion order is not commit order: a position is given only to what is committed and visible when
the sealer looks, by one sealer per project at a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction

from annotator.models import LedgerBatch, LedgerEntry, Project

SEAL_LOCK = 7_002
BATCH = 5_000
# The last parts of an annotation's content, which came with later versions.
LATER = 3

_UNSEALED = """
SELECT a.id, a.uuid::text, i.number, a.annotator_id, a.kind, a.stream, a.labels, a.comment,
       a.reason, a.extra, p.uuid::text, a.item_id,
       to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.question_id,
       nullif(a.outcome, ''), a.value::text
FROM annotator_ledgerentry e
JOIN annotator_annotation a ON a.id = e.annotation_id
JOIN annotator_item i ON i.id = a.item_id
LEFT JOIN annotator_annotation p ON p.id = a.previous_id
WHERE e.project_id = %s AND e.position IS NULL
ORDER BY a.id LIMIT %s
"""

CONTENT = """
SELECT e.position, e.digest, e.redacted_at, a.uuid::text, i.number, a.annotator_id, a.kind,
       a.stream, a.labels, a.comment, a.reason, a.extra, p.uuid::text,
       to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.question_id,
       nullif(a.outcome, ''), a.value::text
FROM annotator_ledgerentry e
JOIN annotator_annotation a ON a.id = e.annotation_id
JOIN annotator_item i ON i.id = a.item_id
LEFT JOIN annotator_annotation p ON p.id = a.previous_id
WHERE e.project_id = %s AND e.position BETWEEN %s AND %s
ORDER BY e.position
"""


def seal(
    project: Project, follow: Callable[[list[int]], object] | None = None
) -> tuple[int, list[int]]:
    """Seal what is committed. Returns (last position, ids of the items newly spoken about).

    `follow` gets the items of each batch in the batch's own transaction: a position is never there
    without what follows from it, whenever the process dies.
    """
    touched: set[int] = set()
    while True:
        items = _seal_batch(project.pk, follow)
        touched.update(items)
        if len(items) < BATCH:
            return position(project), sorted(touched)


def position(project: Project) -> int:
    """The last sealed position; 0 while nothing is sealed."""
    last = LedgerBatch.objects.filter(project=project).order_by("-number").first()
    return last.last if last else 0


def digest_of(content: list[Any]) -> bytes:
    """SHA-256 of one annotation's content as canonical JSON.

    The label asked about, a reviewer's outcome and the value come last and only where there are any:
    other answers keep the digests that they had before there were such.
    """
    told = len(content)
    while told > len(content) - LATER and content[told - 1] is None:
        told -= 1
    content = content[:told]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).digest()


def _decoded(value: str | None) -> Any:
    """A stored value by what it holds: how the database spells JSON is no part of a digest."""
    return None if value is None else json.loads(value)


def hold(project_id: int) -> None:
    """Let nobody else seal, nor decide what follows from it, until the caller's transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [SEAL_LOCK, project_id])


def _seal_batch(project_id: int, follow: Callable[[list[int]], object] | None) -> list[int]:
    with transaction.atomic(), connection.cursor() as cursor:
        # Parts two sealers of one project: positions have no gaps and no doubles.
        hold(project_id)
        cursor.execute(_UNSEALED, [project_id, BATCH])
        rows = cursor.fetchall()
        if not rows:
            return []
        last = LedgerBatch.objects.filter(project_id=project_id).order_by("-number").first()
        first = last.last + 1 if last else 1
        digests = [digest_of([*row[1:11], *row[12:15], _decoded(row[15])]) for row in rows]
        _number(cursor, [row[0] for row in rows], first, digests)
        LedgerBatch.objects.create(
            project_id=project_id,
            number=last.number + 1 if last else 1,
            first=first,
            last=first + len(rows) - 1,
            digest=chain(bytes(last.digest) if last else b"", digests),
        )
        items = [row[11] for row in rows]
        if follow is not None:
            follow(items)
    return items


def chain(before: bytes, digests: list[bytes]) -> bytes:
    return hashlib.sha256(before + b"".join(digests)).digest()


def _number(cursor: Any, annotation_ids: list[int], first: int, digests: list[bytes]) -> None:
    positions = list(range(first, first + len(annotation_ids)))
    cursor.execute(
        """
        UPDATE annotator_ledgerentry e SET position = new.position, digest = new.digest
        FROM unnest(%s::bigint[], %s::bigint[], %s::bytea[]) AS new(id, position, digest)
        WHERE e.annotation_id = new.id
        """,
        [annotation_ids, positions, digests],
    )


def verify(project: Project) -> list[str]:
    """Walk the chain from its beginning; returns one sentence per break, none when it is whole."""
    breaks: list[str] = []
    before, expected = b"", 1
    for batch in LedgerBatch.objects.filter(project=project).order_by("number").iterator():
        digests = _digests(project, batch, breaks)
        if batch.first != expected or len(digests) != batch.last - batch.first + 1:
            breaks.append(f"Batch {batch.number} has a gap at position {expected}.")
        if chain(before, digests) != bytes(batch.digest):
            breaks.append(f"Batch {batch.number} does not match its hash.")
        before, expected = bytes(batch.digest), batch.last + 1
    stray = LedgerEntry.objects.filter(project=project, position__gte=expected).count()
    if stray:
        breaks.append(f"{stray} positions lie beyond the last sealed batch.")
    return breaks


def _digests(project: Project, batch: LedgerBatch, breaks: list[str]) -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute(CONTENT, [project.pk, batch.first, batch.last])
        rows = cursor.fetchall()
    breaks.extend(
        f"The annotation at position {row[0]} was changed after it was sealed."
        for row in rows
        if row[2] is None and digest_of([*row[3:-1], _decoded(row[-1])]) != bytes(row[1])
    )
    return [bytes(row[1]) for row in rows]
