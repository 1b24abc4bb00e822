"""The one transaction in which staged rows become items, answers and suggestions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.db import connection
from django.db.models.functions import Now

from annotator import jobs, outbox
from annotator.actions.encoders.encoding import wish_encoding
from annotator.actions.figures import estimating
from annotator.actions.imports import marking
from annotator.actions.imports.indexing import wish_index
from annotator.actions.imports.staging import Stage
from annotator.actions.projects import schema
from annotator.actions.queue import auditing
from annotator.actions.verdicts import settling
from annotator.models import Annotator, AnnotatorKind, BatchState, ImportBatch, Project

EXAMPLES = 20
NO_TWINS: dict[str, Any] = {"in_file": 0, "in_project": 0, "kept": False, "examples": []}
# All import voices of an item together stay below a person's single answer: a file has half of what
# those before it left.
VOTES_SHARE = 0.5

_TWINS = """
CREATE TEMPORARY TABLE staged_twin ON COMMIT DROP AS
SELECT row, first_row, twin FROM (
    SELECT s.row, min(s.row) OVER (PARTITION BY s.content_hash) AS first_row,
           (SELECT min(i.number) FROM annotator_item i
            WHERE i.project_id = %(project)s AND i.content_hash = s.content_hash
              AND i.removed_at IS NULL) AS twin
    FROM staged_item s
) found WHERE twin IS NOT NULL OR row <> first_row
"""
_DROP_TWINS = "DELETE FROM staged_item s USING staged_twin t WHERE t.row = s.row"
_ITEMS = """
INSERT INTO annotator_item (
    id, project_id, number, batch_id, external_id, text, text_b, candidates, image, meta, content_hash,
    order_key, part, open, answers, created_at
)
SELECT s.item_id, %(project)s, %(first)s + row_number() OVER (ORDER BY s.row) - 1, %(batch)s,
       s.external_id, s.text, s.text_b, s.candidates, s.image, s.meta, s.content_hash, random(), '',
       true_label.row IS NULL, 0, now()
FROM staged_item s
LEFT JOIN (SELECT DISTINCT row FROM staged_answer WHERE %(truth)s AND NOT prediction) true_label
    ON true_label.row = s.row
"""
_SETS = """
CREATE TEMPORARY TABLE staged_ids ON COMMIT DROP AS
SELECT s.id, coalesce(array_agg(l.label_id ORDER BY l.label_id)
                      FILTER (WHERE l.label_id IS NOT NULL), '{}')::bigint[] AS labels
FROM staged_set s
LEFT JOIN LATERAL unnest(s.labels) AS part(number) ON true
LEFT JOIN unnest(%(numbers)s::int[], %(labels)s::bigint[]) AS l(number, label_id)
    ON l.number = part.number
GROUP BY s.id
"""
# A value with the labels' ids in place of the file's numbers, in its canonical order; one that names no
# label as it is.
_VALUE = """CASE WHEN a.value ? 'boxes' THEN jsonb_build_object('boxes', coalesce((
    SELECT jsonb_agg(box ORDER BY (box->>'x')::numeric, (box->>'y')::numeric, (box->>'w')::numeric,
                     (box->>'h')::numeric, (box->>'label')::bigint)
    FROM (SELECT DISTINCT one || jsonb_build_object('label', n.label_id) AS box, n.label_id
          FROM jsonb_array_elements(a.value->'boxes') one
          JOIN unnest(%(numbers)s::int[], %(labels)s::bigint[]) AS n(number, label_id)
            ON n.number = (one->>'label')::int) marked {which}), '[]'))
WHEN NOT a.value ? 'spans' THEN a.value
WHEN a.value IS NOT NULL THEN (a.value - 'spans') || jsonb_build_object('spans', coalesce((
    SELECT jsonb_agg(jsonb_build_object('start', first, 'end', last, 'label', label_id)
                     ORDER BY first, last, label_id)
    FROM (SELECT DISTINCT (one->>'start')::int AS first, (one->>'end')::int AS last, n.label_id
          FROM jsonb_array_elements(a.value->'spans') one
          JOIN unnest(%(numbers)s::int[], %(labels)s::bigint[]) AS n(number, label_id)
            ON n.number = (one->>'label')::int) marked {which}), '[]')) END"""
_ANNOTATIONS = f"""
INSERT INTO annotator_annotation (
    uuid, project_id, item_id, annotator_id, kind, stream, labels, value, comment, reason, extra,
    blind, created_at
)
SELECT overlay(%(uuid)s PLACING lpad(to_hex(row_number() OVER (ORDER BY a.row, a.voice)), 12, '0')
               FROM 25)::uuid,
       %(project)s, s.item_id, v.annotator_id, 'answer', 'import', l.labels, {_VALUE.format(which="")},
       '', '', false, false, now()
FROM staged_answer a
JOIN staged_item s ON s.row = a.row
JOIN staged_ids l ON l.id = a.labels
JOIN unnest(%(voices)s::int[], %(annotators)s::bigint[]) AS v(voice, annotator_id)
    ON v.voice = a.voice
WHERE NOT a.prediction
ORDER BY a.row, a.voice
"""  # noqa: S608 - of our own text
_SUGGESTIONS = f"""
INSERT INTO annotator_suggestion (project_id, item_id, annotator_id, label_id, probability, value)
SELECT %(project)s, s.item_id, v.annotator_id, label.id, a.score,
       {_VALUE.format(which="WHERE label_id = label.id")}
FROM staged_answer a
JOIN staged_item s ON s.row = a.row
JOIN staged_ids l ON l.id = a.labels
JOIN unnest(%(voices)s::int[], %(annotators)s::bigint[]) AS v(voice, annotator_id)
    ON v.voice = a.voice
CROSS JOIN LATERAL unnest(l.labels) AS label(id)
WHERE a.prediction OR %(all)s
ON CONFLICT DO NOTHING
"""  # noqa: S608 - of our own text


@dataclass(frozen=True, kw_only=True)
class Landed:
    """What the transaction did."""

    items: int
    answers: int
    suggestions: int
    duplicates: dict[str, Any]
    new_labels: list[str]


def land(run: jobs.Run, batch: ImportBatch, stage: Stage, report: dict[str, Any]) -> Landed:
    """Commit the staged rows in one transaction that only the job's present owner can commit.

    Follow-up work (audit cut, encoding, text index, sealing) is asked for in the same transaction.
    """
    with run.fence(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        project = _locked_project(run)
        cursor.execute("ANALYZE staged_item, staged_answer, staged_set")
        first = project.item_count
        items, duplicates, left = 0, NO_TWINS, 1.0
        if stage.makes_items:
            duplicates = _find_twins(cursor, project, keep=batch.options["duplicates"] == "keep")
            items = _insert_items(cursor, project, batch, first)
        else:
            left -= marking.weight_before(cursor)
            if batch.options["labels"] == "truth":
                marking.close(cursor)
        new_labels = _create_labels(project, stage)
        annotators = _voices(project, batch, stage, VOTES_SHARE * left)
        answers, suggestions = _insert_labels(cursor, project, batch, stage, annotators)
        if not stage.makes_items:
            report["marked_by"] = [one.pk for one in annotators.values()]
        Project.objects.filter(pk=project.pk).update(item_count=first + items)
        project.item_count = first + items
        landed = Landed(
            items=items,
            answers=answers,
            suggestions=suggestions,
            duplicates=duplicates,
            new_labels=new_labels,
        )
        _finish(batch, first, landed, report)
        _follow_up(project, landed)
    return landed


def _locked_project(run: jobs.Run) -> Project:
    """Lock the row that parts two imports: numbers are dense, and both look for duplicates."""
    project = (
        Project.objects.active().select_for_update(no_key=True).filter(pk=run.project.pk).first()
    )
    if project is None:
        raise jobs.CancelledError("The project was deleted while its import ran.")
    return project


def _find_twins(cursor: Any, project: Project, *, keep: bool) -> dict[str, Any]:
    """Note every row that repeats an earlier one of the file or an item of the project."""
    cursor.execute(_TWINS, {"project": project.pk})
    cursor.execute("SELECT count(*), count(twin) FROM staged_twin")
    total, in_project = cursor.fetchone()
    cursor.execute(
        """
        SELECT t.row, t.first_row, t.twin, left(coalesce(nullif(s.text, ''), s.external_id), 120)
        FROM staged_twin t JOIN staged_item s ON s.row = t.row ORDER BY t.row LIMIT %s
        """,
        [EXAMPLES],
    )
    examples = [
        {
            "row": row,
            "same_as_row": None if twin is not None else first,
            "same_as_item": twin,
            "text": text,
        }
        for row, first, twin, text in cursor.fetchall()
    ]
    return {
        "in_file": total - in_project,
        "in_project": in_project,
        "kept": keep,
        "examples": examples,
    }


def _insert_items(cursor: Any, project: Project, batch: ImportBatch, first: int) -> int:
    values = {
        "project": project.pk,
        "batch": batch.pk,
        "first": first,
        "truth": batch.options["labels"] == "truth",
    }
    if batch.options["duplicates"] == "skip":
        cursor.execute(_DROP_TWINS)
    cursor.execute(_ITEMS, values)
    return int(cursor.rowcount)


def _create_labels(project: Project, stage: Stage) -> list[str]:
    """Add the file's new labels to the schema, the most frequent first."""
    book = stage.book
    places = [place for place, pk in enumerate(book.ids) if pk is None]
    places.sort(key=lambda place: (-book.counts[place], place))
    names = [book.names[place] for place in places]
    if names:
        made = schema.add_labels(project, [(name, "", "", "") for name in names])
        for place, label in zip(places, made, strict=True):
            book.ids[place] = label.pk
    return names


def _insert_labels(
    cursor: Any,
    project: Project,
    batch: ImportBatch,
    stage: Stage,
    annotators: dict[int, Annotator],
) -> tuple[int, int]:
    if not stage.voices:
        return 0, 0
    mode = batch.options["labels"]
    values = {
        "project": project.pk,
        "numbers": list(range(len(stage.book.ids))),
        "labels": stage.book.ids,
        "voices": list(annotators),
        "annotators": [annotator.pk for annotator in annotators.values()],
        "all": mode == "suggestions",
        # The answers of one import share all but the end: drawing one for each costs more time.
        "uuid": str(uuid4()),
    }
    cursor.execute(_SETS, values)
    answers = 0
    if mode != "suggestions":
        cursor.execute(_ANNOTATIONS, values)
        answers = int(cursor.rowcount)
    cursor.execute(_SUGGESTIONS, values)
    suggestions = int(cursor.rowcount)
    return answers, suggestions


def _voices(
    project: Project, batch: ImportBatch, stage: Stage, weight: float
) -> dict[int, Annotator]:
    """Make an import annotator for each voice of the file, of this weight together: {its number: annotator}."""
    base = (batch.options.get("voice") or batch.file_name)[:100]
    if Annotator.objects.filter(
        project=project, kind=AnnotatorKind.IMPORT, name__startswith=base
    ).exists():
        base = f"{base} ({batch.pk})"
    found: dict[int, Annotator] = {}
    for voice, number in stage.voices.items():
        found[number] = Annotator.objects.create(
            project=project,
            kind=AnnotatorKind.IMPORT,
            name=(f"{base} · {voice}" if voice else base)[:150],
            weight=weight / len(stage.voices),
            truth=batch.options["labels"] == "truth",
        )
    return found


def _finish(batch: ImportBatch, first: int, landed: Landed, report: dict[str, Any]) -> None:
    report |= {
        "duplicates": landed.duplicates,
        "answers": landed.answers,
        "suggestions": landed.suggestions,
        "new_labels": landed.new_labels[:1_000],
    }
    ImportBatch.objects.filter(pk=batch.pk).update(
        state=BatchState.DONE,
        report=report,
        rows_read=report["rows"],
        items_added=landed.items,
        first_number=first,
        finished_at=Now(),
    )
    told = {
        "import": batch.pk,
        "rows": report["rows"],
        "items": landed.items,
        "answers": landed.answers,
    }
    outbox.note(batch.project_id, "import.finished", {**told, "path": f"imports/{batch.pk}"})


def _follow_up(project: Project, landed: Landed) -> None:
    auditing.recut(project)
    if project.current_student_id:
        estimating.wish(project)
    if landed.items:
        wish_encoding(project)
        wish_index(project)
    if landed.answers:
        settling.wish(project)
