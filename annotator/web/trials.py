"""A teacher's tests on its scorecard: may it label, does it obey texts, does it still answer so?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from annotator.actions.teachers import lending
from annotator.actions.trust import canarying, drifting, qualifying, testing
from annotator.errors import AnnotatorError
from annotator.models import Can, ItemKind, Replay, TeacherRun, TeacherRunKind
from annotator.web.pages import person, project_for
from annotator.web.teachers import teacher_for

if TYPE_CHECKING:
    from annotator.models import Teacher
    from annotator.web.scorecards import Subject

SHOWN = 8
TONES = {
    "qualified": "success",
    "refused": "danger",
    "drifted": "danger",
    "untried": "warn",
    "trying": "accent",
}


def standing(teacher: Teacher) -> dict[str, str]:
    """Whether it may label, for a tag."""
    found = qualifying.state(teacher)
    return {"state": found.state, "tone": TONES.get(found.state, "warn"), "told": found.sentence}


def qualification(subject: Subject) -> dict[str, Any] | None:
    """Whether it may label under a policy, the report, and what another test would cost."""
    teacher = subject.teacher
    if teacher is None:
        return None
    if not subject.project.task.weighed:
        return {"unweighed": subject.project.task.called}
    standing = qualifying.state(teacher)
    found: dict[str, Any] = {
        "teacher": teacher,
        "standing": standing,
        "tone": TONES.get(standing.state, "warn"),
        "latest": standing.qualification,
        "by_f1": subject.project.task.quoted,
        "live": _live(teacher, TeacherRunKind.QUALIFY),
        "failed": _failed(teacher, TeacherRunKind.QUALIFY),
        "may_manage": subject.may_manage,
    }
    if subject.may_manage and subject.fingerprint is not None:
        found["plan"] = qualifying.plan(subject.project, teacher)
    return found


def drift(subject: Subject) -> dict[str, Any] | None:
    """Replays of its test, the latest first; None for who is never replayed."""
    teacher = subject.teacher
    if teacher is None or teacher.plugin not in testing.PROMPTED:
        return None
    if not subject.project.task.weighed:
        return None
    rows = Replay.objects.filter(teacher=teacher).select_related("qualification")
    standing = qualifying.state(teacher)
    return {
        "teacher": teacher,
        "replays": list(rows.order_by("-pk")[:SHOWN]),
        "live": _live(teacher, TeacherRunKind.REPLAY),
        "failed": _failed(teacher, TeacherRunKind.REPLAY),
        "days": drifting.EVERY.days,
        "moved": standing.state == "moved" and standing.sentence,
        "may_start": subject.may_manage
        and standing.qualification is not None
        and standing.state not in ("changed", "trying"),
    }


def canaries(subject: Subject) -> dict[str, Any] | None:
    """How often planted instructions turned it; None for who reads no instructions."""
    teacher = subject.teacher
    if teacher is None or teacher.plugin not in testing.PROMPTED or subject.fingerprint is None:
        return None
    if not subject.project.task.has_labels:  # none is planted where an answer names no label
        return None
    if subject.project.item_kind == ItemKind.IMAGE:
        return {"images": True}
    schema = lending.schema_of(subject.project)
    found = canarying.obeyed(teacher, schema, subject.fingerprint)
    return {
        "found": found,
        "lowered": found is not None and found.trust < 1,
        "kinds": []
        if found is None
        else [(kind, share) for kind, share in found.by_attack.items() if share.n],
        "share": canarying.SHARE,
    }


def _live(teacher: Teacher, kind: TeacherRunKind) -> TeacherRun | None:
    return TeacherRun.objects.live().filter(teacher=teacher, kind=kind).first()


def _failed(teacher: Teacher, kind: TeacherRunKind) -> TeacherRun | None:
    """The last run of this kind, if it ended early."""
    last = TeacherRun.objects.filter(teacher=teacher, kind=kind).order_by("-pk").first()
    return last if last is not None and last.state in ("failed", "cancelled") else None


@require_POST
@login_required
def qualify(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Test whether it may label."""
    project = project_for(request, project_id, Can.MANAGE)
    teacher = teacher_for(request, project, teacher_id)
    try:
        run = qualifying.start(project, teacher, person(request))
    except AnnotatorError as error:
        messages.warning(request, error.detail)
        return redirect("scorecard", project_id=project.pk, annotator_id=teacher.voice_id)
    return redirect("teacher_run", project_id=project.pk, run_id=run.pk)


@require_POST
@login_required
def replay(request: HttpRequest, project_id: int, teacher_id: int) -> HttpResponse:
    """Look now whether it still answers as it did."""
    project = project_for(request, project_id, Can.MANAGE)
    teacher = teacher_for(request, project, teacher_id)
    try:
        run = drifting.start(teacher, person(request))
    except AnnotatorError as error:
        messages.warning(request, error.detail)
        return redirect("scorecard", project_id=project.pk, annotator_id=teacher.voice_id)
    return redirect("teacher_run", project_id=project.pk, run_id=run.pk)
