"""What the rows of a file of answers mean in a project: its items' labels, and what cannot be true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annotator.actions.imports.whole_forms import Questions
from annotator.actions.teachers import lending
from annotator.formats.answers import AnswerMapping, Kind
from annotator.formats.reading_answers import AskedOf, ReadAnswer, read_answer
from annotator.formats.records import Record, RowError
from annotator.formats.written import plain_name
from annotator.models import Project
from learning.tasks import TASKS

if TYPE_CHECKING:
    from learning.teachers.names import NameTable


def kind_of(project: Project) -> Kind:
    """What the answers of a project are made of, as a file of them holds it."""
    if project.task.ranked:
        return "order"
    if project.task.written:
        return "text"
    if project.task.quoted:
        return "spans"
    if not project.has_questions:
        return "labels"
    answered = [one for one in project.task.questions if one.live]
    return "marks" if answered and all(one.marks for one in answered) else "form"


def asked_of(project: Project) -> dict[str, AskedOf]:
    """What a file may call the questions that a teacher answers, as `plain_name` has it, with each."""
    if not project.has_questions:
        return {}
    named = Questions(project).named_all()
    return {
        name: AskedOf(one.name, TASKS[one.kind].multi_label, TASKS[one.kind].quoted)
        for name, one in named.items()
        if not one.writes
    }


class Hearing:
    """Reads rows under a mapping as answers to a project."""

    def __init__(self, project: Project, mapping: AnswerMapping) -> None:
        from learning.teachers.names import NameTable

        self.project, self.mapping = project, mapping
        self.schema = lending.schema_of(project)
        self.asked = asked_of(project)
        self.names: NameTable = NameTable(self.schema)

    @property
    def problem(self) -> str:
        """Why no answer can be read so, "" when one can."""
        strange = [one for one in self.mapping.answers if plain_name(one) not in self.asked]
        told = (
            f"“{strange[0]}” is called like no question that a teacher answers." if strange else ""
        )
        return self.mapping.problem(kind_of(self.project)) or told

    def read(self, record: Record) -> ReadAnswer:
        """What a row says; raises RowError for what cannot be read, or cannot be true."""
        answer = read_answer(
            record, self.mapping, multi_label=self.project.multi_label, asked=self.asked
        )
        if fault := self._contradiction(answer):
            raise RowError([fault])
        return answer

    def unknown(self, answer: ReadAnswer) -> tuple[str, str] | None:
        """The first name that is no label here, and its column."""
        strange = (name for name in answer.names if self.names.column(name) is None)
        return next(((name, answer.stood[name]) for name in strange), None)

    def labels(self, answer: ReadAnswer) -> list[int] | None:
        """The ids of the labels that it names; None where it names none, or one that is no label here."""
        return None if answer.labels is None else self._ids(answer.labels)

    def probabilities(self, answer: ReadAnswer) -> dict[str, float]:
        """Label id -> probability; empty where it has none, or names what is no label here."""
        given = answer.probabilities or {}
        ids = self._ids(tuple(given)) or []
        return dict(zip(map(str, ids), given.values(), strict=False))

    def spans(self, answer: ReadAnswer) -> list[dict[str, Any]] | None:
        """The marks with their labels' ids; None where it has none, or marks with what is no label here."""
        if answer.spans is None:
            return None
        ids = self._ids(tuple(span["label"] for span in answer.spans))
        if ids is None:
            return None
        return [{**span, "label": pk} for span, pk in zip(answer.spans, ids, strict=True)]

    def _ids(self, names: tuple[str, ...]) -> list[int] | None:
        columns = [self.names.column(name) for name in names]
        if None in columns:
            return None
        return [self.schema.ids[column] for column in columns if column is not None]

    def _contradiction(self, answer: ReadAnswer) -> tuple[str, str] | None:
        """Where and why labels and marks of a form cannot be true together; unknown names are told apart."""
        from learning.teachers.filling import contradiction

        if not self.schema.questions or answer.spans is None or self.unknown(answer):
            return None
        columns = {name: self.names.column(name) for name in answer.names}
        named = [column for name in answer.labels or () if (column := columns[name]) is not None]
        marks = [columns[span["label"]] for span in answer.spans]
        found = contradiction(self.schema, named, [each for each in marks if each is not None])
        if found is None:
            return None
        stood = next(answer.stood[name] for name, column in columns.items() if column == found[0])
        return self.mapping.spans or stood, found[1]
