"""How right two versions that mark spans are on the audit items that neither of them learned from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.actions.encoders.encoding import students_folder
from annotator.actions.queue import auditing
from annotator.actions.students import sheets
from annotator.models import Label, Part, Project, StudentVersion, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.spans import Span
    from learning.taggers.types import Tagged


def paired(
    project: Project, one: StudentVersion, other: StudentVersion
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n,) of each version, how right it is on each item, 0 … 1: the F1 of the item's spans, edges and
    label equal; where nothing is marked and nothing said, 1. None of them where files are gone.
    """
    import numpy as np

    from learning.spans.scores import exact_f1

    nothing = np.zeros(0)
    judged = sheets.between(project, [one, other], auditing.answered(project, Part.EVALUATION))
    said = [said_by(project, each) for each in (one, other)]
    if len(judged.versions) < 2 or said[0] is None or said[1] is None:
        return nothing, nothing
    both = judged.asked.all(axis=0)
    truth = _truth(project, [judged.numbers[row] for row in np.flatnonzero(both)])
    live = set(Label.objects.filter(project=project, archived_at=None).values_list("pk", flat=True))
    numbers = [number for number in truth if number < min(said[0].texts, said[1].texts)]
    scores = [
        [
            exact_f1(
                _alive(truth[number], live),
                _alive(_spans(tagged, version, number), live),
            )
            for number in numbers
        ]
        for tagged, version in zip(said, (one, other), strict=True)
    ]
    return np.array(scores[0]), np.array(scores[1])


def _truth(project: Project, numbers: list[int]) -> dict[int, list[Span]]:
    """The decided spans of each item, by label id."""
    from learning.spans import spans_of

    found = Verdict.objects.filter(project=project, item__number__in=numbers, value__isnull=False)
    rows = found.order_by("item__number").values_list("item__number", "value")
    return {number: spans_of(value) for number, value in rows if value is not None}


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


def _spans(tagged: Tagged | None, version: StudentVersion, number: int) -> list[Span]:
    """By label id."""
    found = [] if tagged is None else tagged.spans(number)
    return [span._replace(label=version.label_ids[span.label]) for span, _ in found]


def _alive(spans: list[Span], live: set[int]) -> list[Span]:
    return [span for span in spans if span.label in live]
