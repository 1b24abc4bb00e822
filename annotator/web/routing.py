"""Routing: who labels what, the seed that tells how good the teacher is, and what became of it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from annotator.actions.figures import costing
from annotator.actions.queue import auditing
from annotator.actions.routing import overview, planning, policies
from annotator.actions.teachers import foretelling
from annotator.errors import AnnotatorError
from annotator.models import Can, Policy, PolicyChange, Project, Teacher
from annotator.web import jobs, promised
from annotator.web.charts import Point, Series, curve
from annotator.web.entrance import refuse
from annotator.web.pages import allowed, page, person, project_for
from annotator.web.routing_forms import PointForm, PolicyForm

TRAIL = 8
# Points of the curve that are offered.
ROWS = 10


@require_GET
@login_required
def routing(request: HttpRequest, project_id: int) -> HttpResponse:
    """The whole page, drawn from what is stored now."""
    project = project_for(request, project_id, Can.SEE)
    return _page(request, project, None)


def _page(request: HttpRequest, project: Project, form: PolicyForm | None) -> HttpResponse:
    seen = overview.overview(project)
    may_manage = allowed(project, Can.MANAGE)
    changes = PolicyChange.objects.filter(project=project).select_related("changed_by")
    work = jobs.context_for(project, "routing")
    context: dict[str, Any] = {
        "seen": seen,
        "policy": seen.policy,
        "tab": "routing",
        "may_manage": may_manage,
        "untested": seen.policy.trouble.endswith(planning.UNTESTED),
        "no_policy": policies.why_none(project),
        "any_teacher": Teacher.objects.filter(project=project).exists(),
        "form": form or PolicyForm(project=project, policy=seen.policy),
        **_curve(project, seen),
        **_scoreboard(project, seen.scoreboard),
        "trail": [(each, _told(project, each)) for each in changes.order_by("-pk")[:TRAIL]],
        "computing": any(
            row["live"] and row["job"].key == f"route:{project.pk}" for row in work["job_rows"]
        ),
        "confidence": _percent(seen.policy.confidence),
        **work,
    }
    if may_manage and seen.policy.teacher is not None and seen.needed:
        context |= _seed_cost(seen.policy)
    status = 422 if form is not None else 200
    return page(request, "routing/routing.html", project, "annotators", context, status)


def _curve(project: Project, seen: overview.Overview) -> dict[str, Any]:
    """The curve as a drawing, as rows to choose from, and in sentences."""
    if not seen.curve:
        return {}
    rows = seen.curve["points"]
    ahead = (seen.curve.get("loop") or {}).get("points", [])
    chosen = round(100 * seen.policy.human_share)
    loop = {row["share"]: row for row in ahead}
    return {
        "curve": curve(
            _series(rows, ahead),
            description=f"Budget curve of {project.name}: quality by the share that people label",
            x_name="% labelled by people",
        ),
        "points": [
            (
                row | _undecided(row, seen.curve["items"]),
                seen.policy.enabled and round(100 * row["share"]) == chosen,
                loop.get(row["share"]),
            )
            for row in rows[:: max(len(rows) // ROWS, 1)]
        ],
        "basis": promised.basis(project, seen, looped=bool(loop)),
        "to_come": promised.to_come(seen, passed=any(row["passed"] for row in rows)),
        **_outcome(seen),
        "since_chosen": _since_chosen(project, seen),
        "looped": bool(loop),
        "standings": _standings(seen),
    }


def _series(rows: list[dict[str, Any]], ahead: list[dict[str, Any]]) -> list[Series]:
    """The line of what is decided, and, where the loop was foretold, the one with the student's opinion."""
    decided = [row for row in rows if row["quality"]["value"] is not None]
    return [
        Series(
            name="what people and the teacher's sure words decide",
            points=[_point(row["share"], row["quality"]) for row in decided],
        ),
        Series(
            name="all of it, with the student's opinion",
            points=[_point(row["share"], row) for row in ahead],
            ahead=True,
        ),
    ]


def _undecided(row: dict[str, Any], items: int) -> dict[str, Any]:
    """How many items a point leaves undecided, between which numbers."""
    told = row.get("undecided")
    return {
        "left": {end: round(items * told[end]) for end in ("value", "low", "high")} if told else {}
    }


def _outcome(seen: overview.Overview) -> dict[str, str]:
    if seen.outcome is None:
        return {}
    told, symbol = promised.outcome(seen.outcome), promised.outcome_icon(seen.outcome)
    return {"outcome": told, "outcome_icon": symbol}


def _since_chosen(project: Project, seen: overview.Overview) -> str:
    """What the chosen point foretold beside what came since; nothing where none was chosen."""
    if seen.choice is None:
        return ""
    since = costing.since(project, seen.choice.changed_at)
    return promised.since_chosen(
        seen,
        seen.choice,
        hours=(since.seconds or 0.0) / 3600,
        money=since.money,
        answered=seen.answered / max(project.present_count, 1),
    )


def _standings(seen: overview.Overview) -> list[dict[str, Any]]:
    """How each router did in the back-test, by the name that people know."""
    from learning.routing import ROUTERS

    found: list[dict[str, Any]] = seen.back_test.get("standings", [])
    best = seen.back_test.get("best")
    return [
        {**each, "label": ROUTERS.entry(each["router"]).label, "best": each["router"] == best}
        for each in found
        if each["router"] in ROUTERS
    ]


def _point(share: float, quality: dict[str, float]) -> Point:
    return Point(
        x=100 * share,
        y=quality["value"],
        low=quality["low"],
        high=quality["high"],
        title=f"{quality['value']:.1%} right with {share:.0%} by people",
    )


ARMS = {
    "people": "people only",
    "teacher": "the teacher only",
    "both": "both, as routed",
}


def _scoreboard(project: Project, kept: dict[str, Any]) -> dict[str, Any]:
    """Students of each kind as curves, and their last points as rows."""
    arms = [(ARMS[arm["arm"]], arm) for arm in kept.get("arms", []) if arm["points"]]
    series = [
        Series(
            name=name,
            other=arm["arm"] == "people",
            ahead=arm["arm"] == "teacher",
            points=[
                Point(
                    x=100 * point["money"] / (kept["total"] or 1),
                    y=point["value"],
                    low=point["low"],
                    high=point["high"],
                    title=f"{name}: {point['value']:.1%} with {point['labels']:,} labels",
                )
                for point in arm["points"]
            ],
        )
        for name, arm in arms
    ]
    return {
        "score_curve": curve(
            series,
            description=f"Accuracy of students of {project.name} by what their labels cost",
            x_name="% of what was spent",
        ),
        "reach": auditing.reach(project),
        "score_rows": [(name, arm["points"][-1]) for name, arm in arms],
    }


def _seed_cost(policy: Policy) -> dict[str, Any]:
    """What it costs to ask the teacher about the seed, or why it cannot be asked."""
    if policy.teacher is None:
        return {}
    try:
        numbers = policies.seed_left(policy)
        return {
            "seed_left": len(numbers),
            "estimate": foretelling.estimate(policy.teacher, numbers),
        }
    except AnnotatorError as error:
        return {"no_estimate": error.detail}


def _told(project: Project, change: PolicyChange) -> str:
    """What a change of the policy changed, in words."""
    names = {each.pk: each.voice.name for each in _teachers(project)}
    before, after = (_words(side, names) for side in (change.before, change.after))
    changed = [f"{name} {after[name]}" for name in after if after[name] != before.get(name)]
    if change.foretold:
        changed.append("taken from the curve")
    return ", ".join(changed) or "nothing"


def _teachers(project: Project) -> Any:
    return Teacher.objects.filter(project=project).select_related("voice")


def _words(kept: dict[str, Any], teachers: dict[int, str]) -> dict[str, str]:
    def share(name: str) -> str:
        return _percent(float(kept.get(name) or 0))

    teacher = kept.get("teacher")
    return {
        "policy": "on" if kept.get("enabled") else "off",
        "teacher": "none" if teacher is None else teachers.get(teacher, "removed"),
        "router": str(kept.get("router", "")),
        "people label": share("human_share"),
        "verdicts from": share("confidence"),
        "double labels": share("double_share"),
        "seed": str(kept.get("seed_size", "")),
        "untested teachers": "allowed" if kept.get("unqualified") else "not allowed",
        "an hour costs": f"{float(kept.get('hour_price') or 0):g}",
    }


def _percent(share: float) -> str:
    return f"{100 * share:g}\u202f%"


@require_POST
@login_required
def policy(request: HttpRequest, project_id: int) -> HttpResponse:
    """Change the policy."""
    project = project_for(request, project_id, Can.MANAGE)
    form = PolicyForm(request.POST, project=project, policy=policies.policy_of(project))
    if form.is_valid():
        try:
            changed = policies.change_policy(project, person(request), **form.settings())
        except AnnotatorError as error:
            refuse(form, error)
        else:
            told = "on: what follows is being worked out" if changed.enabled else "off: people only"
            messages.success(request, f"The policy is {told}.")
            return redirect("routing", project_id=project.pk)
    return _page(request, project, form)


@require_POST
@login_required
def point(request: HttpRequest, project_id: int) -> HttpResponse:
    """Take a point of the curve for the policy."""
    project = project_for(request, project_id, Can.MANAGE)
    form = PointForm(request.POST)
    if not form.is_valid():
        messages.warning(request, "Choose a point of the curve.")
        return redirect("routing", project_id=project.pk)
    try:
        chosen = policies.choose_point(project, person(request), form.cleaned_data["share"])
    except AnnotatorError as error:
        messages.warning(request, error.detail)
    else:
        share, sure = _percent(chosen.human_share), _percent(chosen.confidence)
        messages.success(
            request,
            f"The policy is on: people label {share}, the teacher the rest where its word is right "
            f"with a chance of {sure} or more; below that an item stays undecided.",
        )
    return redirect("routing", project_id=project.pk)


@require_POST
@login_required
def seed(request: HttpRequest, project_id: int) -> HttpResponse:
    """Draw the seed and ask the teacher about it."""
    project = project_for(request, project_id, Can.MANAGE)
    try:
        run = policies.prepare(project, person(request))
    except AnnotatorError as error:
        messages.warning(request, error.detail)
        return redirect("routing", project_id=project.pk)
    if run is None:
        messages.success(request, "The teacher has answered all that was drawn.")
        return redirect("routing", project_id=project.pk)
    return redirect("teacher_run", project_id=project.pk, run_id=run.pk)


@require_POST
@login_required
def resume(request: HttpRequest, project_id: int) -> HttpResponse:
    """Ask the teacher again after a run was cancelled or failed."""
    project = project_for(request, project_id, Can.MANAGE)
    try:
        policies.resume(project)
    except AnnotatorError as error:
        messages.warning(request, error.detail)
    else:
        messages.success(request, "The teacher is asked again.")
    return redirect("routing", project_id=project.pk)


@require_POST
@login_required
def stop(request: HttpRequest, project_id: int) -> HttpResponse:
    """The kill switch."""
    project = project_for(request, project_id, Can.MANAGE)
    policies.stop_all(project, person(request))
    messages.success(
        request, "Every teacher is off and so is the policy; calls under way end within seconds."
    )
    return redirect("routing", project_id=project.pk)
