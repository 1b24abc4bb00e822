"""Prove the invariants of a live system, one sentence each; nothing is changed or mended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection, transaction

from annotator.actions.desk import assigning
from annotator.actions.encoders.encoding import current_encoding, open_matrix, students_folder
from annotator.actions.exports import exporting
from annotator.actions.routing import proving
from annotator.actions.students import distilling
from annotator.actions.students.lessons import gather
from annotator.actions.verdicts import sealing
from annotator.models import (
    Encoding,
    Job,
    LedgerEntry,
    Project,
    Snapshot,
    SnapshotState,
    StudentState,
    StudentVersion,
)

# What the sweeper and a worker may take to pick up a job whose worker died
PICK_UP_SECONDS = 60
SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One invariant: whether it holds, what was seen, and what to do when it does not."""

    name: str
    ok: bool
    seen: str
    remedy: str = ""
    project: int | None = None


def examine(project: Project | None = None, *, deep: bool = False) -> Iterator[Finding]:
    """Check every invariant of one project, or of the whole system; `deep` writes snapshots anew."""
    if project is None:
        yield _jobs()
        yield _leases()
        yield _orphans()
    for each in [project] if project else Project.objects.active().order_by("pk"):
        for name, check in CHECKS.items():
            with _one_moment():
                problems = check(each)
            yield _finding(name, problems, each)
        yield _finding("students", _students(each), each)
        yield _finding("snapshots", _snapshots(each, deep=deep), each)


@contextmanager
def _one_moment() -> Iterator[None]:
    """All statements of the body see the same moment, whatever people are doing meanwhile."""
    with transaction.atomic(), connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def _finding(name: str, problems: list[str], project: Project) -> Finding:
    seen = " ".join(problems[:SHOWN])
    if len(problems) > SHOWN:
        seen += f" And {len(problems) - SHOWN} more."
    return Finding(
        name=name,
        ok=not problems,
        seen=seen or HOLDS[name],
        remedy=REMEDIES[name] if problems else "",
        project=project.pk,
    )


def _jobs() -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, kind FROM annotator_job
            WHERE state = 'running' AND (lease_until IS NULL
                  OR lease_until < now() - %s * interval '1 second')
            ORDER BY id
            """,
            [PICK_UP_SECONDS],
        )
        stuck = [f"Job {pk} ({kind}) runs without a live lease." for pk, kind in cursor.fetchall()]
    live = Job.objects.live().count()
    return Finding(
        name="jobs",
        ok=not stuck,
        seen=" ".join(stuck[:SHOWN]) or f"every running job has a worker; {live} wait or run",
        remedy="Start the workers and the sweeper (manage.py up); they take such jobs up."
        if stuck
        else "",
    )


# Columns whose foreign key the database does not check (docs/decisions/006).
_UNCHECKED = (
    ("annotator_item", "project_id", "annotator_project", "id"),
    ("annotator_item", "batch_id", "annotator_importbatch", "id"),
    ("annotator_annotation", "project_id", "annotator_project", "id"),
    ("annotator_annotation", "item_id", "annotator_item", "id"),
    ("annotator_annotation", "annotator_id", "annotator_annotator", "id"),
    ("annotator_annotation", "question_id", "annotator_label", "id"),
    ("annotator_flag", "word_id", "annotator_annotation", "id"),
    ("annotator_ledgerentry", "project_id", "annotator_project", "id"),
    ("annotator_ledgerentry", "annotation_id", "annotator_annotation", "id"),
)


def _orphans() -> Finding:
    found = []
    with connection.cursor() as cursor:
        for table, column, target, key in _UNCHECKED:
            cursor.execute(
                f"SELECT count(*) FROM {table} r WHERE r.{column} IS NOT NULL AND NOT EXISTS "  # noqa: S608 - our own names
                f"(SELECT 1 FROM {target} t WHERE t.{key} = r.{column})"
            )
            count = cursor.fetchone()[0]
            if count:
                found.append(f"{count} rows of {table} refer by {column} to nothing.")
    return Finding(
        name="references",
        ok=not found,
        seen=" ".join(found) or "every reference leads somewhere",
        remedy="Restore the last backup, or ask for help with this line." if found else "",
    )


def _leases() -> Finding:
    limit = assigning.LEASE_AT_MOST_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM annotator_assignment
            WHERE state = 'leased' AND lease_until > leased_at + %s * interval '1 second'
            ORDER BY id
            """,
            [limit],
        )
        late = [f"Assignment {pk} is leased beyond {limit} s." for (pk,) in cursor.fetchall()]
    return Finding(
        name="leases",
        ok=not late,
        seen=" ".join(late[:SHOWN]) or f"no lease is longer than {limit // 60} minutes",
        remedy="Set lease_until of these rows to now(); then ask who wrote them." if late else "",
    )


def _ledger(project: Project) -> list[str]:
    return sealing.verify(project)


def _positions(project: Project) -> list[str]:
    """Positions run from 1 without a gap, and every annotation has its entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(position), coalesce(max(position), 0), count(*),
                   (SELECT count(*) FROM annotator_annotation a WHERE a.project_id = %s)
            FROM annotator_ledgerentry WHERE project_id = %s
            """,
            [project.pk, project.pk],
        )
        sealed, last, entries, annotations = cursor.fetchone()
    problems = []
    if sealed != last:
        problems.append(f"{sealed} entries are sealed, but the last position is {last}.")
    if entries != annotations:
        problems.append(f"{annotations} annotations were acknowledged, the ledger has {entries}.")
    return problems


def _acknowledged(project: Project) -> list[str]:
    """An assignment marked as answered has a standing answer, and the other way round."""
    return _rows(
        """
        SELECT 'Assignment ' || s.id || ' is answered, but no answer to it stands.'
        FROM annotator_assignment s
        WHERE s.project_id = %(project)s AND s.state = 'answered' AND NOT EXISTS (
            SELECT 1 FROM annotator_annotation a
            WHERE a.assignment_id = s.id AND a.kind = 'answer' AND NOT EXISTS (
                SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id))
        UNION ALL
        SELECT 'Answer ' || a.uuid || ' stands, but its assignment is ' || s.state || '.'
        FROM annotator_annotation a JOIN annotator_assignment s ON s.id = a.assignment_id
        WHERE a.project_id = %(project)s AND a.kind = 'answer' AND NOT a.extra
          AND s.state <> 'answered' AND NOT EXISTS (
            SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
        """,
        project,
    )


def _counters(project: Project) -> list[str]:
    """`answers` of an item counts the standing whole answers that were given for a place of it."""
    return _rows(
        """
        SELECT 'Item number ' || i.number || ' counts ' || i.answers || ' answers, '
               || coalesce(said.n, 0) || ' stand.'
        FROM annotator_item i LEFT JOIN (
            SELECT a.item_id, count(*) AS n FROM annotator_annotation a
            WHERE a.project_id = %(project)s AND a.kind = 'answer' AND NOT a.extra
              AND a.assignment_id IS NOT NULL AND a.question_id IS NULL AND a.stream <> 'gold'
              AND NOT EXISTS (
                SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
            GROUP BY a.item_id) said ON said.item_id = i.id
        WHERE i.project_id = %(project)s AND i.answers <> coalesce(said.n, 0)
        ORDER BY i.number
        """,
        project,
    )


def _overlap(project: Project) -> list[str]:
    """No place of an item is given twice; answers beyond the overlap are marked as extras.

    Places above the present overlap were given while it was larger.
    """
    return _rows(
        """
        SELECT 'Item ' || item_id || ' has its place ' || slot || ' given ' || count(*) || ' times.'
        FROM annotator_assignment
        WHERE project_id = %(project)s
          AND (state = 'answered' OR state = 'leased' AND lease_until >= now())
        GROUP BY item_id, slot, question_id HAVING count(*) > 1
        UNION ALL
        SELECT 'Item ' || item_id || ' was met twice by annotator ' || annotator_id || '.'
        FROM annotator_assignment
        WHERE project_id = %(project)s AND state IN ('leased', 'answered', 'skipped')
        GROUP BY item_id, annotator_id, question_id HAVING count(*) > 1
        """,
        project,
    )


def _items(project: Project) -> list[str]:
    """Numbers run from 0 without a gap, and the project counts its items right."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(i.id), coalesce(max(i.number) + 1, 0), count(i.removed_at),
                   p.item_count, p.removed_count
            FROM annotator_project p LEFT JOIN annotator_item i ON i.project_id = p.id
            WHERE p.id = %s GROUP BY p.id
            """,
            [project.pk],
        )
        count, end, removed, told, told_removed = cursor.fetchone()
    if count != end or count != told or removed != told_removed:
        return [
            f"{count} items end at number {end - 1}, {removed} of them removed; "
            f"the project counts {told} and {told_removed} removed."
        ]
    return []


def _rows(statement: str, project: Project) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"project": project.pk})
        return [row[0] for row in cursor.fetchall()]


def _matrices(project: Project) -> list[str]:
    from learning.errors import LearningError

    problems = []
    for encoding in Encoding.objects.filter(project=project):
        try:
            rows = open_matrix(encoding).rows
        except (LearningError, OSError) as error:
            problems.append(f"The matrix {encoding.fingerprint[:12]} cannot be read: {error}")
            continue
        if rows < encoding.rows:
            problems.append(
                f"The matrix {encoding.fingerprint[:12]} has {rows} rows of {encoding.rows}."
            )
    project.refresh_from_db(fields=["item_count"])
    current = current_encoding(project)
    encoding_now = Job.objects.live().filter(project=project, kind="encode").exists()
    if current is not None and current.rows != project.item_count and not encoding_now:
        problems.append(f"{current.rows} of {project.item_count} items are encoded, and no job is.")
    return problems


def _students(project: Project) -> list[str]:
    from learning.errors import LearningError
    from learning.storage import MANIFEST, read_manifest, sha256_of

    problems = []
    ready = StudentVersion.objects.filter(project=project, state=StudentState.READY)
    for student in ready.exclude(folder="").order_by("number"):
        folder = students_folder(project.pk) / student.folder
        try:
            read_manifest(folder)
            read_manifest(distilling.plain_folder(student))
        except (LearningError, OSError) as error:
            student.refresh_from_db(fields=["folder"])
            if student.folder:  # else it was tidied away while we looked
                problems.append(f"Student {student.number}: {error}")
            continue
        if sha256_of(folder / MANIFEST) != student.digest:
            problems.append(f"Student {student.number} is not the one that was published.")
    return problems


def _lesson(project: Project) -> list[str]:
    """No evaluation or calibration item, nor a duplicate of one, is in the present lesson."""
    encoding = current_encoding(project)
    lesson = gather(project, encoding) if encoding and encoding.rows else None
    if lesson is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.number FROM annotator_item i
            WHERE i.project_id = %(project)s AND i.number = ANY(%(numbers)s)
              AND i.content_hash IN (
                SELECT held.content_hash FROM annotator_item held
                WHERE held.project_id = %(project)s AND held.part IN ('evaluation', 'calibration'))
            ORDER BY i.number
            """,
            {"project": project.pk, "numbers": lesson.numbers.tolist()},
        )
        return [f"Audit item number {number} is trained on." for (number,) in cursor.fetchall()]


def _snapshots(project: Project, *, deep: bool) -> list[str]:
    from annotator.errors import NotFoundError
    from learning.storage import sha256_of

    problems = []
    redacted = LedgerEntry.objects.filter(project=project).exclude(redacted_at=None).exists()
    ready = Snapshot.objects.filter(project=project, state=SnapshotState.READY)
    for snapshot in ready.order_by("pk"):
        try:
            now = sha256_of(exporting.path_of(snapshot))
        except NotFoundError as error:
            problems.append(f"Snapshot {snapshot.pk}: {error.detail}")
            continue
        if now != snapshot.sha256:
            problems.append(f"The file of snapshot {snapshot.pk} was changed.")
        # After a redaction a snapshot cannot be written again, which is what redaction is for.
        elif deep and not redacted and exporting.rebuilt_sha256(snapshot) != snapshot.sha256:
            problems.append(f"Snapshot {snapshot.pk} written again gives other bytes.")
    return problems


CHECKS: dict[str, Callable[[Project], list[str]]] = {
    "ledger": _ledger,
    "positions": _positions,
    "acknowledged": _acknowledged,
    "counters": _counters,
    "overlap": _overlap,
    "items": _items,
    "matrices": _matrices,
    "lesson": _lesson,
    "teachers": proving.acceptances,
}
HOLDS = {
    "ledger": "the chain of hashes is whole",
    "positions": "positions have no gap, and every acknowledged annotation is in the ledger",
    "acknowledged": "every answered lease has its answer",
    "counters": "the counters of items equal the answers that stand",
    "overlap": "no place of an item is given twice, and nobody met an item twice",
    "items": "item numbers have no gap",
    "matrices": "every matrix has its rows",
    "students": "the files of every student are as they were published",
    "lesson": "no evaluation or calibration item is trained on",
    "teachers": proving.HOLDS,
    "snapshots": "every export is as it was written",
}
_RESTORE = "Restore the last good backup (manage.py restore), and keep this one to look into."
REMEDIES = {
    "ledger": f"Somebody changed the ledger behind the product's back. {_RESTORE}",
    "positions": _RESTORE,
    "acknowledged": "Report this with the log: an answer and its lease were not stored together.",
    "counters": "Report this with the log; the queue may ask for an answer too many or too few.",
    "overlap": f"A unique index is damaged: REINDEX the database, or restore. {_RESTORE}",
    "items": f"Matrices would be read at the wrong rows. {_RESTORE}",
    "matrices": "Remove the named files in matrices/ and start an encode job: it writes them anew.",
    "students": "Promote another student, or train again.",
    "lesson": "Report this: figures of this project are not honest until it is mended.",
    "teachers": proving.REMEDY,
    "snapshots": "Take the file from a backup, or export anew.",
}
