"""The budget curve of a project: how good its labels will be for how much of people's time, as its
own double-labelled items tell; and, afterwards, whether that was right."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from annotator.actions.figures import advising
from annotator.actions.teachers import foretelling, teacher_runs
from annotator.models import Annotation, Policy, PolicyChange, Project, Teacher

if TYPE_CHECKING:
    import numpy as np

    from learning.audit.intervals import Estimate
    from learning.routing.curve import Work
    from learning.routing.loop import Voices
    from learning.routing.types import Router, Seed
    from learning.types import Report

# Items by which the price of the teacher's next answers is told.
PRICED = 50
# The loop is foretold anew when people's labels have grown by this share.
GROWN = 0.2
# What a point of the curve is foretold for: with another one of these it tells nothing.
POINT = ("human_share", "confidence", "teacher", "router")
# Fewer checks than this agree with almost anything.
FEWEST_CHECKS = 30


def curve(
    policy: Policy, router: Router, seed: Seed, rng: np.random.Generator, report: Report
) -> dict[str, Any]:
    """The curve as it is stored and shown; {} where the seed is too small for it."""
    from learning.errors import LearningError
    from learning.routing.curve import replace_curve

    work = work_left(policy)
    try:
        found = replace_curve(router, seed, work, rng, report)
    except LearningError:
        return {}
    return {
        "seed": seed.rows,
        "items": work.items,
        "person_seconds": work.person_seconds,
        "person_money": work.person_money,
        "teacher_money": work.teacher_money,
        "points": [
            {
                "share": point.share,
                "quality": {name: round(v, 4) for name, v in asdict(point.quality).items()},
                "money": round(point.money, 6),
                "hours": round(point.hours, 3),
            }
            for point in found
        ],
    }


def loop(
    policy: Policy,
    voices: Voices,
    kept: dict[str, Any],
    rng: np.random.Generator,
    report: Report,
) -> dict[str, Any]:
    """The loop's points by the share of the whole pool, {} while too few items tell.

    Twenty students are fitted for it, so the kept ones serve until people's labels grew by a share.
    """
    from learning.errors import LearningError
    from learning.routing.curve import SHARES
    from learning.routing.foretell import loop_curve
    from learning.students import STUDENTS

    labels = int(voices.labelled.sum())
    if kept and kept["labels"] <= labels < kept["labels"] * (1 + GROWN):
        return kept
    project = policy.project
    present = project.present_count
    done = project.items.filter(answers__gt=0, removed_at=None).count()
    waiting = present - done
    if waiting <= 0:
        return {}
    ahead = [share for share in SHARES if share * present >= done]
    of_waiting = [(share * present - done) / waiting for share in ahead]
    work = replace(work_left(policy), items=waiting)
    try:
        found = loop_curve(voices, work, STUDENTS["head"](), rng, report, of_waiting)
    except LearningError:
        return {}
    return {
        "labels": labels,
        "points": [
            {"share": share, **_of_all(point.quality, done / present)}
            for share, point in zip(ahead, found, strict=True)
        ],
    }


def _of_all(quality: Estimate, done: float) -> dict[str, float]:
    """The quality of all items, of which this share is people's already."""
    ends = {"value": quality.value or 0.0, "low": quality.low, "high": quality.high}
    return {name: round(done + (1 - done) * value, 4) for name, value in ends.items()}


def work_left(policy: Policy) -> Work:
    """What is still to label, and what an answer of either costs.

    Shares are of the whole pool: what people answered already is part of theirs, and costs no more.
    """
    from learning.routing.curve import Work

    project = policy.project
    seconds = advising.seconds_per_label(project) or 0.0
    present = max(project.present_count, 1)
    asked = 0
    if policy.teacher is not None:
        said = Annotation.objects.filter(annotator=policy.teacher.voice_id)
        asked = said.values("item").distinct().count()
    return Work(
        items=project.present_count,
        person_seconds=seconds,
        person_money=seconds / 3600 * float(policy.hour_price),
        teacher_money=0.0 if policy.teacher is None else price_of(project, policy.teacher),
        unanswered=max(1 - asked / present, 0.0),
    )


def price_of(project: Project, teacher: Teacher) -> float:
    """What one more answer of the teacher's costs, the middle of its estimate."""
    numbers = teacher_runs.drawn(project, teacher, PRICED)
    if not numbers:
        return 0.0
    estimate = foretelling.estimate(teacher, numbers)
    return (estimate.low + estimate.high) / 2 / len(numbers)


def point_at(kept: dict[str, Any], share: float) -> dict[str, Any] | None:
    """The stored curve's point at a share; None where there is no curve."""
    points = kept.get("points") or []
    return min(points, key=lambda point: abs(point["share"] - share)) if points else None


def foretold(policy: Policy) -> dict[str, Any]:
    """The point of the curve that was chosen for the policy as it is now; {} where none was."""
    now = {f"after__{name}": value for name, value in policy.to_json().items() if name in POINT}
    chosen = PolicyChange.objects.filter(project=policy.project_id, **now).exclude(foretold={})
    return chosen.order_by("-pk").values_list("foretold", flat=True).first() or {}


def outcome(
    said: dict[str, Any], checked: Estimate | None, by_teacher: float
) -> dict[str, Any] | None:
    """What was foretold for the chosen point beside what checks found; None while either is missing.

    checked: how often the teacher's verdicts are right; by_teacher: their share of all labels. What
    people labelled counts as right, as it does in the curve. kept: None while too few checks tell.
    better: what was found lies above what was foretold.
    """
    from learning.audit.intervals import Estimate
    from learning.routing.curve import outcome as compared

    if not said or checked is None or checked.value is None or not by_teacher:
        return None
    found = Estimate(
        value=1 - by_teacher * (1 - checked.value),
        low=1 - by_teacher * (1 - checked.low),
        high=1 - by_teacher * (1 - checked.high),
        n=checked.n,
    )
    both = compared(Estimate(**said["quality"]), found)
    kept = both.kept if found.n >= FEWEST_CHECKS else None
    better = found.n >= FEWEST_CHECKS and found.low > both.foretold.high
    told = {"foretold": asdict(both.foretold), "found": asdict(both.found)}
    return {**told, "kept": kept, "better": better}
