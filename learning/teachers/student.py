"""The teacher that is a student: of this project or, its labels matched by name, of another."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from learning.encoders.apart import kept_apart, read_by
from learning.errors import NotEnoughDataError, ParameterError
from learning.teachers.asking import check_items
from learning.teachers.names import NameTable, readable
from learning.teachers.types import (
    Example,
    Means,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    confidence_of,
    needed,
)
from learning.types import Floats, Report, require, row_blocks

if TYPE_CHECKING:
    from learning.encoders import Ready
    from learning.students import Fitted

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class StudentTeacher:
    """Let a student that has learnt answer, as far as its labels are labels here. Source: Hinton
    et al. 2015 (distillation).

    mapping: its label's name -> a label's name here, for labels that are called differently; all
        others are matched by name.
    least_mapped: single label: the share of its belief that must lie on labels known here; below
        it abstains.
    """

    needs: ClassVar[tuple[str, ...]] = ("student", "student_labels")

    mapping: dict[str, str] = field(default_factory=dict)
    least_mapped: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.least_mapped <= 1:
            raise ParameterError("The share of belief on known labels lies above 0 and up to 1.")

    def ready(self, means: Means) -> "ReadyStudent":
        """With a fitted student, the names of its labels by column, and `student_encoder` unless
        it reads texts. Encodings are read where they come from an equal encoder.
        """
        student = needed(means.student, "a fitted student", "student")
        names = needed(means.student_labels, "the names of the student's labels", "student")
        require(
            len(names) == student.labels,
            f"The student has {student.labels} labels, not the {len(names)} that were named.",
        )
        encoder = means.student_encoder
        same = (
            encoder is not None
            and means.encoder is not None
            and encoder.fingerprint == means.encoder.fingerprint
        )
        return ReadyStudent(
            settings=self,
            student=student,
            label_names=names,
            encoder=encoder,
            encodings=means.encodings if same else None,
        )


@dataclass(frozen=True, kw_only=True)
class ReadyStudent:
    """A student with its encoder. The examples are not looked at."""

    settings: StudentTeacher
    student: "Fitted"
    label_names: tuple[str, ...]
    encoder: "Ready | None" = None
    encodings: Floats | None = None

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """In the order of the items. Raises NotEnoughDataError when no label is known to both, or
        when one answers with a single label and the other with several.
        """
        check_items(items)
        if not items:
            return
        place = self.columns(schema)
        for block in row_blocks(len(items), BATCH):
            report(block.start, len(items))
            part, began = items[block], time.perf_counter()
            readable = [item for item in part if _has_content(item)]
            believed = iter(self._predict(readable) if readable else ())
            spent = (time.perf_counter() - began) / len(part)
            for item in part:
                if not _has_content(item):
                    said = "The item has nothing that the student could read."
                    yield TeacherAnswer(number=item.number, abstained=said, seconds=spent)
                else:
                    yield self._answer(item.number, next(believed), place, schema, spent)
        report(len(items), len(items))

    def columns(self, schema: TeacherSchema) -> NDArray[np.int64]:
        """(labels of the student,) the column here of each of its labels, -1 where there is none."""
        if self.student.multi_label != schema.multi_label:
            raise NotEnoughDataError(
                "A student that gives one label cannot answer where several may hold, nor the "
                "other way round."
            )
        names = NameTable(schema)
        said = [self.settings.mapping.get(name, name) for name in self.label_names]
        found = [names.column(name) for name in said]
        place = np.array([-1 if column is None else column for column in found], dtype=np.int64)
        if not (place >= 0).any():
            raise NotEnoughDataError("No label of the student has the name of a label here.")
        return place

    def _predict(self, items: Sequence[TeacherItem]) -> NDArray[np.float32]:
        if self.encoder is None:
            given: Any = [
                kept_apart(each.text, each.text_b) if each.image is None else each.image
                for each in items
            ]
            return self.student.predict(given)
        vectors = np.zeros((len(items), self.encoder.dimensions), dtype=np.float32)
        if self.encodings is not None:
            rows = len(self.encodings)
            lent = [p for p, item in enumerate(items) if 0 <= item.number < rows]
            vectors[lent] = self.encodings[[items[place].number for place in lent]]
        blank = [place for place, row in enumerate(vectors) if not row.any()]
        if blank:
            told: Any = [_read(self.encoder, items[at]) for at in blank]
            vectors[blank] = self.encoder.encode(told)
        return self.student.predict(vectors)

    def _answer(
        self,
        number: int,
        believed: NDArray[np.float32],
        place: NDArray[np.int64],
        schema: TeacherSchema,
        spent: float,
    ) -> TeacherAnswer:
        p = np.zeros(schema.size)
        gather = np.maximum if schema.multi_label else np.add  # two of its labels may be one here
        gather.at(p, place[place >= 0], believed[place >= 0])
        known = np.zeros(schema.size, dtype=np.bool_)
        known[place[place >= 0]] = True
        if not schema.multi_label:
            top = int(believed.argmax())
            mapped = float(p.sum())
            if place[top] < 0 or mapped < self.settings.least_mapped:
                return TeacherAnswer(
                    number=number, abstained=self._elsewhere(top, believed, mapped), seconds=spent
                )
            p /= mapped
        answer = p.astype(np.float32)
        sure = answer[known] if schema.multi_label else answer
        return TeacherAnswer(
            number=number,
            probabilities=answer,
            known=known if schema.multi_label and not known.all() else None,
            confidence=confidence_of(sure, multi_label=schema.multi_label),
            reason=_reason(answer, schema),
            seconds=spent,
        )

    def _elsewhere(self, top: int, believed: NDArray[np.float32], mapped: float) -> str:
        name = readable(self.label_names[top])
        return (
            f"The student thinks of “{name}” ({100 * believed[top]:.0f} %); only "
            f"{100 * mapped:.0f} % of its belief is on labels of this project."
        )


def _reason(p: NDArray[np.float32], schema: TeacherSchema) -> str:
    order = np.argsort(-p, kind="stable")
    if schema.multi_label:
        named = [schema.names[column] for column in order if p[column] > 0.5]
        return f"the student finds {', '.join(named)}" if named else "the student finds no label"
    return f"the student gives {schema.names[order[0]]} {100 * p[order[0]]:.0f} %"


def _has_content(item: TeacherItem) -> bool:
    return item.image is not None or bool(item.whole.strip())


def _read(encoder: "Ready", item: TeacherItem) -> str | bytes:
    """What an encoder is given of an item."""
    return read_by(encoder, item.text, item.text_b) if item.image is None else item.image
