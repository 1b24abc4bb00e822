"""Boxes of images as our own files hold them: sides are shares of the picture, 0 … 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIDES = ("x", "y", "w", "h")
# Sides as shares of the picture, and the label's name.
Place = tuple[float, float, float, float, str]


def exported(value: Any, names: Mapping[int, str], text: str = "") -> list[dict[str, Any]] | None:
    """A stored value with its labels by name. None where there is no value."""
    if value is None:
        return None
    return [
        {"label": names[one["label"]]} | {side: one[side] for side in SIDES}
        for one in value["boxes"]
    ]


def in_pixels(box: Mapping[str, Any], width: int, height: int) -> list[float]:
    """Left, top, width and height in pixels, to a hundredth."""
    scale = (width, height, width, height)
    return [round(box[side] * of, 2) for side, of in zip(SIDES, scale, strict=True)]


def in_percent(box: Mapping[str, Any]) -> dict[str, float]:
    """Left, top, width and height in percent of the picture, by the names that most tools have."""
    names = ("x", "y", "width", "height")
    return {name: round(100 * box[side], 3) for name, side in zip(names, SIDES, strict=True)}
