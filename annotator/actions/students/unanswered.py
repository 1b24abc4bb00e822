"""Items that nobody answered: which of them a student may learn from, and what a head learns from how
they lie.

No item of the random sample is among them, drawn or not yet drawn, nor one of the same content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

from annotator import jobs
from annotator.actions.encoders.encoding import open_matrix
from annotator.actions.queue import auditing
from annotator.actions.students import origins
from annotator.models import Encoding, Project

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.fitting import Learned
    from annotator.actions.students.lessons import Lesson
    from learning.students.head import FittedHead, Head

# Learnt from at most, by chance from all that there are.
MOST_ROWS = 2_000

_UNANSWERED = f"""
SELECT i.number FROM annotator_item i
WHERE i.project_id = %s AND i.number < %s AND i.removed_at IS NULL AND i.answers = 0 AND i.part = ''
  AND NOT EXISTS (
      SELECT 1 FROM annotator_verdict v
      WHERE v.item_id = i.id AND v.state IN ('decided', 'partial'))
  AND NOT {auditing.untrainable_items()}
  AND NOT EXISTS (
      SELECT 1 FROM annotator_item kept
      WHERE kept.project_id = i.project_id AND kept.content_hash = i.content_hash
        AND kept.order_key <= %s)
ORDER BY i.number
"""  # noqa: S608 - only our own condition is put in


def drawn(
    project: Project,
    encoding: Encoding,
    lesson: Learned,
    among: Callable[[list[int]], list[int]] = list,
) -> tuple[list[int], NDArray[np.float32]]:
    """(m item numbers, (m, d) vectors) of what nobody answered, MOST_ROWS at most; the same lesson draws the
    same. `among` leaves out what cannot be used."""
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_UNANSWERED, [project.pk, encoding.rows, project.audit_cutoff])
        numbers = among([number for (number,) in cursor.fetchall()])
    if len(numbers) > MOST_ROWS:
        rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
        numbers = sorted(rng.choice(numbers, MOST_ROWS, replace=False).tolist())
    vectors = vectors_of(encoding, numbers)
    told = vectors.any(axis=1)  # what was redacted has none left
    return np.array(numbers, dtype=np.int64)[told].tolist(), vectors[told]


def learned(
    run: jobs.Run, encoding: Encoding, lesson: Lesson, head: Head, plain: FittedHead
) -> tuple[list[int], FittedHead] | None:
    """(item numbers, head) of the answers and of how unanswered items lie; None where these cannot help."""
    import numpy as np

    from learning.students.unlabelled import Unlabelled

    project, plan = run.project, Unlabelled()
    if not plan.suits(lesson.data):
        return None
    numbers, vectors = drawn(project, encoding, lesson)

    def report(done: int, total: int) -> None:
        run.progress(done, total, "Learning from unanswered items")

    rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
    made = plan.fit(head, plain, lesson.data, vectors, rng, report)
    return None if made is None else (numbers, made)


def vectors_of(encoding: Encoding, numbers: list[int]) -> NDArray[np.float32]:
    """(m, d) float32."""
    import numpy as np

    return np.asarray(open_matrix(encoding).view()[numbers], dtype=np.float32)
