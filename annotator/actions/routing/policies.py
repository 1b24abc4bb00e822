"""The policy by which a teacher labels beside people: read, changed with a trail, switched off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from annotator.actions.routing import budgeting, doubling, routing
from annotator.actions.teachers import budgets, teacher_runs
from annotator.errors import ConflictError, InvalidError
from annotator.models import Policy, PolicyChange, Project, Routing, Teacher, TeacherRun, User

SHARES = {
    # name: the least and the most that makes sense
    "human_share": (0.0, 1.0),
    "confidence": (0.5, 1.0),
    "double_share": (0.01, 1.0),
}
FEWEST_SEED, MOST_SEED = 30, 2_000


def policy_of(project: Project) -> Policy:
    """The project's policy; one that is off where there is none yet."""
    rows = Policy.objects.select_related("teacher__voice", "teacher__endpoint", "teacher__project")
    return rows.filter(pk=project.pk).first() or Policy(project=project)


def why_none(project: Project) -> str:
    """Why there can be no policy for such answers, "" where there can be one."""
    task = project.task
    if not task.teachers:
        return "No teacher gives such answers yet: people decide."
    if task.weighed:
        return ""
    return f"No policy weighs {task.called} yet: a teacher suggests them, and people decide."


def change_policy(
    project: Project,
    by: User | None,
    *,
    foretold: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Policy:
    """Change settings of the policy and leave a line in its trail; what follows is a job's work.

    foretold: the point of the curve that was chosen. Raises InvalidError with the field.
    """
    with transaction.atomic():
        # Parts two leads: each line of the trail tells what the other one left.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        policy = policy_of(project)
        before = policy.to_json()
        _assign(policy, settings)
        after = policy.to_json()
        if before == after and not foretold:
            return policy
        if before["teacher"] != after["teacher"]:
            policy.considered = 0
        policy.trouble, policy.resumed_at = "", Now()
        policy.save()
        PolicyChange.objects.create(
            project=project,
            before=before,
            after=after,
            foretold=dict(foretold or {}),
            changed_by=by,
        )
        routing.wish(project)
    return policy_of(project)


def choose_point(project: Project, by: User | None, share: float) -> Policy:
    """Take a point of the curve for the policy and switch it on; what it foretells is kept.

    Raises ConflictError while there is no curve, or none for the policy as it is, and where people
    have passed the point.
    """
    kept = Routing.objects.filter(pk=project.pk).first()
    point = None if kept is None else budgeting.point_at(kept.curve, share)
    if kept is None or point is None:
        raise ConflictError("There is no curve yet: too few items have both answers.")
    if not budgeting.is_current(policy_of(project), kept.curve):
        routing.wish(project)
        raise ConflictError(
            "The curve was told for another confidence or router. It is being computed for the policy "
            "as it is now; choose a point once that is done."
        )
    done = budgeting.answered(project)
    if budgeting.is_passed(project, point["share"], done):
        raise ConflictError(
            f"People have answered {done:,} of {project.present_count:,} items, more than "
            f"{point['share']:.0%} of them. Choose a larger share."
        )
    foretold = {**point, "loop": kept.curve.get("loop") or {}}
    return change_policy(project, by, foretold=foretold, enabled=True, human_share=point["share"])


def resume(project: Project) -> Policy:
    """Let the teacher be asked again after a run was cancelled or failed."""
    policy = policy_of(project)
    if not policy.enabled:
        raise ConflictError("The policy is off; only people label. Switch it on first.")
    with transaction.atomic():
        Policy.objects.filter(pk=project.pk).update(resumed_at=Now(), trouble="")
        routing.wish(project)
    return policy_of(project)


def seed_left(policy: Policy) -> list[int]:
    """Numbers of the drawn items that the teacher is yet to be asked about, and as many of the open
    ones as are still to be drawn: enough to say what the seed will cost."""
    if policy.teacher is None:
        return []
    project, teacher = policy.project, policy.teacher
    drawn = doubling.unasked(project, teacher)
    missing = max(policy.seed_size - doubling.counts(project, teacher)["drawn"], 0)
    return drawn + (teacher_runs.drawn(project, teacher, missing) if missing else [])


def prepare(project: Project, by: User | None) -> TeacherRun | None:
    """Draw the seed and ask the teacher about what it has not answered of it, policy on or off.

    None where it answered all. Raises ConflictError without a teacher, or where it may not ask or is
    at work, and then nothing is drawn.
    """
    policy = policy_of(project)
    if policy.teacher is None:
        raise ConflictError("Choose the teacher first.")
    teacher_runs.check_ready(policy.teacher)
    with transaction.atomic():
        numbers = routing.draw(project, policy)
        if numbers:
            return teacher_runs.ask_about(project, policy.teacher, numbers, by)
        routing.wish(project)
        return None


def stop_all(project: Project, by: User | None) -> int:
    """The kill switch: the policy off, every teacher off, their calls ended within seconds.

    Returns how many teachers were switched off.
    """
    with transaction.atomic():
        if policy_of(project).enabled:
            change_policy(project, by, enabled=False)
        return Teacher.objects.filter(project=project, enabled=True).update(enabled=False)


def _assign(policy: Policy, settings: Mapping[str, Any]) -> None:
    unknown = set(settings) - set(Policy.SETTINGS)
    if unknown:
        raise InvalidError(f"A policy has no setting {', '.join(sorted(unknown))}.")
    for name, value in settings.items():
        setattr(policy, name, _checked(policy.project, name, value))
    if policy.enabled and policy.teacher is None:
        raise InvalidError("Choose a teacher before the policy is switched on.", field="teacher")
    if policy.enabled and (why := why_none(policy.project)):
        raise InvalidError(why, field="enabled")


def _checked(project: Project, name: str, value: Any) -> Any:
    from learning.routing import ROUTERS

    if name in SHARES:
        low, high = SHARES[name]
        if not low <= value <= high:
            raise InvalidError(f"Choose {low:g} to {high:g}.", field=name)
    if name == "seed_size" and not FEWEST_SEED <= value <= MOST_SEED:
        raise InvalidError(f"Choose {FEWEST_SEED} to {MOST_SEED:,} items.", field=name)
    if name == "router" and value and value not in ROUTERS:
        raise InvalidError(f"A router is one of {', '.join(ROUTERS)}.", field=name)
    if name == "hour_price":
        return budgets.amount(value, name)
    if name == "teacher" and value is not None and value.project_id != project.pk:
        raise InvalidError("Choose a teacher of this project.", field=name)
    return value
