"""The budget curve of a project: how good its labels will be and how many items stay undecided, for
how much of people's time, as its own double-labelled items tell."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from annotator.actions.figures import advising
from annotator.actions.routing import doubling
from annotator.actions.teachers import foretelling, teacher_runs
from annotator.actions.trust import canarying
from annotator.models import Annotation, Item, Policy, Project, Teacher

if TYPE_CHECKING:
    import numpy as np

    from learning.audit.intervals import Estimate
    from learning.routing.curve import Work
    from learning.routing.loop import Voices
    from learning.routing.types import Router, Seed, Shares
    from learning.types import Report

# Items by which the price of the teacher's next answers is told.
PRICED = 50
# The loop is foretold anew when people's labels have grown by this share.
GROWN = 0.2
# Sends all to people: no word of a teacher decides anything.
PEOPLE = "all_human"


def curve(
    policy: Policy,
    router: Router,
    seed: Seed,
    doubt: Shares | None,
    rng: np.random.Generator,
    report: Report,
) -> dict[str, Any]:
    """The curve as it is stored and shown; {} where the seed is too small for it.

    doubt: (s,) the order in which people get the items, None for the router's.
    """
    from learning.errors import LearningError
    from learning.routing.curve import replace_curve

    work, most, without = work_left(policy), most_wrong(policy), _silence(policy, seed)
    try:
        found = replace_curve(
            router, seed, work, rng, report, most_wrong=most, doubt=doubt, silent=without
        )
    except LearningError:
        return {}
    return {
        "seed": seed.rows,
        "items": work.items,
        "answered": work.answered,
        "confidence": policy.confidence,
        "router": policy.router,
        "person_seconds": work.person_seconds,
        "person_money": work.person_money,
        "teacher_money": work.teacher_money,
        "points": [
            {
                "share": point.share,
                "quality": _told(point.quality),
                "undecided": _told(point.undecided),
                "silent": round(min(without.value or 0.0, 1 - point.share), 4),
                "money": round(point.money, 6),
                "hours": round(point.hours, 3),
            }
            for point in found
        ],
    }


def _silence(policy: Policy, seed: Seed) -> Estimate:
    """On what share of all items the teacher has no answer, as those tell that chance drew."""
    from learning.audit.intervals import Estimate
    from learning.metrics import wilson

    count = 0 if policy.teacher is None else doubling.silent(policy.project, policy.teacher)
    n = seed.rows + count
    low, high = wilson(count, n) if count else (0.0, 0.0)
    return Estimate(value=count / n if n else 0.0, low=low, high=high, n=n)


def _told(figure: Estimate) -> dict[str, Any]:
    return {name: v if v is None else round(v, 4) for name, v in asdict(figure).items()}


def trust(policy: Policy) -> float:
    """What is left of the teacher's word where texts can turn it."""
    return 1.0 if policy.teacher is None else canarying.current_trust(policy.teacher)


def most_wrong(policy: Policy) -> float:
    """With which chance a word may be wrong and decide an item; below 0 where none does."""
    left = trust(policy)
    if policy.router == PEOPLE or left <= 0:
        return -1.0
    return float(1 - policy.confidence / left)


def is_current(policy: Policy, kept: dict[str, Any]) -> bool:
    """Whether a stored curve was told for the policy as it is now."""
    told = (kept.get("confidence"), kept.get("router"))
    return told == (policy.confidence, policy.router)


def answered(project: Project) -> int:
    """How many items people answered, of those that are there."""
    return Item.objects.present().filter(project=project, answers__gt=0).count()


def is_passed(project: Project, share: float, done: int) -> bool:
    """Whether people answered more than this share of the pool already."""
    return round(share * project.present_count) < done


def loop(
    policy: Policy,
    voices: Voices,
    kept: dict[str, Any],
    rng: np.random.Generator,
    report: Report,
) -> dict[str, Any]:
    """The loop's points by the share of the whole pool, {} while too few items tell; `now` is how good
    the opinion is at the share that people labelled so far.

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
    done = answered(project)
    waiting = present - done
    if waiting <= 0:
        return {}
    ahead = [done / present, *(share for share in SHARES if share * present > done)]
    of_waiting = [(share * present - done) / waiting for share in ahead]
    work = replace(work_left(policy), items=waiting, answered=0)
    try:
        found = loop_curve(voices, work, STUDENTS["head"](), rng, report, of_waiting)
    except LearningError:
        return {}
    now, *points = [
        {"share": share, **_of_all(point.quality, done / present)}
        for share, point in zip(ahead, found, strict=True)
    ]
    return {"labels": labels, "now": now, "points": points}


def _of_all(quality: Estimate, done: float) -> dict[str, float]:
    """The quality of all items, of which this share is people's already."""
    ends = {"value": quality.value or 0.0, "low": quality.low, "high": quality.high}
    return {name: round(done + (1 - done) * value, 4) for name, value in ends.items()}


def work_left(policy: Policy) -> Work:
    """What is still to label, and what an answer of either costs.

    Shares are of the whole pool: what people answered already is part of theirs, and costs no more,
    nor does what the teacher answered.
    """
    from learning.routing.curve import Work

    project = policy.project
    seconds = advising.seconds_per_label(project) or 0.0
    done = min(answered(project), project.present_count)
    asked = 0
    if policy.teacher is not None:
        said = Annotation.objects.filter(annotator=policy.teacher.voice_id, item__answers=0)
        asked = said.filter(item__removed_at=None).values("item").distinct().count()
    return Work(
        items=project.present_count,
        person_seconds=seconds,
        person_money=seconds / 3600 * float(policy.hour_price),
        teacher_money=0.0 if policy.teacher is None else price_of(project, policy.teacher),
        answered=done,
        unasked=max(1 - asked / max(project.present_count - done, 1), 0.0),
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
