"""How well a voice's marks meet those of others: F1 of spans, with intervals from drawing items again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from django.db import connection

from annotator.models import Project

if TYPE_CHECKING:
    import numpy as np

    from learning.audit.intervals import Estimate
    from learning.spans import Span

SEED = 0

# Of an answer `a`: whether another voice answered the item otherwise than to settle a doubt of it.
# Reviewers see what looks wrong, and of those items alone a voice would look worse than it is; the
# cases that chance drew among them tell of all.
NOT_DOUBTED_ALONE: LiteralString = """
    (NOT EXISTS (SELECT 1 FROM annotator_annotation r
                 WHERE r.item_id = a.item_id AND r.stream = 'review')
     OR EXISTS (SELECT 1 FROM annotator_flag f WHERE f.item_id = a.item_id AND f.kind = 'random')
     OR EXISTS (SELECT 1 FROM annotator_annotation o
                JOIN annotator_annotator other ON other.id = o.annotator_id
                WHERE o.item_id = a.item_id AND o.annotator_id <> a.annotator_id
                  AND o.kind = 'answer' AND o.stream <> 'review' AND other.kind <> 'teacher'))
"""
# Per voice and item: spans that are in the verdict too, spans said, spans of the verdict; equal
# items are told once, with how many there are, so that what is read does not grow with the project.
_AGAINST_VERDICTS: LiteralString = f"""
SELECT annotator_id, common, said, decided, count(*) FROM (
    SELECT a.annotator_id,
           jsonb_array_length(a.value -> 'spans') AS said,
           jsonb_array_length(v.value -> 'spans') AS decided,
           (SELECT count(*) FROM jsonb_array_elements(a.value -> 'spans') one
            WHERE v.value -> 'spans' @> jsonb_build_array(one)) AS common
    FROM annotator_annotation a
    JOIN annotator_annotator voice ON voice.id = a.annotator_id
    JOIN annotator_item i ON i.id = a.item_id
    JOIN annotator_verdict v ON v.item_id = a.item_id AND v.state = 'decided'
        AND (v.voices > 1 OR (voice.kind = 'teacher' AND i.answers > 0))
    WHERE v.project_id = %s AND a.kind = 'answer' AND a.question_id IS NULL
      AND a.value IS NOT NULL AND v.value IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
      AND {NOT_DOUBTED_ALONE}
) each_item GROUP BY annotator_id, common, said, decided
"""  # noqa: S608 - of our own text


@dataclass(frozen=True, kw_only=True)
class MarkScore:
    """A voice's marks against the true ones, of all items together.

    f1: both edges and the label right; near_f1: a pair of equal label counts by its overlap.
    precision: of the marks it made the right ones; recall: of the true ones those that it made.
    """

    f1: Estimate
    near_f1: Estimate
    precision: Estimate
    recall: Estimate


def score(truth: Sequence[Sequence[Span]], said: Sequence[Sequence[Span]]) -> MarkScore:
    """Item by item what is true and what was said."""
    from learning.spans.scores import counts, near_counts

    exact = counts(truth, said)
    return MarkScore(
        f1=_f1(exact),
        near_f1=_f1(near_counts(truth, said)),
        precision=_share_of(exact, 1),
        recall=_share_of(exact, 2),
    )


def agreement(project: Project) -> dict[int, Estimate]:
    """Per voice, the F1 of its marks with those of the verdicts, on items that others answered too."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_AGAINST_VERDICTS, [project.pk])
        found: dict[int, list[tuple[int, ...]]] = {}
        for voice, *row in cursor.fetchall():
            found.setdefault(voice, []).append(tuple(row))
    tables = {voice: np.array(sorted(rows), dtype=np.int64) for voice, rows in found.items()}
    return {voice: _f1(rows[:, :3], rows[:, 3]) for voice, rows in tables.items()}


def _share_of(table: np.ndarray, column: int) -> Estimate:
    """The right ones among the spans that this column counts."""
    from learning.audit.intervals import NOTHING

    # F1 of the column against itself: 2 right / (all + all).
    return _f1(table[:, [0, column, column]]) if table[:, column].any() else NOTHING


def _f1(table: np.ndarray, times: np.ndarray | None = None) -> Estimate:
    import numpy as np

    from learning.audit.intervals import Estimate
    from learning.spans.scores import f1_interval, micro_f1

    low, high = f1_interval(table, np.random.default_rng(SEED), times=times)
    n = len(table) if times is None else int(times.sum())
    return Estimate(value=micro_f1(table, times), low=low, high=high, n=n)
