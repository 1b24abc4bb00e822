"""Texts as a language model writes them: what it is told, and how that is read."""

import json
from typing import Any

from learning.errors import ShapeError
from learning.teachers.types import TeacherSchema
from learning.written import kept

TASK = (
    "You write texts. For each item read what it gives, and write the text that the guidelines ask for. "
    "Where an item has a draft, edit it: change what has to be changed, leave the rest as it is, and "
    "give the whole text."
)
# What the texts of an item are called; the other where the second is given to be edited.
TWO, DRAFTED = ("First text:", "Second text:"), ("Text:", "Draft:")
PROBLEM = "The answer held no text, an empty one, or one that is too long."


def names(schema: TeacherSchema) -> tuple[str, str]:
    """What the two texts of an item are called."""
    return DRAFTED if schema.written else TWO


def text_shape(*, confidence: bool, reason: bool) -> str:
    """The last paragraph of the system part: the form of an answer."""
    one: dict[str, Any] = {"item": "the item's id"}
    if reason:
        one["reason"] = "one short sentence, before you write"
    one["text"] = "the whole text"
    if confidence:
        one["confidence"] = 0.8
    told = (
        ' "confidence" is between 0 and 1: how likely a person would leave the text as it is.'
        if confidence
        else ""
    )
    shape = json.dumps({"answers": [one]}, ensure_ascii=False)
    return (
        f"Answer with JSON only, one entry for every item: {shape}\nThe text stands by itself, without "
        f'a word about it. Give null for "text" if you cannot tell what to write.{told}'
    )


def text_format() -> dict[str, Any]:
    """The JSON schema of a text; that it is not empty is checked."""
    return {"anyOf": [{"type": "string"}, {"type": "null"}]}


def read_text(given: object) -> str | None:
    """The text as it is kept, None where it is none that a person could answer."""
    try:
        return kept(given)
    except ShapeError:
        return None
