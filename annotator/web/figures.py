"""The numbers in the header of the label page."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Count, Min
from django.utils import timezone

from annotator.models import (
    Annotation,
    Annotator,
    EstimateSource,
    Project,
    StudentVersion,
)

SHORTEST_MINUTES = 5.0


def of_student(project: Project) -> dict[str, str]:
    """The current student's accuracy in words, and how well it is known."""
    if project.current_student_id is None:
        return {"student": "no student yet" if project.task.students else "", "known": ""}
    student, known = _student_words(project.current_student_id)
    return {"student": student, "known": known}


@lru_cache(maxsize=256)
def _student_words(student_id: int) -> tuple[str, str]:
    """Kept in memory, since a version's figures never change and every answer shows them."""
    student = StudentVersion.objects.get(pk=student_id)
    if student.accuracy is None:
        return "student: too early to say", ""
    known = ""
    if student.accuracy_low is not None and student.accuracy_high is not None:
        known = f" ({student.accuracy_low * 100:.0f}–{student.accuracy_high * 100:.0f})"
    if student.estimate != EstimateSource.AUDIT:
        known += ", early estimate"
    return f"student {student.accuracy * 100:.0f}\u202f%", known


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
    return {"answers": f"{mine.count():,}", "rate": rate, **of_student(project)}
