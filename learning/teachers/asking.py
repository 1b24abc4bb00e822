"""Asking a teacher, and holding it to what every teacher promises."""

from collections.abc import Iterator, Sequence

from learning.teachers.types import (
    Example,
    Teacher,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    check_answer,
    check_order,
)
from learning.types import Report, no_report, require


def ask(
    teacher: Teacher,
    items: Sequence[TeacherItem],
    schema: TeacherSchema,
    examples: Sequence[Example] = (),
    report: Report = no_report,
) -> Iterator[TeacherAnswer]:
    """The answers as they come, each checked against the schema.

    Raises ShapeError for items with the same number, an answer twice, to nobody's question or not
    over these labels or candidates, and at the end when an item was left out.
    """
    waiting = check_items(items)
    asked = {item.number: item for item in items}
    for answer in teacher.annotate(items, schema, examples, report):
        require(
            answer.number in waiting,
            f"The teacher answered item {answer.number} twice or without being asked.",
        )
        waiting.discard(answer.number)
        check_answer(answer, schema)
        check_order(answer, asked[answer.number])
        yield answer
    require(
        not waiting,
        f"The teacher left out {len(waiting)} of {len(items)} items: {sorted(waiting)[:5]}.",
    )


def check_items(items: Sequence[TeacherItem]) -> set[int]:
    """The items' numbers; raises ShapeError when two are the same."""
    numbers = {item.number for item in items}
    require(len(numbers) == len(items), "Two items have the same number.")
    return numbers
