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
    """The current student's accuracy with its interval, in words, and whether it is early."""
    if project.current_student_id is None:
        return {"student": "no student yet" if project.task.students else "", "early": ""}
    student, early = _student_words(project.current_student_id)
    return {"student": student, "early": early}


@lru_cache(maxsize=256)
def _student_words(student_id: int) -> tuple[str, str]:
    """Kept in memory, since a version's figures never change and every answer shows them."""
    student = StudentVersion.objects.get(pk=student_id)
    if student.accuracy is None:
        return "student: too early to say", ""
    share = f"{student.accuracy * 100:.0f}\u202f%"
    if student.accuracy_low is not None and student.accuracy_high is not None:
        share += f" ({student.accuracy_low * 100:.0f}–{student.accuracy_high * 100:.0f})"
    is_early = student.estimate != EstimateSource.AUDIT
    return f"student {share}", ", early estimate" if is_early else ""


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
