"""How far what teachers wrote about an item lies apart: found when a text is entered, so that choosing items
compares none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from statistics import fmean
from typing import TYPE_CHECKING

from django.db import connection

from annotator.models import Annotation, AnnotatorKind, Project, TeacherAnswer, TeacherRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOCK = 7_008
# Characters of a text that are compared: a pair takes a hundredth of a second then, at most.
COMPARED = 2_000
# Teachers whose texts are compared, those that wrote last: every two of them, each time one writes.
MOST = 5

# Of each item the last text that stands, which was compared with all others.
_APART = """
SELECT DISTINCT ON (t.item_id) i.number, (t.value->>'apart')::float8
FROM annotator_teacheranswer t JOIN annotator_item i ON i.id = t.item_id
WHERE t.project_id = %s AND i.project_id = %s AND i.open AND i.number < %s
  AND t.value ? 'text' AND t.annotation_id IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = t.annotation_id)
ORDER BY t.item_id, t.id DESC
"""


def note(run: TeacherRun, rows: Sequence[TeacherAnswer]) -> None:
    """Keep with each text how far the latest texts of all teachers on its item now lie apart: the mean share
    of edits over each two, null while there is no other.

    Of two runs that enter texts at once the second waits for the first, so that neither misses the other.
    """
    written = [row for row in rows if row.value and "text" in row.value]
    if not written:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, run.project_id])
    others = _others(run, [row.item_id for row in written])
    for row in written:
        if row.value is not None:
            row.value["apart"] = _mean([row.value["text"], *others[row.item_id][: MOST - 1]])


def apart(project: Project, below: int) -> NDArray[np.float32]:
    """(below,) by item number; NaN where fewer than two teachers wrote."""
    import numpy as np

    found = np.full(below, np.nan, dtype=np.float32)
    with connection.cursor() as cursor:
        cursor.execute(_APART, [project.pk, project.pk, below])
        for number, far in cursor.fetchall():
            found[number] = np.nan if far is None else far
    return found


def _others(run: TeacherRun, items: Sequence[int]) -> dict[int, list[str]]:
    """The latest texts of the project's other teachers, by item, the last written first."""
    said = Annotation.objects.filter(
        project=run.project_id,
        item__in=items,
        annotator__kind=AnnotatorKind.TEACHER,
        value__has_key="text",
    ).exclude(annotator=run.teacher.voice_id)
    found: dict[int, list[str]] = defaultdict(list)
    latest = said.standing().order_by("-pk")
    for item, text in latest.values_list("item", "value__text"):
        found[item].append(text)
    return found


def _mean(texts: Sequence[str]) -> float | None:
    from learning import edits

    if len(texts) < 2:
        return None
    pairs = combinations((text[:COMPARED] for text in texts), 2)
    return round(fmean(edits.apart(one, other) for one, other in pairs), 4)
