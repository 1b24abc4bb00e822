"""A teacher's confidence beside how often it was right: a curve before and after calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annotator.actions.trust import calibrating
from annotator.models import Calibration
from annotator.web.charts import Curve, Point, Series, curve

if TYPE_CHECKING:
    from annotator.web.scorecards import Subject

PERFECT = Series(
    name="as often right as it says",
    points=[Point(x=0, y=0.0), Point(x=100, y=1.0)],
    ahead=True,
)


def section(subject: Subject) -> dict[str, Any] | None:
    """How its confidence is read, or how many answers are missing; None for who is no teacher, and
    for one that gives orders, of which none is calibrated."""
    if subject.teacher is None or not subject.project.task.weighed:
        return None
    kept = Calibration.objects.filter(teacher=subject.teacher).first()
    if kept is not None and kept.fingerprint != subject.fingerprint:
        kept = None  # what was fitted is about other settings
    return {
        "kept": kept,
        "missing": calibrating.FEWEST if kept is None else kept.missing,
        "fewest": calibrating.FEWEST,
        "before": kept and kept.checked and kept.checked["before"],
        "after": kept and kept.checked and kept.checked["after"],
        "curve": kept and kept.checked and drawn(kept.checked, "the teacher"),
    }


def drawn(checked: dict[str, Any], who: str) -> Curve | None:
    """Reliabilities, `before` and maybe `after` calibration, beside the line of the honest."""
    before, after = checked["before"], checked["after"]
    lines = [] if before is None else [_series("as stated", before, other=after is not None)]
    if after is not None:
        lines.append(_series("calibrated", after))
    return curve(
        [*lines, PERFECT],
        description=f"How often {who} was right, by its confidence in percent",
        x_name="confidence, %",
    )


def _series(name: str, kept: dict[str, Any], *, other: bool = False) -> Series:
    points = [
        Point(
            x=100 * each["stated"],
            y=each["right"]["value"],
            low=each["right"]["low"],
            high=each["right"]["high"],
            title=f"{name}: {each['stated']:.0%} sure, right on {each['right']['value']:.0%} of "
            f"{each['right']['n']:,}",
        )
        for each in kept["bins"]
    ]
    return Series(name=name, points=points, other=other)
