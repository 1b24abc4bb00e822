"""Answers on items that are there: a file that names images of the project."""

from __future__ import annotations

from typing import Any

from django.db import connection

from annotator.actions.imports import media
from annotator.actions.imports.staging import LabelBook, Stage
from annotator.formats.mapping import Mapped
from annotator.formats.marks import IMAGE, SIZE, Pictures
from annotator.formats.records import RowError
from annotator.models import Item, Project

# Width by height may differ by so much from the image's, for rounding.
ASPECT = 0.02
_CLOSE = """
UPDATE annotator_item i SET open = false FROM staged_item s, staged_answer a
WHERE i.id = s.item_id AND a.row = s.row AND NOT a.prediction
"""
_RETRACT = """
INSERT INTO annotator_annotation (
    uuid, project_id, item_id, annotator_id, previous_id, kind, stream, labels, comment, reason,
    extra, blind, created_at
)
SELECT gen_random_uuid(), a.project_id, a.item_id, a.annotator_id, a.id, 'retraction', a.stream,
       '{}', '', '', false, false, now()
FROM annotator_annotation a
WHERE a.project_id = %(project)s AND a.annotator_id = ANY(%(voices)s) AND a.kind = 'answer'
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
ORDER BY a.id
RETURNING item_id
"""
# Only the truth closes an item, and another file's may still stand.
_REOPEN = """
UPDATE annotator_item i SET open = i.answers < %(overlap)s + i.extra_voices
WHERE i.id = ANY(%(items)s) AND i.removed_at IS NULL
  AND EXISTS (SELECT 1 FROM annotator_annotator v WHERE v.id = ANY(%(voices)s) AND v.truth)
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation a
                  JOIN annotator_annotator v ON v.id = a.annotator_id AND v.truth
                  WHERE a.item_id = i.id AND a.kind = 'answer'
                    AND NOT EXISTS (SELECT 1 FROM annotator_annotation later
                                    WHERE later.previous_id = a.id))
"""
# The most that import voices weigh together on one of the staged items already.
_WEIGHT = """
SELECT coalesce(max(weight), 0) FROM (
    SELECT sum(v.weight) AS weight
    FROM staged_item s
    JOIN annotator_annotation a ON a.item_id = s.item_id AND a.kind = 'answer'
    JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind = 'import' AND NOT v.truth
    WHERE NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
    GROUP BY s.item_id
) each_item
"""


class MarkStage(Stage):
    """The rows of a file whose items are there: each goes to the image that it names."""

    columns = "row, item_id"
    makes_items = False

    def __init__(self, project: Project, book: LabelBook, *, suggests: bool = False) -> None:
        super().__init__(project, book, suggests=suggests)
        items = Item.objects.filter(project=project, removed_at=None)
        known = list(items.values_list("pk", "external_id", "image", "meta__name"))
        self._pictures = Pictures((pk, names) for pk, *names in known)
        self._images = {pk: image for pk, _, image, _ in known}
        self._named: set[int] = set()

    def add(self, item: Mapped) -> bool:
        """Take the answers to an image; True when a batch was written.

        Raises RowError where the image is not here, is named twice, or has another shape.
        """
        pk = self._pictures.meant(item.external_id)
        if pk in self._named:
            raise RowError([(IMAGE, f"{item.external_id[:200]} is named twice.")])
        self._check_size(pk, item)
        self.answer(item)
        self._named.add(pk)
        return self.took((item.row, pk), 0)

    def _check_size(self, pk: int, item: Mapped) -> None:
        """Pixels of another picture, or of this one before it was turned upright, would be elsewhere."""
        told = [item.meta.get(side) for side in SIZE]
        size = media.size_of(self.project.pk, self._images[pk])
        if None in told or size is None:
            return
        w, h = (float(str(side)) for side in told)
        wide, high = size
        if abs(wide * h - high * w) > ASPECT * high * w:
            message = f"Its boxes are for {w:g} × {h:g} pixels; the image has {wide} × {high}."
            raise RowError([(SIZE[0], message)])


def close(cursor: Any) -> None:
    """Ask nobody about the staged items again: their answers are the truth."""
    cursor.execute(_CLOSE)


def weight_before(cursor: Any) -> float:
    """What the voices of earlier files weigh together on a staged item, at most; below 1."""
    cursor.execute(_WEIGHT)
    return float(cursor.fetchone()[0])


def take_back(project: Project, voices: list[int]) -> int:
    """Retract what the voices of a file said, and ask people again; how many answers that were."""
    values: dict[str, Any] = {"project": project.pk, "voices": voices, "overlap": project.overlap}
    with connection.cursor() as cursor:
        cursor.execute(_RETRACT, values)
        items = [row[0] for row in cursor.fetchall()]
        cursor.execute(_REOPEN, values | {"items": items})
        cursor.execute(
            "DELETE FROM annotator_suggestion WHERE project_id = %(project)s AND annotator_id = ANY(%(voices)s)",
            values,
        )
    return len(items)
