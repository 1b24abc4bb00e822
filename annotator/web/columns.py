"""What the importer chose on the page of columns: read from the form, shown again beside the rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from django.http import QueryDict

from annotator.actions.imports import looking
from annotator.actions.projects.starting import BRINGING
from annotator.errors import InvalidError
from annotator.formats import FORMATS, OF_IMAGES, ON_IMAGES
from annotator.formats.guessing import is_own, shown
from annotator.formats.mapping import Mapping
from annotator.formats.preview import Preview
from annotator.models import ImportBatch
from annotator.models.project import task_type_choices
from annotator.web.form_questions import KINDS

# What a scale is at first, and how many grades one may take over from the file.
SCALE = ("1", "2", "3", "4", "5")
SCALE_AT_MOST = 20
SHOWN_ROWS = 8
SHOWN_LABELS = 60
LONGEST_CELL = 160
ROLES = {
    "text": "Text",
    "text_b": "Second text",
    "candidates": "Candidate",
    "label": "Label",
    "voices": "Label by one annotator",
    "answers": "Answer to a question",
    "id": "Your own id",
    "image": "Image",
    "metadata": "Shown beside the item",
    "": "Left out",
}
# How a file is read: a format takes the one or the other.
READER_NAMES = ("encoding", "sheet")
OPTION_NAMES = ("labels", "duplicates", "new_labels", "bad_rows", "voice")


@dataclass(frozen=True)
class Choices:
    """A look at the file under the choices made so far."""

    found: Preview
    mapping: Mapping
    task_type: str
    options: dict[str, Any] = field(default_factory=dict)
    reader: dict[str, str] = field(default_factory=dict)
    typed: str = ""
    sheets: tuple[str, ...] = ()

    @classmethod
    def of_batch(cls, batch: ImportBatch) -> Choices:
        """The guess, or what was chosen before an attempt that failed."""
        options = {name: batch.options[name] for name in OPTION_NAMES if name in batch.options}
        reader = batch.options.get("reader", {})
        mapping = Mapping.from_json(batch.mapping) if batch.mapping else None
        found = looking.look(batch, mapping=mapping, reader=reader)
        sheets = looking.sheets(batch)
        task_type = batch.project.task_type
        return cls(found, found.mapping, task_type, options, found.reader, sheets=sheets)

    @classmethod
    def of_form(cls, batch: ImportBatch, form: QueryDict) -> Choices:
        """The roles that the form gives to the columns, and the file looked at again with them."""
        reader = {name: said for name in READER_NAMES if (said := form.get(name, "").strip())}
        task_type = form.get("task_type") or batch.project.task_type
        first = looking.look(batch, reader=reader, task_type=task_type)
        others = _is_other(first, form, task_type)
        mapping = first.mapping if others else _mapping(first, form, task_type)
        found = looking.look(batch, reader=reader, mapping=mapping, task_type=task_type)
        options: dict[str, Any] = {name: form[name] for name in OPTION_NAMES if form.get(name)}
        if reader:
            options["reader"] = reader
        typed, sheets = form.get("typed", ""), looking.sheets(batch)
        choices = cls(found, mapping, task_type, options, reader, typed, sheets)
        return choices if batch.project.live_labels().exists() else choices.with_scale()

    @property
    def is_ordered(self) -> bool:
        """True where labels are the grades of a scale."""
        from learning.tasks import TASKS

        return self.task_type in TASKS and TASKS[self.task_type].ordered

    @property
    def is_nested(self) -> bool:
        """True where labels are the places of a tree."""
        from learning.tasks import TASKS

        return self.task_type in TASKS and TASKS[self.task_type].nested

    @property
    def is_spelled(self) -> bool:
        """True where an answer is written as a text, in the column that holds labels otherwise."""
        from learning.tasks import TASKS

        return self.task_type in TASKS and TASKS[self.task_type].spelled

    @property
    def answer_role(self) -> str:
        """What the column of answers is called."""
        return _role_words(self.task_type)["label"]

    @property
    def shape(self) -> str:
        """What an answer is made of: "labels", "text", "ranking" …"""
        from learning.tasks import TASKS

        return TASKS[self.task_type].shape if self.task_type in TASKS else ""

    @property
    def format_name(self) -> str:
        """What the file's format is called."""
        return FORMATS.entry(self.found.format).label

    @property
    def has_questions(self) -> bool:
        """True where an answer is a form of several questions."""
        return _asks(self.task_type)

    @property
    def has_answers(self) -> bool:
        """True where a column holds answers, or the format has a place for them: then any row may."""
        chosen = self.mapping.label or self.mapping.voices or self.mapping.answers
        brings = self.found.format in BRINGING or any(row.given for row in self.found.rows)
        return bool(chosen or self.found.labels or brings)

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The questions that an export of ours brings: name, what it takes, and after which answers it is asked."""
        names = {one.column: one.name for one in self.found.asked}
        return [
            {"asked": one, "kind": KINDS[one.kind]}
            | ({"after": names[one.after[0]], "waits": one.after[1]} if one.after else {})
            for one in self.found.asked
            if one.column in self.mapping.answers or (self.mapping.label and one.kind != "text")
        ]

    @property
    def task_types(self) -> list[tuple[str, str]]:
        """What an answer may be, given what the items are; columns decide between one text and two."""
        from learning.tasks import TASKS

        kinds = {"image"} if self.is_image else {"text", "pair", "list"}
        return [each for each in task_type_choices() if kinds & TASKS[each[0]].item_kinds]

    @property
    def own_labels(self) -> list[str]:
        """The labels that answers of the chosen type bring themselves."""
        from learning.tasks import TASKS

        own = TASKS[self.task_type].begins_with if self.task_type in TASKS else ()
        return [name for name, _, _ in own]

    def with_scale(self) -> Choices:
        """With grades to begin with where none were typed, and without them for other labels."""
        found = sorted((name for name, _ in self.found.labels if name.isdecimal()), key=int)
        is_scale = 1 < len(found) == len(self.found.labels) <= SCALE_AT_MOST
        scale = "\n".join(found if is_scale else SCALE)
        typed = self.typed.replace("\r\n", "\n").strip()
        if self.is_ordered and not typed:
            return replace(self, typed=scale)
        return replace(self, typed="") if not self.is_ordered and typed == scale else self

    @property
    def typed_labels(self) -> list[tuple[str, str]]:
        """The labels that were typed, one a line: a name, and after a colon what it means."""
        labels = []
        for line in self.typed.splitlines():
            name, _, about = line.partition(":")
            if name.strip():
                labels.append((name.strip(), about.strip()))
        return labels

    @property
    def columns(self) -> list[dict[str, Any]]:
        """The columns with their roles, for the head of the table."""
        role_of = _roles(self.mapping)
        words = _role_words(self.task_type)
        if self.names_images:
            words = words | {"id": "Name of the image", "metadata": "Its size"}
        kinds: tuple[str, ...] = (
            ("image", "label", "voices", "answers", "id", "metadata", "")
            if self.is_image
            else tuple(role for role in ROLES if role != "image")
        )
        if self.names_images:
            kinds = ("id", "metadata", "")
        return [
            {
                "name": column.name,
                "role": role_of.get(column.name, ""),
                "roles": [
                    (role, words[role])
                    for role in kinds
                    if role != ("voices" if self.has_questions else "answers")
                ],
                "distinct": column.distinct,
            }
            for column in self.found.columns
        ]

    @property
    def is_image(self) -> bool:
        """True for a file of images, whose columns are fixed."""
        return self.found.format in OF_IMAGES

    @property
    def takes_encoding(self) -> bool:
        """True for a file of characters, which may be in any encoding."""
        return hasattr(FORMATS[self.found.format], "encoding")

    @property
    def names_images(self) -> bool:
        """True for a file that brings answers to images of the project, and no items."""
        return self.found.format == ON_IMAGES

    @property
    def rows(self) -> list[tuple[int, list[tuple[str, str]]]]:
        """The first rows, cell by cell with the role of its column."""
        role_of = _roles(self.mapping)
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
    def problems(self) -> list[tuple[int, str, str]]:
        """The rows looked at that cannot be read: row, column, what is wrong."""
        return [(one.row, one.column, one.message) for one in self.found.problems]

    @property
    def labels(self) -> list[tuple[str, int]]:
        """The labels found, most frequent first."""
        return self.found.labels[:SHOWN_LABELS]

    @property
    def more_labels(self) -> int:
        """How many more were found than are listed."""
        return max(len(self.found.labels) - SHOWN_LABELS, 0)


def _cell(value: object) -> str:
    text = shown(value)
    return text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"


def _role_words(task_type: str) -> dict[str, str]:
    """Role to what it is called where answers are of this type."""
    from learning.tasks import TASKS

    task = TASKS.get(task_type)
    if task is None:
        return ROLES
    if task.spelled or task.begins_with:
        return {**ROLES, "label": "Answer", "voices": "Answer by one annotator"}
    graded = {"label": "Grade", "voices": "Grade by one annotator"}
    return {**ROLES, **graded} if task.ordered else ROLES


def _instead(task_type: str) -> dict[str, str]:
    """Role to the one that a column has where answers of this type have no such columns."""
    return {"voices": "answers"} if _asks(task_type) else {"answers": "metadata"}


def _roles(mapping: Mapping) -> dict[str, str]:
    """Column name to its role."""
    single = ("text", "text_b", "label", "id", "image")
    roles = dict.fromkeys(mapping.metadata, "metadata")
    roles |= dict.fromkeys(mapping.candidates, "candidates")
    roles |= dict.fromkeys(mapping.answers, "answers")
    roles |= dict.fromkeys(mapping.voices, "voices")
    return roles | {getattr(mapping, role): role for role in single if getattr(mapping, role)}


def _is_other(found: Preview, form: QueryDict, task_type: str) -> bool:
    """Whether the roles on the form are of another sheet; or of another type of answer, and the file is an
    export of ours, whose columns for a form are none for labels.
    """
    if form.get("sheet_was", "") != form.get("sheet", ""):
        return True
    was = form.get("task_was", task_type)
    return is_own(found.columns) and _asks(was) != _asks(task_type)


def _asks(task_type: str) -> bool:
    """Whether an answer of this type is a form of several questions."""
    from learning.tasks import TASKS

    return task_type in TASKS and TASKS[task_type].has_questions


def _mapping(found: Preview, form: QueryDict, task_type: str) -> Mapping:
    """The mapping that the form's selects give. Raises InvalidError for a role given twice."""
    words, instead = _role_words(task_type), _instead(task_type)
    single: dict[str, str] = {}
    several: dict[str, list[str]] = {
        "metadata": [],
        "candidates": [],
        "answers": [],
        "voices": [],
    }
    guessed = _roles(found.mapping)
    for place, column in enumerate(found.columns):
        role = form.get(f"role-{place}", guessed.get(column.name, ""))
        role = instead.get(role, role)
        if role not in ROLES:
            raise InvalidError(f"“{role}” is no role of a column.", field=f"role-{place}")
        if role in several:
            several[role].append(column.name)
        elif role and role in single:
            raise InvalidError(
                f"Two columns are “{words[role]}”: {single[role]} and {column.name}. Choose one.",
                field=f"role-{place}",
            )
        elif role:
            single[role] = column.name
    separator = form.get("separator", found.mapping.separator).strip()
    return Mapping.from_json({**single, **several, "separator": separator[:5]})
