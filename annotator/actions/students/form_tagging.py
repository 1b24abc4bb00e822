"""What a form's student marks: a tagger for each question that asks to mark the text, within its version.

A tagger learns from the texts that were asked its question; of others nothing is known. So what it says
holds where the question is asked, as the shares of labels do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.students import marked_lessons, origins, tagging
from annotator.models import Encoding, Project, StudentVersion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.taggers import Tagger
    from learning.taggers.types import Tagged, Words
    from learning.tasks import Question

# The figure of a version's marks: F1 of spans, the mean of the questions that mark.
FIGURE = "marked_f1"


def learn(run: jobs.Run, encoding: Encoding, folder: Path) -> dict[str, float]:
    """Train a tagger for each question that marks, let it mark the pool, and measure it.

    Nothing is learnt of marks under an encoder without words, or while too few are known.
    """
    from learning.errors import ParameterError

    try:
        words = reading_words.read(run, encoding)
    except ParameterError:
        return {}
    figures = [
        found
        for question in encoding.project.task.marking
        if (found := _learn_one(run, words, question, _folder(folder, question))) is not None
    ]
    return {FIGURE: sum(figures) / len(figures)} if figures else {}


def _learn_one(run: jobs.Run, words: Words, question: Question, folder: Path) -> float | None:
    """Teach one question's tagger; its F1 of spans, None where it is too early to say."""
    import numpy as np

    from learning.taggers.pool import save_tagged, tag_pool

    lesson = marked_lessons.gather(run.project, words, question)
    if lesson is None:
        return None
    rng = np.random.default_rng(origins.seed_of(run.project.pk, lesson))
    tagger: Tagger = tagging.QUICK.plugin()
    fitted = tagger.fit(
        lesson.data, rng, lambda at, of: run.progress(at, of, f"Learning to mark: {question.name}")
    )
    fitted.save(folder)
    said = tag_pool(fitted, words, lambda at, of: run.progress(at, of, f"Marking: {question.name}"))
    save_tagged(folder / "pool", said)
    return tagging.evaluate(run, lesson, tagger, said, rng).metrics.get("span_f1")


def _folder(folder: Path, question: Question) -> Path:
    return folder / "marks" / question.key


def said_by(version: StudentVersion, project: Project) -> dict[int, Tagged]:
    """What the taggers of a version say of the pool, by the place of their question in the form."""
    from learning.taggers.pool import load_tagged

    own = students_folder(project.pk) / version.folder
    task = project.task
    marking = {one.key for one in task.marking}
    return {
        place: load_tagged(_folder(own, one) / "pool")
        for place, one in enumerate(task.questions)
        if one.key in marking and _folder(own, one).is_dir()
    }


def margins(said: Tagged, rows: int) -> NDArray[np.float32]:
    """(rows,) how sure it is of what it marks; items that came later are not in doubt because of it."""
    import numpy as np

    found = np.ones(rows, dtype=np.float32)
    found[: said.texts] = np.asarray(said.margins)[:rows]
    return found
