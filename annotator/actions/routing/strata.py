"""Parts of the pool in which chance drew the seed alike: the items that joined it between two draws.

What was imported after a draw could not come out of it. It has a draw of its own, and stands for no more
than its own part of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from annotator.models import Double, Drawn, Project, Teacher

# By part: how many items there are, and how many of them were drawn for the seed.
_PARTS = """
SELECT width_bucket(i.created_at, %s::timestamptz[]) AS stratum, count(*), count(d.id)
FROM annotator_item i
LEFT JOIN annotator_double d ON d.item_id = i.id AND d.teacher_id = %s AND d.why <> 'check'
    AND i.part NOT IN ('evaluation', 'calibration')
WHERE i.project_id = %s AND i.removed_at IS NULL
GROUP BY 1 ORDER BY 1
"""
_WEIGH = """
UPDATE annotator_double d SET probability = %s
FROM annotator_item i
WHERE i.id = d.item_id AND d.project_id = %s AND d.teacher_id = %s AND d.why <> 'check'
  AND i.part NOT IN ('evaluation', 'calibration')
  AND width_bucket(i.created_at, %s::timestamptz[]) BETWEEN %s AND %s AND d.probability <> %s
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """Of the parts `first` … `last`: so many items, of which so many were drawn."""

    first: int
    last: int
    items: int
    drawn: int

    def with_next(self, other: Part) -> Part:
        """Both together."""
        return Part(
            first=self.first,
            last=other.last,
            items=self.items + other.items,
            drawn=self.drawn + other.drawn,
        )


def draws(project: Project, teacher: Teacher) -> list[datetime]:
    """When the pool was drawn from: at first, and whenever items came from the whole of it since."""
    rows = Double.objects.filter(project=project, teacher=teacher).exclude(why=Drawn.CHECK)
    first = rows.order_by("drawn_at").values_list("drawn_at", flat=True).first()
    at = rows.filter(why=Drawn.RANDOM).values_list("drawn_at", flat=True).distinct()
    return [] if first is None else sorted({first, *at})


def parts(project: Project, teacher: Teacher, at: list[datetime]) -> list[Part]:
    """The parts of the pool between these moments, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, [at, teacher.pk, project.pk])
        return [
            Part(first=part, last=part, items=items, drawn=drawn)
            for part, items, drawn in cursor.fetchall()
        ]


def joined(project: Project, teacher: Teacher, at: list[datetime]) -> Part:
    """What joined the pool after the last of these moments."""
    found = [part for part in parts(project, teacher, at) if part.last == len(at)]
    return found[0] if found and at else Part(first=len(at), last=len(at), items=0, drawn=0)


def weigh(project: Project, teacher: Teacher) -> None:
    """Give each drawn item the share of its part that was drawn, in however many goes: by the size of
    its own go, a single item drawn late would stand for as many as all the others together."""
    at = draws(project, teacher)
    with connection.cursor() as cursor:
        for part in _with_some(parts(project, teacher, at)):
            share = min(1.0, part.drawn / part.items)
            pool = (project.pk, teacher.pk, at)
            cursor.execute(_WEIGH, [share, *pool, part.first, part.last, share])


def _with_some(found: list[Part]) -> list[Part]:
    """Parts of which some items were drawn: one of which none were is taken with the one before it."""
    told: list[Part] = []
    for part in found:
        if told and not (part.drawn and told[-1].drawn):
            told[-1] = told[-1].with_next(part)
        else:
            told.append(part)
    return [part for part in told if part.drawn]
