"""What audits say of the members of a committee: how often each means one label and says another, and
how far they err apart.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from annotator.actions.queue import auditing
from annotator.models import Part, Project, Teacher, TeacherAnswer, TeacherRunKind

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from learning.teachers.types import Member, TeacherSchema
    from learning.teachers.types import TeacherAnswer as Said

# Evaluation items judge what a committee says and so must not teach it whom to believe.
PARTS = (Part.SEED, Part.CALIBRATION)
# With fewer items that two members answered they are taken to err alike, which is never too sure.
FEWEST_SHARED = 40


def truth_of(project: Project) -> dict[int, list[int]]:
    """Item number to label ids, of the audited items that may tell how good a member is."""
    return {number: labels for part in PARTS for number, labels in auditing.answered(project, part)}


def heard(member: Teacher, truth: dict[int, list[int]], schema: TeacherSchema) -> dict[int, Said]:
    """What it last said about the audited items, by number."""
    rows = TeacherAnswer.objects.filter(
        run__teacher=member, run__kind=TeacherRunKind.LABEL, abstained="", item__number__in=truth
    )
    latest = {row.item.number: row for row in rows.select_related("item").order_by("pk")}
    said = {number: said_then(row, schema, number) for number, row in latest.items()}
    return {number: answer for number, answer in said.items() if answer is not None}


def confusion(
    said: dict[int, Said], truth: dict[int, list[int]], schema: TeacherSchema
) -> NDArray[np.float64] | None:
    """Counts as `Member.confusion` has them; None while the member answered no audited item."""
    from learning.teachers.skill import confusion_of

    if not said:
        return None
    return confusion_of(list(said.values()), targets(list(said), truth, schema), schema)


def sharpness(
    members: dict[str, Member],
    said: dict[str, dict[int, Said]],
    truth: dict[int, list[int]],
    schema: TeacherSchema,
) -> float:
    """How far the members err apart: fitted on one half of the items that two or more of them
    answered, each read by what the other half says of it, and the other way round.
    """
    from learning.teachers.committee import Committee, fit_sharpness
    from learning.teachers.types import Means

    counts = Counter(number for each in said.values() for number in each)
    shared = sorted(number for number, voices in counts.items() if voices > 1)
    if len(shared) < FEWEST_SHARED:
        return 1.0
    fitted = []
    for half in range(2):
        asked = shared[half::2]
        others = {
            name: {number: answer for number, answer in each.items() if number not in set(asked)}
            for name, each in said.items()
        }
        read = {
            name: replace(member, confusion=confusion(others[name], truth, schema))
            for name, member in members.items()
        }
        spoke = [
            {name: each[number] for name, each in said.items() if number in each}
            for number in asked
        ]
        committee = Committee().ready(Means(members=read))
        fitted.append(fit_sharpness(committee, spoke, targets(asked, truth, schema), schema))
    return math.sqrt(fitted[0] * fitted[1])


def targets(
    numbers: list[int], truth: dict[int, list[int]], schema: TeacherSchema
) -> NDArray[np.float32]:
    """(n, k) what people said of these items, over the labels of now."""
    import numpy as np

    known = set(schema.ids)
    return np.stack(
        [schema.target([pk for pk in truth[number] if pk in known]) for number in numbers]
    )


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
