"""How far the place where a text is shown sways a voice that chooses between two: people by the order that chance
drew for them, teachers by asking both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.projects.schema import columns_of
from annotator.models import Annotator, Project, Teacher, TeacherAnswer, TeacherRunKind

if TYPE_CHECKING:
    from learning.consensus.order import OrderEffect

_CHOSEN = """
SELECT a.annotator_id, count(*),
       count(*) FILTER (WHERE (a.labels[1] = %(first)s) = (a.value->>'shown' = 'ab'))
FROM annotator_annotation a JOIN annotator_annotator v ON v.id = a.annotator_id
WHERE a.project_id = %(project)s AND a.kind = 'answer' AND v.kind <> 'teacher'
  AND (%(voice)s::bigint IS NULL OR a.annotator_id = %(voice)s)
  AND a.value ? 'shown' AND a.labels[1] = ANY(%(sides)s::bigint[])
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
GROUP BY a.annotator_id
"""


@dataclass(frozen=True, kw_only=True)
class AskedBothWays:
    """What a teacher said to `asked` items in both orders of their texts: the text that was shown first or second
    each time on `first` and `second` of them. low, high: the 95 % interval of their share.
    """

    asked: int
    first: int
    second: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return (self.first + self.second) / self.asked

    @property
    def is_told(self) -> bool:
        """Whether it is the place that sways it: whoever guesses takes each place twice equally often."""
        from learning.consensus.order import OrderEffect

        twice = self.first + self.second
        return twice > 0 and OrderEffect.of(self.first, twice).is_told


def effects(project: Project, voice: Annotator | None = None) -> dict[int, OrderEffect]:
    """By voice that is no teacher, of its answers for one of two texts; none where texts have no sides.

    voice: only this one is asked about.
    """
    from learning.consensus.order import OrderEffect

    if not project.task.sided:
        return {}
    sides = list(columns_of(project, with_archived=True).label_ids[:2])
    with connection.cursor() as cursor:
        alone = None if voice is None else voice.pk
        asked: dict[str, Any] = {"project": project.pk, "first": sides[0], "sides": sides}
        cursor.execute(_CHOSEN, {**asked, "voice": alone})
        return {pk: OrderEffect.of(won, count) for pk, count, won in cursor.fetchall()}


def asked_both_ways(teacher: Teacher, fingerprint: str) -> AskedBothWays | None:
    """Of the answers with these settings, trials among them; None while it was not asked so."""
    from learning.metrics import wilson
    from learning.teachers.both_ways import BOTH_WAYS, FIRST_TWICE, SECOND_TWICE

    rows = TeacherAnswer.objects.filter(
        run__teacher=teacher, fingerprint=fingerprint, flags__contains=[BOTH_WAYS]
    )
    said = rows.exclude(run__kind=TeacherRunKind.QUALIFY)
    answered = said.filter(abstained="").count()
    first, second = (
        said.filter(flags__contains=[mark]).count() for mark in (FIRST_TWICE, SECOND_TWICE)
    )
    asked = answered + first + second
    if not asked:
        return None
    low, high = wilson(first + second, asked)
    return AskedBothWays(asked=asked, first=first, second=second, low=low, high=high)
