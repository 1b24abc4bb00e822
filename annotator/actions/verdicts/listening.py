"""Ask students about the items of which they have not learnt, fold by fold."""

from __future__ import annotations

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding
from annotator.actions.students import lessons
from annotator.actions.verdicts.hearing import Words
from annotator.models import Project

FOLDS = 5
# Items that students are fitted on at most, drawn at random; of the others nothing is said.
MOST_TAUGHT = 5_000


def listen(run: jobs.Run, project: Project) -> Words | None:
    """Fit students fold by fold on the verdicts of now; None while there is too little to learn.

    Evaluation and calibration items are in no lesson, so a student never has a say on them.
    """
    import numpy as np

    from learning.errors import NotEnoughDataError
    from learning.students.folds import out_of_fold
    from learning.students.head import Head

    encoding = current_encoding(project)
    lesson = lessons.gather(project, encoding) if encoding and encoding.rows else None
    if lesson is None:
        return None
    rng = np.random.default_rng([project.pk, lesson.position])
    rows = np.flatnonzero(lesson.whole)
    if len(rows) > MOST_TAUGHT:
        rows = np.sort(rng.choice(rows, MOST_TAUGHT, replace=False))
    try:
        folds = out_of_fold(
            Head(),
            lesson.data.subset(rows),
            rng,
            FOLDS,
            lesson.groups[rows],
            lambda done, total: run.check(),
        )
    except NotEnoughDataError:
        return None
    return Words(numbers=lesson.numbers[rows], probabilities=folds.probabilities)
