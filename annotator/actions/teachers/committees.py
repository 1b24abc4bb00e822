"""What audits say of the members of a committee: how often each means one label and says another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annotator.actions.queue import auditing
from annotator.models import Part, Project, Teacher, TeacherAnswer, TeacherRunKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.teachers.types import TeacherAnswer as Said
    from learning.teachers.types import TeacherSchema

# Evaluation items judge what a committee says and so must not teach it whom to believe.
PARTS = (Part.SEED, Part.CALIBRATION)


def truth_of(project: Project) -> dict[int, list[int]]:
    """Item number to label ids, of the audited items that may tell how good a member is."""
    return {number: labels for part in PARTS for number, labels in auditing.answered(project, part)}


def confusion(
    member: Teacher, truth: dict[int, list[int]], schema: TeacherSchema
) -> NDArray[np.float64] | None:
    """Counts as `Member.confusion` has them; None while the member answered no audited item."""
    import numpy as np

    from learning.teachers.skill import confusion_of

    rows = TeacherAnswer.objects.filter(
        run__teacher=member, run__kind=TeacherRunKind.LABEL, abstained="", item__number__in=truth
    )
    latest = {row.item.number: row for row in rows.select_related("item").order_by("pk")}
    said = {number: said_then(row, schema, number) for number, row in latest.items()}
    told = {number: answer for number, answer in said.items() if answer is not None}
    if not told:
        return None
    known = set(schema.ids)
    targets = [schema.target([pk for pk in truth[number] if pk in known]) for number in told]
    return confusion_of(list(told.values()), np.stack(targets), schema)


def said_then(row: TeacherAnswer, schema: TeacherSchema, number: int) -> Said | None:
    """A stored answer over the labels of now; None where nothing is left of it."""
    import numpy as np

    from learning.teachers.types import TeacherAnswer as Answer

    p = np.zeros(schema.size, dtype=np.float32)
    for label, chance in row.probabilities.items():
        column = schema.column(int(label))
        if column is not None:
            p[column] = chance
    if not schema.multi_label:
        total = float(p.sum())
        if not total:
            return None
        p /= total
    return Answer(number=number, probabilities=np.minimum(p, 1), confidence=row.confidence)
