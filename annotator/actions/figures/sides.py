"""How far the place where a text is shown sways a voice that chooses between two: people by the order that chance
drew for them, teachers by asking both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.projects.schema import sides_of
from annotator.models import Annotator, Project, Teacher, TeacherAnswer, TeacherRunKind

if TYPE_CHECKING:
    from learning.consensus.order import OrderEffect

# An answer that compares two texts several times counts once, for the text that it found better more often:
# what one person says of one item hangs together.
_CHOSEN = """
WITH said AS (
    SELECT a.annotator_id, a.value->>'shown' = 'ab' AS own, (
        SELECT count(*) FILTER (WHERE l = ANY(%(firsts)s::bigint[]))
             - count(*) FILTER (WHERE l = ANY(%(seconds)s::bigint[])) FROM unnest(a.labels) l
    ) AS ahead
    FROM annotator_annotation a JOIN annotator_annotator v ON v.id = a.annotator_id
    WHERE a.project_id = %(project)s AND a.kind = 'answer' AND v.kind <> 'teacher'
      AND (%(voice)s::bigint IS NULL OR a.annotator_id = %(voice)s)
      AND a.value ? 'shown' AND a.labels && (%(firsts)s::bigint[] || %(seconds)s::bigint[])
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
)
SELECT annotator_id, count(*), count(*) FILTER (WHERE (ahead > 0) = own)
FROM said WHERE ahead <> 0 GROUP BY annotator_id
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

    return {pk: OrderEffect.of(won, count) for pk, count, won in _chosen(project, voice)}


def effect(project: Project) -> OrderEffect | None:
    """Of all these voices together; None while none of them has chosen."""
    from learning.consensus.order import OrderEffect

    found = _chosen(project)
    answers = sum(count for _, count, _ in found)
    return OrderEffect.of(sum(won for *_, won in found), answers) if answers else None


def _chosen(project: Project, voice: Annotator | None = None) -> list[tuple[int, int, int]]:
    """(voice, its answers for one of two texts, those among them for the one that was shown first)."""
    sides = sides_of(project)
    if not sides:
        return []
    firsts, seconds = (list(each) for each in zip(*sides, strict=True))
    asked: dict[str, Any] = {"project": project.pk, "firsts": firsts, "seconds": seconds}
    with connection.cursor() as cursor:
        cursor.execute(_CHOSEN, {**asked, "voice": None if voice is None else voice.pk})
        found: list[tuple[int, int, int]] = cursor.fetchall()
    return found


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
