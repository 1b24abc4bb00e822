"""What was chosen on the page of a file of answers: read from the form, shown beside its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from annotator.actions.imports import recordings
from annotator.errors import InvalidError
from annotator.formats.answers import OWN_PARTS, AnswerMapping, foreign
from annotator.formats.guessing import shown
from annotator.models import Recording

SHOWN_ROWS = 8
SHOWN_LABELS = 60
LONGEST_CELL = 160
ROLES = {
    "id": "Item, by your id",
    "number": "Item, by number",
    "text": "Item, by text",
    "text_b": "Its second text",
    "label": "Label",
    "probabilities": "Probabilities",
    "spans": "Marked spans",
    "answers": "Answer to a question",
    "order": "Order of candidates",
    "written": "Text that was written",
    "confidence": "Confidence",
    "model": "Model",
    "reason": "Reason",
    "tokens_in": "Tokens read",
    "tokens_out": "Tokens written",
    "money": "Money",
    "seconds": "Seconds",
    "": "Left out",
}


@dataclass(frozen=True)
class AnswerChoices:
    """A look at a file of answers under the choices made so far."""

    found: recordings.Look
    name: str
    bad_rows: recordings.BadRows = "ask"
    encoding: str = ""

    @classmethod
    def of_recording(cls, recording: Recording) -> AnswerChoices:
        """The guess, or what was chosen before a failed attempt."""
        mapping = AnswerMapping.from_json(recording.mapping) if recording.mapping else None
        reader = recording.options.get("reader", {})
        found = recordings.look(recording, mapping=mapping, reader=reader)
        return cls(found, recording.name, encoding=reader.get("encoding", ""))

    @classmethod
    def of_form(cls, recording: Recording, form: QueryDict) -> AnswerChoices:
        """The roles that the form gives to the columns, and the file looked at again with them."""
        encoding = form.get("encoding", "").strip()
        reader = {"encoding": encoding} if encoding else {}
        first = recordings.look(recording, reader=reader)
        mapping = _mapping(first, form)
        found = recordings.look(recording, reader=reader, mapping=mapping)
        bad_rows: recordings.BadRows = "skip" if form.get("bad_rows") == "skip" else "ask"
        return cls(found, form.get("name", "").strip() or recording.name, bad_rows, encoding)

    @property
    def reader(self) -> dict[str, str]:
        """Parameters of the file's format."""
        return {"encoding": self.encoding} if self.encoding else {}

    @property
    def takes_separator(self) -> bool:
        """Whether a cell may hold several labels."""
        return "separator" in OWN_PARTS[self.found.kind]

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The columns with their roles, for the head of the table."""
        role_of = _roles(self.found.mapping)
        absent = foreign(self.found.kind)
        roles = [(role, words) for role, words in ROLES.items() if role not in absent]
        return [
            {
                "name": column.name,
                "role": role_of.get(column.name, ""),
                "roles": roles,
            }
            for column in self.found.columns
        ]

    @property
    def rows(self) -> list[tuple[int, list[tuple[str, str]]]]:
        """The first rows, cell by cell with the role of its column."""
        role_of = _roles(self.found.mapping)
        return [
            (
                record.row,
                [
                    (role_of.get(column.name, ""), _cell(record.fields.get(column.name)))
                    for column in self.found.columns
                ],
            )
            for record in self.found.rows[:SHOWN_ROWS]
        ]

    @property
    def labels(self) -> list[tuple[str, int, bool]]:
        """The labels found, most frequent first."""
        return self.found.labels[:SHOWN_LABELS]

    @property
    def strange(self) -> list[tuple[str, int, str]]:
        """The names found that are no label of the project, each with where it first stands."""
        return self.found.unknown

    @property
    def problems(self) -> list[list[Any]]:
        """Bad rows of the sample as the table of problems shows them."""
        return [[each.row, each.column, each.message] for each in self.found.problems]


def _cell(value: object) -> str:
    text = shown(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _roles(mapping: AnswerMapping) -> dict[str, str]:
    """Column name to its role."""
    roles = dict.fromkeys(mapping.answers, "answers")
    single = [role for role in ROLES if role not in ("", "answers")]
    return roles | {getattr(mapping, role): role for role in single if getattr(mapping, role)}


def _mapping(found: recordings.Look, form: QueryDict) -> AnswerMapping:
    """The mapping that the form's selects give. Raises InvalidError for a role given twice."""
    chosen: dict[str, str] = {}
    answers: list[str] = []
    guessed = _roles(found.mapping)
    for place, column in enumerate(found.columns):
        role = form.get(f"role-{place}", guessed.get(column.name, ""))
        if role not in ROLES:
            raise InvalidError(f"“{role}” is no role of a column.", field=f"role-{place}")
        if role == "answers":
            answers.append(column.name)
        elif role in chosen:
            raise InvalidError(
                f"Two columns are “{ROLES[role]}”: {chosen[role]} and {column.name}. Choose one.",
                field=f"role-{place}",
            )
        elif role:
            chosen[role] = column.name
    separator = form.get("separator", found.mapping.separator).strip()
    return AnswerMapping.from_json({**chosen, "answers": answers, "separator": separator[:5]})
