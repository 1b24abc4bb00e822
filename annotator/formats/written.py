"""Whole answers that stand in a cell: a text, or a list with one answer for each voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from annotator.formats.records import Given, RowError

# Beside "<question>.responses" Argilla has "<question>.responses.users".
USERS = ".users"


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
    users = fields.get(column + USERS)
    names = (
        users if isinstance(users, list) and len(users) == len(value) else range(1, len(value) + 1)
    )
    return tuple(
        Given((), voice=str(name)[:100], words=_words(one, column, candidates))
        for name, one in zip(names, value, strict=True)
        if one is not None
    )


def _words(value: Any, column: str, candidates: Sequence[str]) -> str:
    if isinstance(value, list) and value and all(map(_is_placed, value)):
        return _order(value, column, candidates)
    if isinstance(value, str):
        return value
    raise RowError([(column, "A text was expected, and a list or an object stands here.")])


def _is_placed(one: Any) -> bool:
    return (
        isinstance(one, dict) and isinstance(one.get("value"), str) and type(one.get("rank")) is int
    )


def _order(value: list[Any], column: str, candidates: Sequence[str]) -> str:
    """Numbers of the candidates, best first, from their columns' names and ranks."""
    number = {name: at for at, name in enumerate(candidates, 1)}
    unknown = next((one["value"] for one in value if one["value"] not in number), None)
    if unknown is not None:
        told = f"“{unknown[:60]}” is no column of a candidate: {', '.join(candidates)[:200]}."
        raise RowError([(column, told)])
    ranks = sorted({one["rank"] for one in value})
    groups = [[number[one["value"]] for one in value if one["rank"] == rank] for rank in ranks]
    return " > ".join(" = ".join(map(str, each)) for each in groups)
