"""Who may teach the head beside people: other students, and teachers that are calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from annotator.actions.encoders.encoding import students_folder
from annotator.actions.queue import auditing
from annotator.actions.students import sheets
from annotator.actions.teachers import identity, lending
from annotator.actions.trust import calibrating, qualifying
from annotator.models import (
    Part,
    Project,
    StudentVersion,
    Teacher,
    TeacherAnswer,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from annotator.actions.trust.calibrating import Reader
    from learning.students.predictions import Predictions
    from learning.tasks import Columns
    from learning.teachers.types import TeacherSchema


# What is known of a teacher that no longer answers as it was measured.
DOUBTED = ("moved", "drifted")


class Voice(Protocol):
    """A machine with a word on items.

    told: what it is, as a version keeps it. trust: 0 … 1, what planted items leave of its word.
    known: (k,) bool, the label columns that it speaks about.
    """

    @property
    def told(self) -> dict[str, Any]: ...
    @property
    def trust(self) -> float: ...
    @property
    def known(self) -> NDArray[np.bool_]: ...

    def fair(self, numbers: list[int]) -> list[int]:
        """Those of the answered evaluation items on which it may be judged."""
        ...

    def spoken(self, numbers: list[int]) -> list[int]:
        """Those of the items on which it has a word, in their order."""
        ...

    def words(self, numbers: list[int]) -> NDArray[np.float32]:
        """(m, k) probabilities of items on which it has a word; one label's sum to 1."""
        ...


def of(project: Project, columns: Columns) -> list[Voice]:
    """Every voice that could teach, measured or not."""
    return [*_students(project, columns), *_teachers(project, columns)]


def _students(project: Project, columns: Columns) -> list[Voice]:
    """The newest version of each other recipe that has its files. Heads learn from what is taught
    here, and so teach nothing."""
    from learning.errors import DamagedFileError
    from learning.students.predictions import read_predictions

    ready = StudentVersion.objects.filter(project=project, sheet__isnull=False).ready()
    newest = ready.exclude(kind="head").exclude(folder="").order_by("kind", "params", "-number")
    live = set(columns.label_ids) - columns.archived
    found: list[Voice] = []
    for version in newest.distinct("kind", "params"):
        try:
            said = read_predictions(students_folder(project.pk) / version.folder / "pool")
        except DamagedFileError:
            continue  # its files go just now, or are spoilt: the head learns without it
        if live & set(version.label_ids):
            found.append(OfStudent(project=project, version=version, columns=columns, said=said))
    return found


def _teachers(project: Project, columns: Columns) -> list[Voice]:
    """Those that are on and calibrated as they are set up now. One through which this project's own
    student speaks, by itself or in a committee, would teach it what it says."""
    rows = Teacher.objects.filter(project=project, enabled=True, calibration__fitted__isnull=False)
    rows = rows.exclude(source=project).exclude(members__source=project)
    rows = rows.select_related("voice", "endpoint").order_by("pk")
    if not rows:
        return []
    schema = lending.schema_of(project)
    found: list[Voice] = []
    for teacher in rows:
        if qualifying.state(teacher).state in DOUBTED:
            continue
        now = identity.fingerprint(teacher, teacher.params, schema)
        reader = calibrating.reader(teacher, schema, now)
        if reader is not None:
            found.append(
                OfTeacher(teacher=teacher, now=now, reader=reader, schema=schema, columns=columns)
            )
    return found


@dataclass(frozen=True, kw_only=True)
class OfStudent:
    """Another student's word on the pool."""

    project: Project
    version: StudentVersion
    columns: Columns
    said: Predictions
    trust: float = 1.0

    @property
    def told(self) -> dict[str, Any]:
        return {"student": self.version.number, "kind": self.version.kind}

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        import numpy as np

        theirs = set(self.version.label_ids)
        named = [label in theirs for label in self.columns.label_ids]
        return np.array(named, dtype=np.bool_) & self.columns.active

    def fair(self, numbers: list[int]) -> list[int]:
        answers = auditing.answered(self.project, Part.EVALUATION)
        judged = sheets.between(self.project, [self.version], answers)
        if not judged.versions:
            return []
        asked = {
            number for number, kept in zip(judged.numbers, judged.asked[0], strict=True) if kept
        }
        return [number for number in self.spoken(numbers) if number in asked]

    def spoken(self, numbers: list[int]) -> list[int]:
        return [number for number in numbers if number < self.said.rows]

    def words(self, numbers: list[int]) -> NDArray[np.float32]:
        import numpy as np

        place = {label: column for column, label in enumerate(self.version.label_ids)}
        here = np.flatnonzero(self.known)
        there = [place[self.columns.label_ids[column]] for column in here]
        table = np.zeros((len(numbers), len(self.columns)), dtype=np.float32)
        for row, number in enumerate(numbers):
            table[row, here] = self.said.row(number)[there]
        return table if self.said.multi_label else shares(table, self.known)


@dataclass(frozen=True, kw_only=True)
class OfTeacher:
    """A teacher's standing answers, each read as audited ones show it."""

    teacher: Teacher
    now: str
    reader: Reader
    schema: TeacherSchema
    columns: Columns

    @property
    def told(self) -> dict[str, Any]:
        return {"teacher": self.teacher.pk, "name": self.teacher.name}

    @property
    def trust(self) -> float:
        return self.reader.trust

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        import numpy as np

        live = set(self.schema.ids)
        return np.array([label in live for label in self.columns.label_ids], dtype=np.bool_)

    def fair(self, numbers: list[int]) -> list[int]:
        """The evaluation part taught no calibration, but that of a committee, which half of it taught."""
        return [
            number
            for number in self.spoken(numbers)
            if calibrating.checks(self.teacher, Part.EVALUATION, number)
        ]

    @cached_property
    def _read(self) -> dict[int, int]:
        """Item number to answer, of all that it answered and that can be read."""
        rows = calibrating.standing(self.teacher, self.now).exclude(p_right=None)
        return dict(rows.order_by("pk").values_list("item__number", "pk"))

    def spoken(self, numbers: list[int]) -> list[int]:
        return [number for number in numbers if number in self._read]

    def words(self, numbers: list[int]) -> NDArray[np.float32]:
        import numpy as np

        by_pk = TeacherAnswer.objects.in_bulk([self._read[number] for number in numbers])
        rows = [by_pk[self._read[number]] for number in numbers]
        by_agreement = self.reader.fitted.agreed is not None
        said, agreed = calibrating.read(self.teacher, self.schema, rows, by_agreement=by_agreement)
        # A label may have been added since the lesson was read: it has no column there.
        place = {label: column for column, label in enumerate(self.schema.ids)}
        here = np.flatnonzero(self.known)
        there = [place[self.columns.label_ids[column]] for column in here]
        table = np.zeros((len(numbers), len(self.columns)), dtype=np.float32)
        for row, (one, share) in enumerate(zip(said, agreed, strict=True)):
            found = self.reader.fitted.probabilities(one, self.schema, share)
            table[row, here] = 0 if found is None else found[there]
        return table if self.schema.multi_label else shares(table, self.known)


def shares(table: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(m, k) rows that sum to 1 over the known columns; evenly where there was nothing."""
    import numpy as np

    total = table.sum(axis=1, keepdims=True)
    even = known / max(int(known.sum()), 1)
    return np.where(total > 0, table / np.where(total > 0, total, 1), even).astype(np.float32)
