"""The figures of Review in words: errors found, errors left, and what more cases would tell."""

from __future__ import annotations

from typing import Any

from annotator.actions.review.reviewed import FEWEST_DRAWN, Figures
from annotator.models import Project
from annotator.templatetags.concord import percent, thousands
from annotator.web.charts import Curve, Point, Series, curve

# Fewer flagged cases than this draw no line worth looking at.
FEWEST_POINTS = 5
# A wider interval than this says nothing about the cases to come.
WIDEST_TOLD = 0.8
# Beside a case it does not matter how many thousands wait, and counting them takes longer than the case.
MOST_COUNTED = 1_000


def figures_view(project: Project, figures: Figures) -> dict[str, Any]:
    """What the bar under a case and the report show."""
    return {
        "waiting": min(figures.waiting, MOST_COUNTED),
        "more_wait": figures.waiting > MOST_COUNTED,
        "figures": figures,
        "found": figures.found,
        "left_sentence": _left(figures),
        "found_curve": _curve(project, figures),
    }


def _left(figures: Figures) -> str:
    """The remaining error rate as somebody would write it down."""
    left = figures.remaining
    if left is None:
        return "The labels have not been looked at yet."
    if not figures.enough or left.rate is None:
        missing = max(FEWEST_DRAWN - left.drawn, 1)
        return (
            f"How many of {thousands(left.labels)} labels are wrong is told from {missing} more "
            "randomly drawn cases on; they are mixed in."
        )
    more = figures.more
    sentence = (
        f"{percent(left.rate, 1)} of {thousands(left.labels)} labels are still wrong "
        f"(95 %: {percent(left.low, 1)} – {percent(left.high, 1)}), by {thousands(left.drawn)} drawn "
        "cases."
    )
    if more:
        sentence += f" {thousands(more)} more drawn cases would halve the interval."
    return sentence


def next_sentence(figures: Figures) -> str:
    """How many of the next cases are expected to be errors; nothing while that might be any share."""
    told = figures.precision
    if not told or told["high"] - told["low"] > WIDEST_TOLD:
        return ""
    return (
        f"Of the next {thousands(told['cases'])} flagged cases {percent(told['rate'])} are expected to be "
        f"wrong (95 %: {percent(told['low'])} – {percent(told['high'])})."
    )


def _curve(project: Project, figures: Figures) -> Curve | None:
    points = figures.found.curve
    if len(points) < FEWEST_POINTS:
        return None
    line = [
        Point(
            x=place,
            y=share,
            title=f"{percent(share)} of the first {place} flagged cases were wrong",
        )
        for place, share in points
    ]
    return curve(
        [Series(name="flagged cases that were wrong", points=line)],
        description=f"Errors among the flagged cases of {project.name} that were settled so far",
        x_name="flagged cases settled",
    )
