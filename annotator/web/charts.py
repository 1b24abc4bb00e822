"""Charts drawn by the server: numbers in, places on an SVG out. Colours are the stylesheet's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

WIDTH, NARROW = 640, 340
HEIGHT = 240
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 34
# More points than a screen has room for say nothing more.
MOST_POINTS = 60

Form = Literal["share", "coefficient"]
_TEXTS: dict[Form, Callable[[float], str]] = {
    "share": lambda value: f"{value * 100:.0f}\u202f%",
    "coefficient": lambda value: f"{value:.1f}",
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measured value with its interval; `title` is what a pointer on it reads."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points in the order of x; `other` draws them dashed, as figures of a lesser kind; `ahead`
    dashes the line and its band and draws no dots: nothing was measured there yet."""

    name: str
    points: Sequence[Point]
    other: bool = False
    ahead: bool = False


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A grid line's place and its words."""

    at: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Dot:
    x: float
    y: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A series as paths."""

    name: str
    other: bool
    ahead: bool
    line: str
    band: str
    dots: list[Dot]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One size of a curve: everything that the template needs to write the SVG."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    series: list[Drawn]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A chart in the two sizes of the screens, under one description."""

    description: str
    x_name: str
    series: list[Series]
    wide: Drawing
    narrow: Drawing
    form: Form = "share"

    @property
    def banded(self) -> bool:
        """Whether an interval is drawn; that of figures of a lesser kind is not."""
        return any(one.band and not one.other for one in self.wide.series)


def curve(
    series: Sequence[Series], *, description: str, x_name: str, form: Form = "share"
) -> Curve | None:
    """Draw shares (0…1) or coefficients (1 at most) over a count, or None with nothing to draw."""
    thin = [replace(one, points=thinned(one.points)) for one in series if one.points]
    if not thin:
        return None
    return Curve(
        description=description,
        x_name=x_name,
        series=thin,
        wide=_drawing(thin, WIDTH, form),
        narrow=_drawing(thin, NARROW, form),
        form=form,
    )


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most so many points, the last one always among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(place * step)] for place in range(most)]


def _drawing(series: Sequence[Series], width: int, form: Form) -> Drawing:
    points = [point for one in series for point in one.points]
    right_end = max(point.x for point in points)
    x_step = nice_step(right_end, 7 if width == WIDTH else 4)
    x_top = max(x_step * math.ceil(right_end / x_step), 1)
    lowest = min(point.y if point.low is None else point.low for point in points)
    floor = min(math.floor(lowest * 10) / 10, 0.9)
    plot_right, plot_bottom = width - RIGHT, HEIGHT - BOTTOM

    def place_x(value: float) -> float:
        return round(LEFT + (plot_right - LEFT) * value / x_top, 1)

    def place_y(value: float) -> float:
        return round(plot_bottom - (plot_bottom - TOP) * (value - floor) / (1 - floor), 1)

    y_step = 0.1 if floor >= 0.45 else 0.2
    y_values = [1 - y_step * count for count in range(round((1 - floor) / y_step) + 1)]
    return Drawing(
        width=width,
        height=HEIGHT,
        left=LEFT,
        right=plot_right,
        top=TOP,
        bottom=plot_bottom,
        x_ticks=[
            Tick(at=place_x(x_step * count), text=f"{x_step * count:,.0f}")
            for count in range(math.floor(x_top / x_step) + 1)
        ],
        y_ticks=[
            Tick(at=place_y(value), text=_TEXTS[form](value))
            for value in y_values
            if value >= floor - 1e-9
        ],
        series=[_drawn(one, place_x, place_y) for one in series],
    )


def nice_step(largest: float, wanted: int) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts 0…largest into about `wanted` parts."""
    rough = max(largest, 1) / wanted
    power = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    for factor in (1, 2, 5, 10):
        if factor * power >= rough:
            return float(factor * power)
    raise AssertionError("unreachable: ten times the power is above the rough step")


def _drawn(
    one: Series, place_x: Callable[[float], float], place_y: Callable[[float], float]
) -> Drawn:
    dots = [Dot(x=place_x(p.x), y=place_y(p.y), title=p.title) for p in one.points]
    ranged = [
        (place_x(p.x), place_y(p.low), place_y(p.high))
        for p in one.points
        if p.low is not None and p.high is not None
    ]
    band = ""
    if len(ranged) > 1:
        there = " ".join(f"{x},{high}" for x, _, high in ranged)
        back = " ".join(f"{x},{low}" for x, low, _ in reversed(ranged))
        band = f"M{there} L{back} Z"
    line = "M" + " ".join(f"{dot.x},{dot.y}" for dot in dots) if len(dots) > 1 else ""
    # Many dots would hide the line; the last ones are what people look for.
    shown = [] if one.ahead else dots[-24:]
    return Drawn(name=one.name, other=one.other, ahead=one.ahead, line=line, band=band, dots=shown)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One row of a bar chart; `share` of the longest row is its width in percent."""

    name: str
    count: int
    share: float
    width: float
    hue: int | None = None


def bars(counts: Sequence[tuple[str, int, int | None]]) -> list[Bar]:
    """Rows given as (name, count, palette index or None), widths against the longest."""
    longest = max((count for _, count, _ in counts), default=0)
    total = sum(count for _, count, _ in counts)
    return [
        Bar(
            name=name,
            count=count,
            share=count / total if total else 0.0,
            width=round(100 * count / longest, 2) if longest else 0.0,
            hue=hue,
        )
        for name, count, hue in counts
    ]
