"""How often voices agree with what was decided, where somebody else had a say too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from django.db import connection

from annotator.actions.figures import marking, ordered, worded
from annotator.models import Project, Shape

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# Fewer shared items than this say nothing about a voice.
FEWEST = 5

_AGREEMENT: LiteralString = f"""
SELECT a.annotator_id, count(*),
       count(*) FILTER (WHERE a.labels @> v.labels AND v.labels @> a.labels
                          AND (v.value IS NULL OR a.value - 'shown' = v.value))
FROM annotator_annotation a
JOIN annotator_annotator voice ON voice.id = a.annotator_id
-- A teacher is no voice of the verdict, so one other voice is somebody else already.
JOIN annotator_verdict v ON v.item_id = a.item_id AND v.state = 'decided'
    AND (v.voices > 1 OR voice.kind = 'teacher')
WHERE v.project_id = %s AND a.kind = 'answer' AND a.question_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
  AND {marking.NOT_DOUBTED_ALONE}
GROUP BY a.annotator_id
"""  # noqa: S608 - of our own text


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Of `shared` items that others answered too, `share` were decided as this voice said; where
    answers mark spans, the F1 of its marks with those that were decided, where they are orders the share
    of pairs of candidates, where they are texts how near they are, and `same` is None.
    """

    shared: int
    same: int | None
    share: float
    low: float
    high: float

    @property
    def enough(self) -> bool:
        return self.shared >= FEWEST


def agreement(project: Project) -> dict[int, Agreement]:
    """Per voice; one statement. The interval is Wilson's at 95 %, of F1, pairs and texts by drawing items
    again."""
    from learning.metrics import wilson

    if project.shape == Shape.SPANS:
        return {voice: _of_parts(found) for voice, found in marking.agreement(project).items()}
    if project.task.ranked:
        return {voice: _of_parts(found) for voice, found in ordered.agreement(project).items()}
    if project.task.written:
        return {voice: _of_parts(found) for voice, found in worded.agreement(project).items()}
    with connection.cursor() as cursor:
        cursor.execute(_AGREEMENT, [project.pk])
        rows = cursor.fetchall()
    found = {}
    for annotator, shared, same in rows:
        low, high = wilson(same, shared)
        found[annotator] = Agreement(
            shared=shared, same=same, share=same / shared, low=low, high=high
        )
    return found


def _of_parts(found: Estimate) -> Agreement:
    share = found.value or 0.0
    return Agreement(shared=found.n, same=None, share=share, low=found.low, high=found.high)
