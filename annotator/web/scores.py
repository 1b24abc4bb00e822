"""How often voices agree with what was decided, where somebody else had a say too."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from annotator.models import Project

# Fewer shared items than this say nothing about a voice.
FEWEST = 5

_AGREEMENT = """
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
GROUP BY a.annotator_id
"""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Of `shared` items that others answered too, `same` were decided as this voice said."""

    shared: int
    same: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.same / self.shared

    @property
    def enough(self) -> bool:
        return self.shared >= FEWEST


def agreement(project: Project) -> dict[int, Agreement]:
    """Per voice; one statement. The interval is Wilson's at 95 %."""
    from learning.metrics import wilson

    with connection.cursor() as cursor:
        cursor.execute(_AGREEMENT, [project.pk])
        rows = cursor.fetchall()
    found = {}
    for annotator, shared, same in rows:
        low, high = wilson(same, shared)
        found[annotator] = Agreement(shared=shared, same=same, low=low, high=high)
    return found
