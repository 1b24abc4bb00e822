"""What the corrections bought: the student with and without reviewers' words, on the same items."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, open_matrix
from annotator.actions.queue import auditing
from annotator.actions.students import lessons
from annotator.actions.verdicts import verdicts
from annotator.errors import ConflictError
from annotator.models import Job, JobState, Project, Stream, User

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.lessons import Lesson

_CORRECTED = """
SELECT i.number, i.id FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
WHERE v.project_id = %s AND v.source = 'reviewer'
"""


def start(project: Project, user: User) -> Job:
    """Ask for the comparison. Raises ConflictError while one waits or too few items are drawn."""
    reach = auditing.reach(project)
    if reach.usable < auditing.FEWEST_TO_SHOW:
        raise ConflictError(
            f"This is measured on the audit sample: it takes {auditing.FEWEST_TO_SHOW} answered "
            f"evaluation items. {reach.told}".strip()
        )
    with transaction.atomic():
        job = jobs.enqueue(
            "corrections", project=project, key=f"corrections:{project.pk}", started_by=user
        )
    if job is None:
        raise ConflictError("This is being compared already.")
    return job


def last(project: Project) -> dict[str, Any] | None:
    """The latest comparison, None before there was one."""
    done = Job.objects.filter(project=project, kind="corrections", state=JobState.DONE)
    job = done.filter(result__compared=True).order_by("-id").first()
    return None if job is None else job.result | {"finished_at": job.finished_at}


def run_corrections(run: jobs.Run) -> dict[str, Any]:
    """Train one student on the verdicts of now and one as if nobody had reviewed, by the same seed."""
    import numpy as np

    from learning.students import STUDENTS

    project = run.project
    encoding = current_encoding(project)
    lesson = lessons.gather(project, encoding) if encoding is not None else None
    if encoding is None or lesson is None:
        raise ConflictError("Two different labels on encoded items are needed first.")
    former, changed = _uncorrected(project, lesson)
    if not changed:
        return {
            "compared": False,
            "why": "No reviewer has changed a label that students learn from.",
        }
    rights = []
    for step, data in enumerate((former.data, lesson.data)):
        run.progress(step, 2, "Training")
        rng = np.random.default_rng([project.pk, lesson.position])
        fitted = STUDENTS["head"]().fit(data, rng, lambda done, total: run.check())
        rights.append(_right(project, lesson, fitted, open_matrix(encoding).view()))
    run.progress(2, 2, "Comparing")
    return {"compared": True, "changed": changed, "trained_on": len(lesson.numbers)} | _told(
        *rights
    )


def _uncorrected(project: Project, lesson: Lesson) -> tuple[Lesson, int]:
    """The lesson as the votes alone decide it, and how many labels that changes.

    An item that only a reviewer decided is in neither lesson's difference: it keeps its label.
    """
    import numpy as np

    with connection.cursor() as cursor:
        cursor.execute(_CORRECTED, [project.pk])
        items = dict(cursor.fetchall())
    learnt = {number: row for row, number in enumerate(lesson.numbers.tolist()) if number in items}
    before = verdicts.without(project, [items[number] for number in learnt], Stream.REVIEW)
    targets = np.array(lesson.data.targets)
    task = project.task
    changed = 0
    for number, row in learnt.items():
        labels = before.get(items[number])
        if labels is None:
            continue
        fresh = task.encode([labels], lesson.columns)
        if task.usable(fresh)[0] and not np.array_equal(fresh[0] > 0, targets[row] > 0):
            targets[row], changed = fresh[0], changed + 1
    if lesson.data.known is not None:
        targets = np.where(lesson.data.known, targets, 0)
    return replace(lesson, data=replace(lesson.data, targets=targets)), changed


def _right(project: Project, lesson: Lesson, fitted: Any, rows: Any) -> NDArray[np.bool_]:
    """(m,) which evaluation items this student gets right; neither of the two has learnt from any."""
    import numpy as np

    task = project.task
    audited = [(number, labels) for number, labels in lesson.audited if number < len(rows)]
    truth = task.encode([labels for _, labels in audited], lesson.columns)
    kept = np.flatnonzero(task.usable(truth))
    numbers = np.array([number for number, _ in audited], dtype=np.int64)[kept]
    predicted = fitted.predict(np.asarray(rows[numbers], dtype=np.float32))
    return np.asarray(task.correct(truth[kept], predicted), dtype=np.bool_)


def _told(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> dict[str, Any]:
    """Both shares and their difference, paired by item, with the interval of Agresti and Min (2005)."""
    from learning.audit.intervals import CONFIDENCE, normal_quantile
    from learning.metrics import wilson

    n = len(after)
    gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
    more, less, lent = gained + 0.5, lost + 0.5, n + 2  # half a case to each of the four cells
    mean = (more - less) / lent
    spread = normal_quantile(CONFIDENCE) * ((more + less) / lent - mean**2) ** 0.5 / lent**0.5
    return {
        "evaluated_on": n,
        "without": float(before.mean()),
        "without_interval": wilson(int(before.sum()), n),
        "with": float(after.mean()),
        "with_interval": wilson(int(after.sum()), n),
        "difference": (gained - lost) / n,
        "difference_interval": [mean - spread, mean + spread],
    }
