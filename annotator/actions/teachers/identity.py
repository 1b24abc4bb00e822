"""What makes a teacher the one it is: equal prints, equal questions to an equal model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from annotator.models import Teacher

if TYPE_CHECKING:
    from learning.teachers.types import TeacherQuestion, TeacherSchema

# A price changes what an answer costs and not what it says.
PRICES = ("price_in", "price_out")
# How candidates are shown that are to be put in order, and how often: the one of no other answers, the other
# of those about the better of two texts too. How long a text may be that is written.
BOTH_ORDERS = "both orders"
WINDOW, PASSES, LENGTH = "window", "passes", "text_tokens"


def fingerprint(teacher: Teacher, params: Mapping[str, Any], schema: TeacherSchema) -> str:
    """64 hexadecimal digits over all that decides what the teacher says about an item."""
    return _print(teacher, params, schema, PRICES)


def identity(teacher: Teacher, schema: TeacherSchema) -> str:
    """The same whatever the number of items in a prompt, which a qualification tries by itself."""
    return _print(teacher, teacher.params, schema, (*PRICES, "batch_size"))


def _print(
    teacher: Teacher, params: Mapping[str, Any], schema: TeacherSchema, but: tuple[str, ...]
) -> str:
    labels = [
        [label.id, label.name, label.description, label.parent_id, *label.words]
        for label in schema.labels
    ]
    but = (*but, *_idle(schema))
    kept = {name: value for name, value in params.items() if name not in but}
    place = "" if teacher.endpoint is None else teacher.endpoint.base_url
    told = [teacher.plugin, place, kept, labels, schema.guidelines, schema.multi_label]
    told += [_question(one) for one in schema.questions]
    told += _sources(teacher)
    if teacher.plugin == "local" and schema.sides:
        told.append(
            BOTH_ORDERS
        )  # answers and tests from before it was asked so are of another teacher
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _idle(schema: TeacherSchema) -> tuple[str, ...]:
    if schema.written:
        return (WINDOW, PASSES)
    if schema.ranked:
        return (LENGTH,)
    return (WINDOW, LENGTH) if schema.sides else (WINDOW, PASSES, LENGTH)


def _question(one: TeacherQuestion) -> dict[str, Any]:
    """As it was told before two texts could be compared in a form, where it compares none."""
    told = asdict(one)
    return told if one.sided else {name: said for name, said in told.items() if name != "sided"}


def _sources(teacher: Teacher) -> list[Any]:
    """Where its answers come from beside parameters: a file, a project's student, other teachers.

    Which version of the student answers is no part of it: a better one would be unknown for ever.
    """
    kept = [teacher.recording_id, teacher.source_id]
    if teacher.plugin == "committee":
        members = teacher.members.order_by("pk")
        return [
            [each.pk, {name: said for name, said in each.params.items() if name != LENGTH}]
            for each in members
        ]
    return kept if any(kept) else []
