"""Several mean curves in one chart: bands, dashes, marks and names at their ends, drawn by the server.

Colour is never alone: each curve has a dash and a mark of its own and its name beside its last point.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from annotator.web.charts import Tick, nice_step

HUES, DASHES = 12, 6
MARKS = ("circle", "square", "triangle", "diamond", "cross", "down")
# Marks along a curve; more would hide it.
MOST_MARKS = 6
NAME_HEIGHT = 15
TOP, BOTTOM = 14, 36


@dataclass(frozen=True, kw_only=True)
class Size:
    """One of the two widths that a page has room for."""

    width: int
    height: int
    left: int
    right: int
    x_parts: int
    leader: int
    short_names: bool


WIDE = Size(width=960, height=380, left=48, right=264, x_parts=8, leader=44, short_names=False)
NARROW = Size(width=340, height=300, left=40, right=112, x_parts=3, leader=18, short_names=True)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A mean score (0…1) after so many labels; low and high where several seeds were drawn."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One strategy's mean curve. `short` is its name where there is little room; without `banded`
    its interval stands in the table only.
    """

    name: str
    short: str
    places: Sequence[Place]
    strong: bool = False
    banded: bool = True


@dataclass(frozen=True, kw_only=True)
class DrawnLine:
    """A curve as paths; hue, dash and mark are numbers of the stylesheet's."""

    name: str
    hue: int
    dash: int
    strong: bool
    line: str
    band: str
    marks: list[str]
    label: str
    label_y: float
    leader: str


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """One size of the chart, ready for the template."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    label_x: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    full: Tick | None
    lines: list[DrawnLine]


@dataclass(frozen=True, kw_only=True)
class Cell:
    x: float
    places: list[Place | None]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Both sizes, and the numbers as a table."""

    description: str
    measure: str
    wide: Overlay
    narrow: Overlay
    names: list[str]
    rows: list[Cell] = field(default_factory=list)


def chart(
    lines: Sequence[Line], *, description: str, measure: str, full: float | None = None
) -> Chart | None:
    """Draw curves over a count of labels, or None while there is nothing to draw.

    full: what all labels give, drawn as a line across.
    """
    if not lines:
        return None
    counts = sorted({place.x for line in lines for place in line.places})
    by_count = [{place.x: place for place in line.places} for line in lines]
    return Chart(
        description=description,
        measure=measure,
        wide=_drawn(lines, WIDE, full),
        narrow=_drawn(lines, NARROW, full),
        names=[line.name for line in lines],
        rows=[Cell(x=x, places=[places.get(x) for places in by_count]) for x in counts],
    )


def _drawn(lines: Sequence[Line], size: Size, full: float | None) -> Overlay:
    height = max(size.height, NAME_HEIGHT * len(lines) + TOP + BOTTOM)
    right, bottom = size.width - size.right, height - BOTTOM
    x_low, x_high = _x_range(lines)
    floor, top, step = _y_range(lines, full)

    def place_x(value: float) -> float:
        return round(size.left + (right - size.left) * (value - x_low) / (x_high - x_low), 1)

    def place_y(value: float) -> float:
        return round(bottom - (bottom - TOP) * (value - floor) / (top - floor), 1)

    x_step = nice_step(x_high - x_low, size.x_parts)
    first = math.ceil(x_low / x_step)
    x_values = [x_step * n for n in range(first, math.floor(x_high / x_step) + 1)]
    y_values = [floor + step * n for n in range(round((top - floor) / step) + 1)]
    ends = [place_y(line.places[-1].y) for line in lines]
    label_ys = spread(ends, NAME_HEIGHT, TOP, bottom)
    return Overlay(
        width=size.width,
        height=height,
        left=size.left,
        right=right,
        top=TOP,
        bottom=bottom,
        label_x=right + size.leader + 4,
        x_ticks=[Tick(at=place_x(value), text=f"{value:,.0f}") for value in x_values],
        y_ticks=[Tick(at=place_y(value), text=_share(value, step)) for value in y_values],
        full=None
        if full is None
        else Tick(at=place_y(full), text=f"all labels {_share(full, 0.001)}"),
        lines=[
            _line(number, line, (place_x, place_y), (floor, top), label_ys[number], size)
            for number, line in enumerate(lines)
        ],
    )


def _x_range(lines: Sequence[Line]) -> tuple[float, float]:
    counts = [place.x for line in lines for place in line.places]
    low, high = min(counts), max(counts)
    return (low, high) if high > low else (max(low - 1, 0), high + 1)


def _y_range(lines: Sequence[Line], full: float | None) -> tuple[float, float, float]:
    """(floor, top, step): tenths where the curves span much, finer steps where they span little.

    The curves decide: a band of few seeds may be so wide that it would press them flat, and is cut
    off at the edge.
    """
    values = [place.y for line in lines for place in line.places]
    if full is not None:
        values.append(full)
    least = min(values)  # below 0 where orders are worse than chance
    low, high = least - 0.02 if least < 0 else max(least - 0.02, 0.0), min(max(values) + 0.02, 1.0)
    step = next(step for step in (0.02, 0.05, 0.1, 0.2, 0.5) if high - low <= 7 * step)
    floor = math.floor(low / step + 1e-9) * step
    top = min(math.ceil(high / step - 1e-9) * step, 1.0)
    return floor, max(top, floor + step), step


def _share(value: float, step: float) -> str:
    digits = 1 if step < 0.01 else 0
    return f"{value * 100:.{digits}f}\u202f%"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as may be to the wanted ones, `gap` apart and within low … high if they fit."""
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    found = [0.0] * len(wanted)
    before = low - gap
    for number in order:
        before = found[number] = max(wanted[number], before + gap)
    after = high + gap
    for number in reversed(order):
        after = found[number] = min(found[number], after - gap)
    return [round(place, 1) for place in found]


Placers = tuple[Callable[[float], float], Callable[[float], float]]


def _line(
    number: int,
    line: Line,
    place: Placers,
    ends: tuple[float, float],
    label_y: float,
    size: Size,
) -> DrawnLine:
    place_x, place_y = place
    dots = [(place_x(one.x), place_y(one.y)) for one in line.places]
    end_x, end_y = dots[-1]
    # Shifted every six, so that no two curves agree in all of hue, dash and mark.
    kind = MARKS[(number + number // len(MARKS)) % len(MARKS)]
    edge = max(size.width - size.right, end_x) + 6
    return DrawnLine(
        name=line.name,
        hue=number % HUES,
        dash=number % DASHES,
        strong=line.strong,
        line="M" + " ".join(f"{x},{y}" for x, y in dots) if len(dots) > 1 else "",
        band=_band(line.places, place, ends) if line.banded else "",
        marks=[mark(kind, *dots[at]) for at in marked(len(dots), number)],
        label=line.short if size.short_names else line.name,
        label_y=label_y,
        leader=f"M{end_x + 6},{end_y} {edge},{end_y} {edge + size.leader - 8},{label_y}",
    )


def _band(places: Sequence[Place], place: Placers, ends: tuple[float, float]) -> str:
    place_x, place_y = place
    floor, top = ends
    ranged = [
        (place_x(one.x), place_y(max(one.low, floor)), place_y(min(one.high, top)))
        for one in places
        if one.low is not None and one.high is not None
    ]
    if len(ranged) < 2:
        return ""
    there = " ".join(f"{x},{high}" for x, _, high in ranged)
    back = " ".join(f"{x},{low}" for x, low, _ in reversed(ranged))
    return f"M{there} L{back} Z"


def marked(points: int, number: int) -> list[int]:
    """Which points carry a mark: the last one, and some before at places that differ by curve."""
    if points <= MOST_MARKS:
        return list(range(points))
    step = points / (MOST_MARKS - 1)
    shift = (number % 4) / 4 * step
    inner = {int(shift + step * count) for count in range(MOST_MARKS)}
    return sorted({place for place in inner if place < points - 1} | {points - 1})


def mark(kind: str, x: float, y: float, r: float = 3.6) -> str:
    """The path of a mark around a point."""
    a = round(r * 0.9, 1)
    if kind == "circle":
        return f"M{x - r:.1f},{y}a{r},{r} 0 1,0 {2 * r},0a{r},{r} 0 1,0 {-2 * r},0Z"
    shapes = {
        "square": [(-a, -a), (a, -a), (a, a), (-a, a)],
        "triangle": [(0, -r - 0.6), (r + 0.4, a), (-r - 0.4, a)],
        "down": [(0, r + 0.6), (r + 0.4, -a), (-r - 0.4, -a)],
        "diamond": [(0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0)],
        "cross": [(-a, -a), (a, a), (0, 0), (a, -a), (-a, a), (0, 0)],
    }
    return "M" + " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes[kind]) + "Z"
