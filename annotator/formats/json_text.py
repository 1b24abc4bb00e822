"""JSON texts to records, refusing what the database or another reader could not take."""

from __future__ import annotations

import json
import math
from typing import Any

from annotator.formats.records import (
    LIMITS,
    Fault,
    Limits,
    Record,
    RowError,
    fault_in_text,
    fault_in_value,
)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Fault:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = [name for name, _ in pairs]
    double = printable(next(name for place, name in enumerate(names) if name in names[:place]))
    return Fault(f"The key {double!r} comes twice in one object.", double)


def _no_constant(text: str) -> Fault:
    return Fault(f"{text} is no JSON number and can't be stored.")


def _finite(text: str) -> float | Fault:
    number = float(text)
    if math.isinf(number):
        return Fault(f"{text[:20]} is larger than any number that can be stored.")
    return number


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
)


def decoded(text: str, limits: Limits = LIMITS) -> Any:
    """Decode one JSON value; raise RowError with a sentence when that isn't possible."""
    try:
        value = DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise RowError([fault_of(error, limits)]) from error
    if nesting_of(text, limits.nesting) > limits.nesting:
        raise RowError([("", too_deep(limits))])
    return value


def fault_of(error: ValueError | RecursionError, limits: Limits = LIMITS) -> tuple[str, str]:
    """Give the column and the sentence for what the decoder raised."""
    if isinstance(error, RecursionError):
        return "", too_deep(limits)
    if isinstance(error, json.JSONDecodeError):
        return "", f"This is not valid JSON: {error.msg} at character {error.pos + 1:,}."
    return "", f"This is not valid JSON: {str(error)[:200]}."


def too_deep(limits: Limits) -> str:
    """Say that a value is nested too deeply."""
    return f"Lists and objects are nested more than {limits.nesting} deep."


def nesting_of(text: str, enough: int) -> int:
    """Give how deep a valid JSON text is nested; exact only above `enough`, else its upper bound."""
    bound = text.count("{") + text.count("[")
    if bound <= enough:
        return bound
    depth = deepest = 0
    inside = escaped = False
    for character in text:
        if inside:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                inside = False
        elif character == '"':
            inside = True
        elif character in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "}]":
            depth -= 1
    return deepest


def record_of(row: int, value: Any, limits: Limits = LIMITS) -> Record:
    """Make a record of a decoded object; raise RowError naming every bad column."""
    if isinstance(value, Fault):
        raise RowError([(value.column, value.message)])
    if not isinstance(value, dict):
        raise RowError([("", f"An object was expected, and {_kind(value)} stands here.")])
    if len(value) > limits.columns:
        told = f"The object has {len(value):,} keys; at most {limits.columns:,} are taken."
        raise RowError([("", told)])
    faults = [
        (name, fault)
        for name, content in value.items()
        if (fault := fault_in_text(name, limits) or fault_in_value(content, limits))
    ]
    if faults:
        raise RowError([(printable(name), fault) for name, fault in faults])
    return Record(row, value)


def number_as_text(value: float) -> str:
    """A number as a grade is called: `4` for 4.0, with all its digits else."""
    return str(int(value)) if float(value).is_integer() else str(value)


def printable(name: str) -> str:
    """Make a name that may hold anything fit for a report."""
    return (
        name[:100]
        .encode("utf-8", "replace")
        .decode("utf-8")
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
