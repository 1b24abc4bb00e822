"""Answer sets as a page tells of them: what is promised, how it held, and what casts doubt on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from annotator.models import Project, SetCalibration
from annotator.web.charts import Curve, Point, Series, curve


@dataclass(frozen=True, kw_only=True)
class SetsView:
    """The current student's sets: figures as they are kept, and warnings in sentences."""

    kept: SetCalibration
    method: str
    missing: int
    warnings: list[str] = field(default_factory=list)

    @property
    def figures(self) -> dict[str, Any]:
        return dict(self.kept.figures)


def context(project: Project) -> dict[str, Any]:
    """The current student's sets, and how often those of all versions held."""
    if not project.has_sets or project.current_student_id is None:
        return {"sets": None}
    kept = SetCalibration.objects.filter(version=project.current_student_id).first()
    return {
        "sets": None if kept is None else _view(kept),
        "sets_curve": None if kept is None else _over_time(project),
    }


def _view(kept: SetCalibration) -> SetsView:
    from learning.audit.conformal import CONFORMAL

    return SetsView(
        kept=kept,
        method=CONFORMAL.entry(kept.method).label,
        missing=0 if kept.thresholds else max(kept.figures["needed"] - kept.items, 0),
        warnings=warnings(kept) if kept.thresholds else [],
    )


def warnings(kept: SetCalibration) -> list[str]:
    """Why the promise may not hold, each with its figure; mostly none."""
    from learning.audit.conformal.watch import ALARM

    found, figures = [], kept.figures
    held, difference = figures["held"], figures["difference"]
    if figures["luck"] < ALARM:
        found.append(
            f"Only {held['value']:.0%} of {held['n']:,} later answers were in their set; so few come "
            f"about by chance in {_rare(figures['luck'])}. Later items differ from those of the "
            "calibration, or their answers were given in another way. Answer more audit items."
        )
    if difference is not None and difference < ALARM:
        found.append(
            "The calibration items look different from the rest of the pool; by chance they would "
            f"in {_rare(difference)}. Items may have come by an import of another kind, or ties are "
            "missing among the audit items. Review ties, and answer the audit items that wait."
        )
    return found


def _rare(chance: float) -> str:
    return "fewer than 1 of 1,000 cases" if chance < 0.001 else f"{chance:.1%} of cases"


def _over_time(project: Project) -> Curve | None:
    """Coverage on the evaluation items by version; each version was calibrated for itself."""
    rows = SetCalibration.objects.filter(project=project, thresholds__isnull=False)
    points = [
        Point(
            x=kept.version.trained_on,
            y=kept.figures["held"]["value"],
            low=kept.figures["held"]["low"],
            high=kept.figures["held"]["high"],
            title=f"student {kept.version.number}: {kept.figures['held']['value']:.0%} of "
            f"{kept.figures['held']['n']:,} answers, promised {kept.coverage:.0%}",
        )
        for kept in rows.select_related("version").order_by("version__number")
        if kept.figures["held"]["value"] is not None
    ]
    if len(points) < 2:
        return None
    return curve(
        [Series(name="in their set", points=points)],
        description=f"Coverage of the answer sets of {project.name} by student",
        x_name="labelled items",
    )
