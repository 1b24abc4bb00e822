"""Answers of a form as files hold them: labels named by their questions, and whole or refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from annotator.errors import InvalidError
from annotator.formats.mapping import Mapping as FileMapping
from annotator.formats.written import COLUMN, plain_name
from annotator.models import FormQuestion, Label, Project
from learning.errors import ShapeError
from learning.types import require

if TYPE_CHECKING:
    from learning.tasks import Task


class Questions:
    """The questions of a form by what a file may call them: their names, keys, or exported columns."""

    def __init__(self, project: Project) -> None:
        found = list(FormQuestion.objects.filter(project=project))
        self._named = {f"{COLUMN}{one.key}".casefold(): one for one in found}
        self._named |= {one.key.casefold(): one for one in found}
        self._named |= {one.name.casefold(): one for one in found}

    def named(self, name: str) -> FormQuestion | None:
        """The question that is called so, or None."""
        return self._named.get(plain_name(name))

    def named_all(self) -> dict[str, FormQuestion]:
        """What a file may call them, as `plain_name` has it -> the question."""
        return dict(self._named)

    def side(self, question: FormQuestion, key: str) -> str:
        """The name of the answer that a comparison began with under this key, "" where it is archived."""
        return self._sides.get((question.pk, key), "")

    @cached_property
    def _sides(self) -> dict[tuple[int, str], str]:
        comparing = [one.pk for one in set(self._named.values()) if one.brings_answers]
        labels = Label.objects.live().filter(form_question__in=comparing)
        found = labels.select_related("form_question")
        return {(one.form_question_id or 0, one.begun_as): one.name for one in found}

    @property
    def names(self) -> frozenset[str]:
        """What a file may call the questions, as `plain_name` has it."""
        return frozenset(self._named)

    @property
    def written(self) -> frozenset[str]:
        """What a file may call the questions that take a text, as `plain_name` has it."""
        return frozenset(name for name, one in self._named.items() if one.writes)

    def texts(self, given: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Key of the question -> the text of a file; raises ShapeError for what answers none in writing."""
        found: dict[str, str] = {}
        for name, text in given:
            question = self.named(name)
            if question is None or not question.writes:
                raise ShapeError(
                    f"A text stands at “{name[:60]}”, and no question takes one there."
                )
            found[question.key] = text
        return found

    def path(self, name: str) -> tuple[str, FormQuestion] | None:
        """A label's name in its one form, and the question it answers; None where it names none."""
        asked, _, part = name.partition(Label.BELOW.strip())
        question = self.named(asked)
        if question is None or not part.strip():
            return None
        return f"{question.name}{Label.BELOW}{' '.join(part.split())}", question


def check_mapping(project: Project, chosen: FileMapping) -> None:
    """Raise InvalidError for columns of answers where there are no questions, or beside one of labels."""
    if chosen.answers and not project.has_questions:
        told = "Columns of answers are for forms; here one column holds the label."
        raise InvalidError(told, field="answers")
    written = Questions(project).written if chosen.answers and chosen.label else frozenset()
    if chosen.label and not {plain_name(one) for one in chosen.answers} <= written:
        told = "Choose the columns that answer questions, or the one that holds all labels."
        raise InvalidError(told, field="label")
    if chosen.voices and project.has_questions:
        told = "A form takes one annotator's answers from a file: choose the columns that answer questions."
        raise InvalidError(told, field="voices")


def check(
    task: Task,
    known: Sequence[int],
    fresh: Mapping[str, Sequence[int]],
    placed: Collection[int] = (),
) -> None:
    """Raise ShapeError for labels that are no whole answer to a form.

    fresh: by a question's key the stand-ins of labels that are not in the schema yet, below 0. placed:
    those of both that mark places; a question that marks the text takes no others, and others take none.
    """
    questions = [
        replace(
            one,
            labels=(*one.labels, *fresh.get(one.key, ())),
            columns=(*one.columns, *(0 for _ in fresh.get(one.key, ()))),
            live=one.live | set(fresh.get(one.key, ())),
        )
        for one in task.questions
    ]
    asked = task.asking(questions)
    given = [*known, *(each for one in fresh.values() for each in one)]
    for one in asked.questions:
        own = set(one.labels) & set(given)
        require(
            one not in asked.marking or own <= set(placed),
            f"“{one.name}” is answered by marking the text: the label alone does not say where.",
        )
        require(
            one in asked.marking or own.isdisjoint(placed),
            f"“{one.name}” is answered by a label, and places stand here.",
        )
    asked.check(given)
