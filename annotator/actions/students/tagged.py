"""What a version that marks spans says of the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.actions.encoders.encoding import students_folder
from annotator.models import Project, StudentVersion

if TYPE_CHECKING:
    from learning.taggers.types import Tagged


def said_by(project: Project, version: StudentVersion) -> Tagged | None:
    """The spans that a version marks in every item; None where its files are gone or damaged."""
    from learning.errors import DamagedFileError
    from learning.students.predictions import read_predictions
    from learning.taggers.pool import read_tagged

    pool = students_folder(project.pk) / version.folder / "pool"
    if not version.folder:
        return None
    try:
        return read_tagged(pool, read_predictions(pool))
    except DamagedFileError:
        return None  # nothing is told by halves; `doctor` names the damaged file
