"""Which of two texts is better, asked once with each of them first: a model that favours a place is found out.

Source: Zheng et al. 2023 (judges favour places; both orders, and no winner where they contradict each other).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from learning.teachers.filling import chosen, reached
from learning.teachers.types import (
    Example,
    TeacherAnswer,
    TeacherItem,
    TeacherQuestion,
    TeacherSchema,
)
from learning.types import require

SHOWN = ("The first text is better", "The second text is better")
# Marks of an answer: asked both ways; and of those, twice for the text that stood in one place.
BOTH_WAYS, FIRST_TWICE, SECOND_TWICE = "both-ways", "first-twice", "second-twice"
TORN = "Shown in both orders, the model’s two answers come to no whole form."
SWAYED = "Shown in both orders, the model preferred the {} of the two texts each time."


def as_shown(schema: TeacherSchema) -> TeacherSchema:
    """The schema with its sides called by the place where a text is shown, whatever people call them; all
    other schemas as they are.
    """
    called = {
        column: name for sides in schema.sides for column, name in zip(sides, SHOWN, strict=True)
    }
    labels = [
        replace(label, name=called.get(column, label.name))
        for column, label in enumerate(schema.labels)
    ]
    return replace(schema, labels=tuple(labels))


def turned(item: TeacherItem) -> TeacherItem:
    """The item with its second text first."""
    return replace(item, text=item.text_b, text_b=item.text)


def as_turned(schema: TeacherSchema) -> TeacherSchema:
    """The schema as it is told of items `turned`: a question that waits for one side waits for the other."""
    other = {one: two for sides in schema.sides for one, two in (sides, sides[::-1])}
    questions = [
        replace(each, after=tuple(other.get(column, column) for column in each.after))
        for each in schema.questions
    ]
    return replace(schema, questions=tuple(questions))


def as_turned_example(example: Example, schema: TeacherSchema) -> Example:
    """A solved item `turned`: what was said of one of its texts is said of it where it stands now."""
    ids = [(schema.ids[one], schema.ids[two]) for one, two in schema.sides]
    other = {one: two for sides in ids for one, two in (sides, sides[::-1])}
    labels = tuple(other.get(label, label) for label in example.labels)
    return replace(example, item=turned(example.item), labels=labels)


def joined(own: TeacherAnswer, other: TeacherAnswer, schema: TeacherSchema) -> TeacherAnswer:
    """One answer about an item from what was said to it and to it `turned`, with what both took.

    The chances are the mean of the two, of a form's question the mean of those that led to it; the
    confidence is the lower one. Where each order got another side, of a form to one question, that is no
    answer, nor where one of the two is none, or both come to no whole form.
    """
    require(own.number == other.number, "The two orders must be of one item.")
    whole = replace(
        own,
        flags=_flags(own, other),
        tokens_in=own.tokens_in + other.tokens_in,
        tokens_out=own.tokens_out + other.tokens_out,
        money=own.money + other.money,
        seconds=own.seconds + other.seconds,
    )
    if own.probabilities is None or other.probabilities is None:
        why = own.abstained or other.abstained
        return replace(whole, probabilities=None, confidence=None, abstained=why)
    back = other.probabilities.copy()
    for first, second in schema.sides:
        back[[first, second]] = back[[second, first]]
    twice = _twice(own.probabilities, back, schema)
    if twice is not None:
        mark, told = ((FIRST_TWICE, "first"), (SECOND_TWICE, "second"))[twice]
        return replace(
            whole,
            probabilities=None,
            confidence=None,
            abstained=SWAYED.format(told),
            flags=tuple(sorted({*whole.flags, mark})),
        )
    mean = _together(own.probabilities, back, schema)
    if mean is None:
        return replace(whole, probabilities=None, confidence=None, abstained=TORN)
    stated = [each.confidence for each in (own, other) if each.confidence is not None]
    return replace(
        whole,
        probabilities=mean,
        confidence=min(stated, default=None),
    )


def _together(
    own: NDArray[np.float32], back: NDArray[np.float32], schema: TeacherSchema
) -> NDArray[np.float32] | None:
    """(k,) what two orders amount to; None for a form of which a question is left open."""
    if not schema.questions:
        return np.asarray((own + back) / np.float32(2), dtype=np.float32)
    orders = [(p, reached(schema, np.flatnonzero(chosen(schema, p)).tolist())) for p in (own, back)]
    found = np.zeros(schema.size, dtype=np.float32)
    for one in schema.questions:
        columns = list(one.columns)
        heard = [p[columns] for p, led in orders if one in led]
        if heard:
            found[columns] = np.mean(heard, axis=0)
    given = np.flatnonzero(chosen(schema, found)).tolist()
    return None if any(_is_open(one, found) for one in reached(schema, given)) else found


def _is_open(question: TeacherQuestion, found: NDArray[np.float32]) -> bool:
    """Whether nothing answers a question that takes one answer, or two do alike; a tie beside one text is
    half of a word for that text.
    """
    if question.several or question.marks:
        return False
    shares = np.sort(found[list(question.columns)])[::-1]
    alike = len(shares) > 1 and shares[0] == shares[1] and not question.sided
    return bool(shares[0] == 0 or alike)


def _twice(
    own: NDArray[np.float32], back: NDArray[np.float32], schema: TeacherSchema
) -> int | None:
    """Whether the text that was shown first (0) or second (1) was found better in both orders, by the first
    question to which that happened; None where it did not.
    """
    of_question = {one.columns[:2]: list(one.columns) for one in schema.questions if one.sided}
    for sides in schema.sides:
        columns = of_question.get(sides, list(range(schema.size)))
        found = {int(own[columns].argmax()), int(back[columns].argmax())}
        if found == {0, 1} and own[columns].any() and back[columns].any():
            return int(own[columns].argmax())
    return None


def _flags(own: TeacherAnswer, other: TeacherAnswer) -> tuple[str, ...]:
    flags = {*own.flags, *other.flags, BOTH_WAYS}
    if not ("cached" in own.flags and "cached" in other.flags):
        flags.discard("cached")
    return tuple(sorted(flags))
