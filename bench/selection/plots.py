"""Curves with bands as SVG files, drawn without a library."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 60, 230, 40, 50
COLOURS = ("#1b6ef3", "#5f6b7a", "#d9480f", "#2b8a3e", "#9c36b5", "#e8a400", "#0b7285", "#c2255c")
Line = tuple[str, Sequence[int], NDArray[np.float64]]  # name, labels, (seeds, rounds) scores


def draw(path: Path, title: str, lines: Sequence[Line], marks: dict[str, float]) -> None:
    """Write one chart: mean curves with the spread over seeds, and dashed marks by height."""
    most = max(max(labels) for _, labels, _ in lines)
    low = min(float(scores.mean(axis=0)[1:].min()) for _, _, scores in lines)
    high = max([float(scores.max()) for _, _, scores in lines] + list(marks.values()))
    low, high = np.floor(20 * low) / 20, np.ceil(20 * high) / 20

    def x(labels: float) -> float:
        return LEFT + labels / most * (WIDTH - LEFT - RIGHT)

    def y(score: float) -> float:
        share = (min(max(score, low), high) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="22" font-size="15">{escape(title)}</text>',
    ]
    for score in np.linspace(low, high, 6):
        parts += [
            f'<path d="M{LEFT} {y(score):.1f}H{WIDTH - RIGHT}" stroke="#e3e6ea"/>',
            f'<text x="{LEFT - 8}" y="{y(score) + 4:.1f}" text-anchor="end">{score:.2f}</text>',
        ]
    parts += [
        f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at:,}</text>'
        for at in range(0, most + 1, 500 if most > 1_000 else 200)
    ]
    for name, score in marks.items():
        parts += [
            f'<path d="M{LEFT} {y(score):.1f}H{WIDTH - RIGHT}" stroke="#888" stroke-dasharray="4 4"/>',
            f'<text x="{WIDTH - RIGHT + 6}" y="{y(score) + 4:.1f}" fill="#666">{escape(name)}</text>',
        ]
    for place, (name, labels, scores) in enumerate(lines):
        colour = COLOURS[place % len(COLOURS)]
        mean, spread = scores.mean(axis=0), scores.std(axis=0)
        across = [x(n) for n in labels]
        over = [f"{a:.1f},{y(s):.1f}" for a, s in zip(across, mean + spread, strict=True)]
        under = [f"{a:.1f},{y(s):.1f}" for a, s in zip(across, mean - spread, strict=True)]
        middle = " ".join(f"{a:.1f},{y(s):.1f}" for a, s in zip(across, mean, strict=True))
        band = " ".join([*over, *reversed(under)])
        height = HEIGHT - BOTTOM - 20 * (len(lines) - place)
        parts += [
            f'<polygon points="{band}" fill="{colour}" opacity="0.10"/>',
            f'<polyline points="{middle}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<path d="M{WIDTH - RIGHT + 8} {height}h18" stroke="{colour}" stroke-width="3"/>',
            f'<text x="{WIDTH - RIGHT + 32}" y="{height + 4}">{escape(name)}</text>',
        ]
    parts += [
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">labels</text>',
        "</svg>",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")
