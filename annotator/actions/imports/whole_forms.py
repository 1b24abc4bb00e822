"""Answers of a form as files hold them: labels named by their questions, and whole or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from annotator.errors import InvalidError
from annotator.formats.mapping import Mapping as FileMapping
from annotator.models import FormQuestion, Label, Project

if TYPE_CHECKING:
    from learning.tasks import Task

# What our own exports call the column of a question.
COLUMN = "answer_"


class Questions:
    """The questions of a form by what a file may call them: their names, keys, or exported columns."""

    def __init__(self, project: Project) -> None:
        found = list(FormQuestion.objects.filter(project=project))
        self._named = {f"{COLUMN}{one.key}".casefold(): one for one in found}
        self._named |= {one.key.casefold(): one for one in found}
        self._named |= {one.name.casefold(): one for one in found}

    def named(self, name: str) -> FormQuestion | None:
        """The question that is called so, or None."""
        return self._named.get(" ".join(name.split()).casefold())

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
    if chosen.answers and chosen.label:
        told = "Choose the columns that answer questions, or the one that holds all labels."
        raise InvalidError(told, field="label")


def check(task: Task, known: Sequence[int], fresh: Mapping[str, Sequence[int]]) -> None:
    """Raise ShapeError for labels that are no whole answer to a form.

    fresh: by a question's key the stand-ins of labels that are not in the schema yet, below 0.
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
    task.asking(questions).check([*known, *(each for one in fresh.values() for each in one)])
