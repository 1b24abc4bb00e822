"""What the chosen point of the curve promised, and what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from annotator.models import Policy, PolicyChange

if TYPE_CHECKING:
    from learning.audit.intervals import Estimate

# What a point of the curve is foretold for: with another one of these it tells nothing.
POINT = ("human_share", "confidence", "teacher", "router")
# Fewer checks than this agree with almost anything.
FEWEST_CHECKS = 30


def chosen(policy: Policy) -> PolicyChange | None:
    """The choice of the point that the policy, as it is now, is at; None where none was chosen."""
    now = {f"after__{name}": value for name, value in policy.to_json().items() if name in POINT}
    changes = PolicyChange.objects.filter(project=policy.project_id, **now).exclude(foretold={})
    return changes.order_by("-pk").first()


def outcome(said: dict[str, Any], checked: Estimate | None) -> dict[str, Any] | None:
    """The quality that was foretold of what is decided, beside what checks found; None while either
    is missing, or where no word of the teacher's was to decide anything.

    checked: how often the teacher's verdicts are right. People count as right, and as many of the
    decided items are theirs as was foretold. kept: None while too few checks tell. better: what was
    found lies above what was foretold.
    """
    from learning.audit.intervals import Estimate
    from learning.routing.curve import outcome as compared

    by_teacher = _by_teacher(said)
    if checked is None or checked.value is None or not by_teacher:
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


def _by_teacher(said: dict[str, Any]) -> float:
    """The share of the decided items that the teacher was to decide."""
    if not said or "undecided" not in said or said["quality"]["value"] is None:
        return 0.0
    decided: float = 1 - said["undecided"]["value"]
    return max(1 - said["share"] / decided, 0.0) if decided else 0.0


def undecided(said: dict[str, Any], found: int, decided: int) -> dict[str, Any] | None:
    """Of the teacher's words the share that decides nothing, as foretold and as it is so far."""
    silent = said.get("silent", 0.0)
    left = 1 - said["share"] - silent if "undecided" in said else 0.0
    if left <= 0 or not found + decided:
        return None
    ends = ("value", "low", "high")
    foretold = {end: min(max(said["undecided"][end] - silent, 0.0) / left, 1.0) for end in ends}
    return {"foretold": foretold, "found": found / (found + decided), "n": found + decided}


def of_loop(said: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any] | None:
    """What the loop's curve, at the choice of the point, foretold for the share that people labelled
    since, beside what student and teacher together reach now; None while people's labels have
    not grown, or where it foretold nothing."""
    import numpy as np

    before, after = said.get("loop") or {}, kept.get("loop") or {}
    if "now" not in before or "now" not in after or after["labels"] <= before["labels"]:
        return None
    points = [before["now"], *before["points"]]
    places = [point["share"] for point in points]
    ends = ("value", "low", "high")
    now = after["now"]
    told = {
        end: float(np.interp(now["share"], places, [point[end] for point in points]))
        for end in ends
    }
    agrees = told["low"] <= now["high"] and now["low"] <= told["high"]
    found = {end: now[end] for end in ends}
    return {"share": now["share"], "foretold": told, "found": found, "kept": agrees}
