"""Cells of a file as the plain things that they stand for."""

from __future__ import annotations

import json
import math
from typing import Any


def json_in(text: str) -> Any:
    """What a text says as JSON; None where it says none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def number_in(value: Any) -> float | None:
    """A finite number, also one that is written as a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def words_in(value: Any) -> str:
    """A cell as words, numbers without needless decimals."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
