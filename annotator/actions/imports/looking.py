"""The beginning of a received file, before anything of it is imported."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any

from annotator.actions.imports import uploads, workbooks
from annotator.actions.imports.whole_forms import Questions
from annotator.errors import InvalidError
from annotator.formats import FormatError
from annotator.formats.mapping import Mapping
from annotator.formats.preview import Preview, preview
from annotator.models import ImportBatch
from learning.errors import LearningError
from learning.tasks import TASKS


def look(
    batch: ImportBatch,
    *,
    format: str = "",
    reader: AnyMapping[str, Any] | None = None,
    mapping: Mapping | None = None,
    n: int = 20,
    task_type: str = "",
) -> Preview:
    """What its first rows hold. task_type: the one to be, where it isn't the project's yet.

    Raises InvalidError when it can't be read so.
    """
    chosen = format or batch.format
    try:
        with uploads.path_of(batch.stored_name).open("rb") as stream:
            return preview(
                stream,
                batch.file_name,
                n=n,
                format=chosen,
                options=reader,
                mapping=mapping,
                beginning=workbooks.beginning(batch.stored_name, chosen, reader),
                **_of_form(batch, task_type or batch.project.task_type),
            )
    except (FormatError, LearningError) as error:
        raise InvalidError(str(error), field="file") from error


def _of_form(batch: ImportBatch, task_type: str) -> dict[str, Any]:
    """What a file may call the questions of its form, and those among them that take a text."""
    if task_type not in TASKS or not TASKS[task_type].has_questions:
        return {}
    questions = Questions(batch.project)
    return {
        "asked": questions.names,
        "written": questions.written,
        "makes_form": not questions.names,
    }


def sheets(batch: ImportBatch) -> tuple[str, ...]:
    """The sheets of a spreadsheet that hold something; none of another file, or of one that is broken."""
    return workbooks.sheets(batch.stored_name, batch.format)
