"""Whole answers that stand in a cell: a text, or a list with one answer for each voice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from annotator.formats.records import Given, RowError

# What our own exports call the column of a form's question, before its key.
COLUMN = "answer_"
# And what tells how many edits made a text of the one it begins with.
EDITS = "edits_"
# Beside "<question>.responses" Argilla has "<question>.responses.users" and "….status".
RESPONSES, USERS, STATUS = ".responses", ".users", ".status"


def given_of(fields: dict[str, Any], column: str, candidates: Sequence[str]) -> tuple[Given, ...]:
    """The answers of a cell; raise RowError for what is none.

    candidates: the columns of an item's candidates, by whose names an order may call them. Source of the
    lists: Argilla's flattened records (one column of responses, one of users).
    """
    value = fields.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return ()
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, list):
        return (Given((), words=_words(value, column, candidates)),)
    return tuple(
        Given((), voice=name, words=_words(one, column, candidates))
        for name, one in responses_of(fields, column, value)
    )


def responses_of(
    fields: dict[str, Any], column: str, value: list[Any]
) -> Iterator[tuple[str, Any]]:
    """(voice, what it said) of a cell with an answer for each; drafts and discarded ones are left out."""
    count = len(value)
    users, states = fields.get(column + USERS), fields.get(column + STATUS)
    names = users if isinstance(users, list) and len(users) == count else range(1, count + 1)
    known = states if isinstance(states, list) and len(states) == count else [None] * count
    for name, one, state in zip(names, value, known, strict=True):
        if one is not None and state in (None, "submitted"):
            yield str(name)[:100], one


def _words(value: Any, column: str, candidates: Sequence[str]) -> str:
    if ranked(value):
        return order_of(value, column, candidates)
    if isinstance(value, str):
        return value
    raise RowError([(column, "A text was expected, and a list or an object stands here.")])


def ranked(value: Any) -> bool:
    """Say whether a value is an order: a list of names with ranks."""
    return isinstance(value, list) and bool(value) and all(map(_is_placed, value))


def _is_placed(one: Any) -> bool:
    return (
        isinstance(one, dict) and isinstance(one.get("value"), str) and type(one.get("rank")) is int
    )


def order_of(value: list[Any], column: str, candidates: Sequence[str]) -> str:
    """Numbers of the candidates, best first, from their columns' names and ranks."""
    number = {name: at for at, name in enumerate(candidates, 1)}
    unknown = next((one["value"] for one in value if one["value"] not in number), None)
    if unknown is not None:
        told = f"“{unknown[:60]}” is no column of a candidate: {', '.join(candidates)[:200]}."
        raise RowError([(column, told)])
    ranks = sorted({one["rank"] for one in value})
    groups = [[number[one["value"]] for one in value if one["rank"] == rank] for rank in ranks]
    return " > ".join(" = ".join(map(str, each)) for each in groups)


def plain_name(name: str) -> str:
    """A question's name as it is compared: without case and doubled spaces."""
    return " ".join(name.split()).casefold()
