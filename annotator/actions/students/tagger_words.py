"""The current tagger's marks on any item, out of fold on those that it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from annotator import jobs
from annotator.actions.encoders import reading_words
from annotator.actions.explore.searching import predictions_of
from annotator.actions.students import decided_values, marked_lessons
from annotator.actions.students.tagged import said_by
from annotator.models import Encoding, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.students.marked_lessons import MarkedLesson
    from learning.spans import Span
    from learning.students.predictions import Predictions
    from learning.taggers.types import Tagged

# What it learned is marked out of fold, of so many items at most.
MOST_FOLDED = 5_000


class Heard(NamedTuple):
    """What a tagger says of an item: its spans by label id, how sure it is, (k,) which labels occur."""

    spans: frozenset[Span]
    sure: float
    present: NDArray[np.float32]


class Met(NamedTuple):
    """(n,) how far a tagger's marks meet others, 0 … 1, (n,) how sure it is, (n, k) which labels occur."""

    met: NDArray[np.float64]
    sure: NDArray[np.float64]
    present: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Tagger:
    """The current tagger's word on any item.

    version: its number. folded: item number -> what quick taggers say that learned from the other items of the lesson;
    learned: numbers of all that it would learn from now.
    """

    version: int
    predictions: Predictions
    tagged: Tagged
    label_ids: tuple[int, ...]
    folded: dict[int, Heard]
    learned: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        run: jobs.Run,
        project: Project,
        encoding: Encoding,
        first: list[int],
        rng: np.random.Generator,
    ) -> Tagger | None:
        """None while there is no tagger. Items of `first` are folded before others."""
        from learning.errors import ParameterError

        plain = cls.unfolded(project)
        if plain is None:
            return None
        try:
            words = reading_words.read(run, encoding)
        except ParameterError:
            return None  # an encoder without words
        lesson = marked_lessons.gather(project, words)
        if lesson is None:
            return None
        folded = _folded(run, lesson, first, rng)
        return replace(plain, folded=folded, learned=lesson.numbers)

    @classmethod
    def unfolded(cls, project: Project) -> Tagger | None:
        """Without a fair word on what it learned from."""
        import numpy as np

        predictions, current = predictions_of(project), project.current_student
        tagged = None if current is None else said_by(project, current)
        if predictions is None or current is None or tagged is None:
            return None
        learned = [row.number for row in decided_values.decided(project, tagged.texts)]
        return cls(
            version=current.number,
            predictions=predictions,
            tagged=tagged,
            label_ids=tuple(current.label_ids),
            folded={},
            learned=np.array(learned, dtype=np.int64),
        )

    def beside(
        self,
        project: Project,
        numbers: NDArray[np.int64],
        ids: tuple[int, ...],
        values: Sequence[Any],
    ) -> dict[str, Any]:
        """What `Candidates` hold of it: which labels occur, how far its marks meet those of `values`,
        which are of the first items, and how sure it is; the latter two are not a number where it
        learned from the item itself."""
        import numpy as np

        told = self.heard(numbers, values)
        place = {label: column for column, label in enumerate(self.label_ids)}
        known = [column for column, label in enumerate(ids) if label in place]
        present = np.zeros((len(numbers), len(ids)), dtype=np.float32)
        present[:, known] = told.present[:, [place[ids[column]] for column in known]]
        fair = self.fair(numbers)
        return {
            "student": present,
            "met": np.where(fair, told.met, np.nan),
            "sure": np.where(fair, told.sure, np.nan),
        }

    def heard(self, numbers: NDArray[np.int64], values: Sequence[Any]) -> Met:
        """Item by item; not a number where it has not read one, or there is no value to meet."""
        import numpy as np

        from learning.spans import spans_of
        from learning.spans.scores import exact_f1

        sure, met = np.full(len(numbers), np.nan), np.full(len(numbers), np.nan)
        present = np.zeros((len(numbers), len(self.label_ids)), dtype=np.float32)
        for row, number in enumerate(numbers.tolist()):
            heard = self.word(number)
            if heard is None:
                continue
            present[row], sure[row] = heard.present[: len(self.label_ids)], heard.sure
            if row < len(values):
                met[row] = exact_f1(spans_of(values[row]), sorted(heard.spans))
        return Met(met, sure, present)

    @staticmethod
    def marks(values: Sequence[Any], n: int) -> NDArray[np.float64]:
        """(n,) how many places were marked in each of the first items; not a number for the others."""
        import numpy as np

        found = np.full(n, np.nan)
        found[: len(values)] = [len(value["spans"]) for value in values]
        return found

    def word(self, number: int) -> Heard | None:
        """What it says of an item; None where it has not read it."""
        if number in self.folded:
            return self.folded[number]
        if number >= self.tagged.texts:
            return None
        return _heard(self.tagged, number, self.label_ids)

    def fair(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: what it says of the item does not come from the item's own spans."""
        import numpy as np

        folded = np.fromiter(self.folded, dtype=np.int64, count=len(self.folded))
        return ~np.isin(numbers, self.learned) | np.isin(numbers, folded)


def _heard(tagged: Tagged, row: int, ids: Sequence[int]) -> Heard:
    import numpy as np

    spans = frozenset(span._replace(label=ids[span.label]) for span, _ in tagged.spans(row))
    sure = float(np.clip(tagged.margins[row], 0, 1))
    return Heard(spans, sure, np.clip(tagged.present[row], 0, 1))


def _folded(
    run: jobs.Run, lesson: MarkedLesson, first: list[int], rng: np.random.Generator
) -> dict[int, Heard]:
    """Item number -> what taggers say that learned from the other folds; {} for too few texts."""

    from learning.students.folds import assign_folds, some_to_fold
    from learning.taggers import TAGGERS

    rows = some_to_fold(lesson.numbers, first, MOST_FOLDED, rng)
    data = lesson.data.subset(rows)
    fold = assign_folds(lesson.groups[rows], marked_lessons.FOLDS, rng)
    if len(rows) < marked_lessons.FEWEST_FOR_FOLDS or fold.max() < 1:
        return {}
    ids = lesson.columns.label_ids
    found: dict[int, Heard] = {}
    for ask, said in marked_lessons.unseen(run, TAGGERS["token-head"](), data, fold, rng):
        for place, row in enumerate(ask.tolist()):
            found[int(lesson.numbers[rows[row]])] = _heard(said, place, ids)
    return found
