"""The numbers in the header of the label page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Count, Min
from django.utils import timezone

from annotator.actions.figures import advising
from annotator.actions.students import version_figures
from annotator.models import (
    Annotation,
    Annotator,
    AuditSheet,
    EstimateSource,
    Project,
    StudentVersion,
)

SHORTEST_MINUTES = 5.0


def measured_at(projects: Iterable[Project]) -> dict[int, datetime | None]:
    """When the figures of each current student were computed last, by the student's id."""
    asked = [each.current_student_id for each in projects if each.current_student_id is not None]
    sheets = AuditSheet.objects.filter(version__in=asked, figures__isnull=False)
    return dict(sheets.values_list("version_id", "computed_at"))


def of_student(project: Project, measured: dict[int, datetime | None]) -> dict[str, str]:
    """The current student's figure in words, as Progress has it, and how well it is known."""
    if project.current_student_id is None:
        return {"student": "no student yet" if project.task.students else "", "known": ""}
    at = measured.get(project.current_student_id)
    student, known = _student_words(project.current_student_id, at)
    return {"student": student, "known": known}


@lru_cache(maxsize=256)
def _student_words(student_id: int, measured: datetime | None) -> tuple[str, str]:
    """Kept in memory until the figures are computed anew, since every answer shows them."""
    version = StudentVersion.objects.select_related("project").get(pk=student_id)
    figure = version_figures.kept(version)
    if figure.value is None:
        return "student: too early to say", ""
    known = ""
    if figure.low is not None and figure.high is not None:
        known = f" ({figure.low * 100:.0f}–{figure.high * 100:.0f})"
    name = advising.name_of(version.project)
    known += f", {name}" if name != "accuracy" else ""
    if figure.source != EstimateSource.AUDIT:
        known += ", early estimate"
    return f"student {figure.value * 100:.0f}\u202f%", known


def of_voice(project: Project, voice: Annotator) -> dict[str, Any]:
    """How many answers this person gave, and how many an hour in the last hour."""
    mine = Annotation.objects.filter(annotator=voice).standing()
    now = timezone.now()
    recent = mine.filter(created_at__gte=now - timedelta(hours=1)).aggregate(
        count=Count("pk"), first=Min("created_at")
    )
    rate = None
    if recent["first"] is not None:
        minutes = max((now - recent["first"]).total_seconds() / 60, SHORTEST_MINUTES)
        rate = round(recent["count"] / minutes * 60)
    return {
        "answers": f"{mine.count():,}",
        "rate": rate,
        **of_student(project, measured_at([project])),
    }
