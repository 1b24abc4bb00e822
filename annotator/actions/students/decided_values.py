"""What people, or a policy, decided where answers are more than labels."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from annotator.actions.queue import auditing
from annotator.models import Part, Project, Verdict

if TYPE_CHECKING:
    from learning.tasks import Question

_DECIDED = f"""
SELECT i.number, v.value::text, i.answers, i.content_hash, v.labels, c.p_right
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id
LEFT JOIN annotator_acceptance c
    ON v.source = 'teacher' AND c.item_id = v.item_id AND c.ended_at IS NULL
WHERE v.project_id = %s AND i.number < %s AND v.state = 'decided' AND v.value IS NOT NULL
  AND i.removed_at IS NULL AND NOT {auditing.untrainable_items()}
ORDER BY i.number
"""  # noqa: S608 - only our own condition is put in


@dataclass(frozen=True, kw_only=True)
class Decided:
    """An item whose value is decided: its number, the value, how many people answered, its content.

    p_right: how likely right it is held to be where a teacher decided it; None where people or files did.
    """

    number: int
    value: Any
    answers: int
    group: int
    p_right: float | None


def decided(project: Project, below: int, question: Question | None = None) -> list[Decided]:
    """Those that a student may learn from, with numbers below `below`: none that is held out, and of a
    form those that were asked the question.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, [project.pk, below])
        return [
            Decided(
                number=number,
                value=json.loads(value),
                answers=answers,
                group=int.from_bytes(bytes(content)[:7]),
                p_right=p_right,
            )
            for number, value, answers, content, labels, p_right in cursor.fetchall()
            if was_asked(question, labels)
        ]


def was_asked(question: Question | None, labels: list[int]) -> bool:
    """Whether an answer with these labels was asked the question; there may be only one."""
    return question is None or not question.after or not set(question.after).isdisjoint(labels)


def audited(project: Project, question: Question | None = None) -> list[tuple[int, Any]]:
    """The evaluation items that people decided, in the order of the draw, with their values; of a form
    those that were asked the question.
    """
    numbers = [number for number, _ in auditing.answered(project, Part.EVALUATION)]
    found = Verdict.objects.filter(project=project, item__number__in=numbers, value__isnull=False)
    values = {
        number: value
        for number, value, labels in found.values_list("item__number", "value", "labels")
        if was_asked(question, labels)
    }
    return [(number, values[number]) for number in numbers if number in values]
