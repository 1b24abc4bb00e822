"""Orders of candidates as a language model gives them: what it is told, and how that is read."""

import json
from typing import Any

from learning.teachers.types import Order

TASK = (
    "You put candidates in order. For each item read what it asks and all of its candidates, and order "
    "them from the one that answers it best to the one that answers it worst."
)
PROBLEM = "The order did not name every candidate's number once and no other."


def order_shape(*, confidence: bool, reason: bool) -> str:
    """The last paragraph of the system part: the form of an answer."""
    one: dict[str, Any] = {"item": "the item's id"}
    if reason:
        one["reason"] = "one short sentence, before you decide"
    one["order"] = [["best candidate's number"], ["next", "as good as next"], ["worst"]]
    if confidence:
        one["confidence"] = 0.8
    told = (
        ' "confidence" is between 0 and 1: how likely each two candidates stand right.'
        if confidence
        else ""
    )
    shape = json.dumps({"answers": [one]}, ensure_ascii=False)
    return (
        f"Answer with JSON only, one entry for every item: {shape}\nEvery candidate's number stands in "
        'the order once; those that are equally good share a list. Give null for "order" if you cannot '
        f"tell.{told}"
    )


def order_format(candidates: int) -> dict[str, Any]:
    """The JSON schema of an order of up to so many candidates; that each is there once is checked."""
    numbers = [str(number) for number in range(1, candidates + 1)]
    group = {"type": "array", "items": {"type": "string", "enum": numbers}}
    return {"anyOf": [{"type": "array", "items": group}, {"type": "null"}]}


def read_order(given: object, count: int) -> Order | None:
    """The order that was written, None where it is none of `count` candidates.

    A candidate alone may stand without a list around it, and a number with or without quotes. Nothing is
    guessed: one that is missing, named twice or unknown makes the whole no order.
    """
    if not isinstance(given, list):
        return None
    groups = [group if isinstance(group, list) else [group] for group in given]
    numbers = [[_number(one, count) for one in group] for group in groups]
    named = [one for group in numbers for one in group if one is not None]
    whole = sum(map(len, numbers)) == len(named) == len(set(named)) == count
    if not whole or not all(numbers):
        return None
    return tuple(tuple(sorted(one for one in group if one is not None)) for group in numbers)


def _number(written: object, count: int) -> int | None:
    if isinstance(written, bool) or not isinstance(written, str | int):
        return None
    text = str(written).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        return None
    return int(text) if 1 <= int(text) <= count else None
