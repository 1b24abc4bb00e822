"""The current student's word on any item, out of fold on those that it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from annotator import jobs
from annotator.actions.encoders.encoding import open_matrix
from annotator.actions.explore.searching import predictions_of
from annotator.actions.students import conforming, distilling, lessons
from annotator.models import Encoding, Project, StudentVersion

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.students import Fitted
    from learning.students.predictions import Predictions

# What the student learned is predicted out of fold, of so many items at most.
MOST_FOLDED = 5_000
FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A head with the vectors that it reads."""

    head: Fitted
    vectors: NDArray[np.float16]

    @classmethod
    def of(cls, version: StudentVersion) -> Plain | None:
        """None where the version learned from its answers alone."""
        from learning import students

        if not version.beside.get("rows") or version.encoding is None:
            return None
        head = students.load(distilling.plain_folder(version))
        return cls(head=head, vectors=open_matrix(version.encoding).view())

    def row(self, number: int) -> NDArray[np.float32]:
        said: NDArray[np.float32] = self.head.predict(self.vectors[number : number + 1])[0]
        return said


@dataclass(frozen=True, kw_only=True)
class Student:
    """The current student's word on any item, out of fold on those that it learned from.

    `plain` is what its answers alone made, where a better voice taught it too: its word is asked for
    beside that voice's, and must not be an echo.
    """

    predictions: Predictions
    plain: Plain | None
    label_ids: tuple[int, ...]
    # Item numbers with their out-of-fold rows, of all that it would learn from now.
    folded: dict[int, NDArray[np.float32]]
    lesson: lessons.Lesson

    @classmethod
    def of(
        cls,
        run: jobs.Run,
        project: Project,
        encoding: Encoding,
        first: list[int],
        rng: np.random.Generator,
    ) -> Student | None:
        """None while there is no student. Items of `first` are folded before others."""
        predictions = predictions_of(project)
        current = project.current_student
        if predictions is None or current is None:
            return None
        lesson = lessons.gather(project, encoding)
        if lesson is None:
            return None
        return cls(
            predictions=predictions,
            plain=Plain.of(current),
            label_ids=tuple(current.label_ids),
            folded=_folded(run, lesson, first, rng),
            lesson=lesson,
        )

    def beside(
        self,
        project: Project,
        numbers: NDArray[np.int64],
        ids: tuple[int, ...],
        values: Sequence[Any],
    ) -> dict[str, Any]:
        """What `Candidates` hold of it: its word, and how many labels its answer sets leave."""
        return {"student": self.said(numbers, ids), "set_sizes": self.set_sizes(project, numbers)}

    @staticmethod
    def marks(values: Sequence[Any], n: int) -> None:
        """None: such answers are labels."""

    def set_sizes(self, project: Project, numbers: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """(n,) labels that its answer sets leave, None while nothing is promised."""
        current = project.current_student
        if current is None or tuple(current.label_ids) != self.label_ids:
            return None
        return conforming.sizes_of(conforming.ready(current), self.said(numbers, self.label_ids))

    def said(self, numbers: NDArray[np.int64], ids: tuple[int, ...]) -> NDArray[np.float32]:
        """(n, k) by these label ids; rows of one label sum to 1."""
        import numpy as np

        known = {label: column for column, label in enumerate(self.label_ids)}
        there = [column for column, label in enumerate(ids) if label in known]
        theirs = [known[ids[column]] for column in there]
        table = np.zeros((len(numbers), len(ids)), dtype=np.float32)
        word = self.predictions.row if self.plain is None else self.plain.row
        for row, number in enumerate(numbers.tolist()):
            full = self.folded.get(number)
            if full is None:
                if number >= self.predictions.rows:
                    continue
                full = word(number)
            table[row, there] = full[theirs]
        if not self.predictions.multi_label:
            total = table.sum(axis=1, keepdims=True)
            np.divide(table, total, out=table, where=total > 0)
            table[total[:, 0] <= 0] = 1 / max(len(ids), 1)
        return table

    def fair(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,) bool: what it says of the item does not come from the item's own label."""
        import numpy as np

        folded = np.fromiter(self.folded, dtype=np.int64, count=len(self.folded))
        return ~np.isin(numbers, self.lesson.numbers) | np.isin(numbers, folded)


def _folded(
    run: jobs.Run, lesson: lessons.Lesson, first: list[int], rng: np.random.Generator
) -> dict[int, NDArray[np.float32]]:
    """Item number -> out-of-fold probabilities, by the project's columns; {} for too few labels."""

    from learning.errors import NotEnoughDataError
    from learning.students import STUDENTS
    from learning.students.folds import out_of_fold, some_to_fold

    rows = some_to_fold(lesson.numbers, first, MOST_FOLDED, rng)
    try:
        found = out_of_fold(
            STUDENTS["head"](),
            lesson.data.subset(rows),
            rng,
            FOLDS,
            lesson.groups[rows],
            lambda done, total: run.progress(done, total, "Asking the student"),
        )
    except NotEnoughDataError:
        return {}
    return dict(zip(lesson.numbers[rows].tolist(), found.probabilities, strict=True))
