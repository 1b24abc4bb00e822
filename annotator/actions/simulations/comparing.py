"""What finished curves say: standings, sentences, and which simulations may be laid together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import Avg, Count, Max, Q, QuerySet
from django.utils import timezone

from annotator.models import JobState, RunState, Simulation, SimulationRun, SimulationState

if TYPE_CHECKING:
    from learning.comparison import Run, Standing

REFERENCE = "random"
# Headlines whose names say less than people need.
MEASURES = {"tau": "Kendall's tau"}


def finished_runs(simulation: Simulation) -> list[Run]:
    """The curves that are there, as they are compared."""
    from learning.comparison import Run

    return [
        Run(
            strategy=row.strategy,
            seed=row.seed,
            labels=[point["labels"] for point in row.points],
            scores=[point["score"] for point in row.points],
            pick_seconds=row.pick_seconds,
        )
        for row in simulation.runs.filter(state=RunState.DONE).order_by("seed", "pk")
    ]


def standings(simulation: Simulation) -> list[Standing]:
    """How the strategies did so far, best first; empty while no curve is finished."""
    from learning.comparison import compare

    runs = finished_runs(simulation)
    return compare(runs, simulation.full.get("score"), REFERENCE) if runs else []


def refused(simulation: Simulation) -> list[SimulationRun]:
    """Curves that their strategy refused to draw, one for each strategy."""
    failed = simulation.runs.filter(state=RunState.FAILED).order_by("strategy", "seed")
    return list(failed.distinct("strategy"))


def name_of(strategy: str) -> str:
    """What people call a strategy, without remarks; its short name when it is no longer there."""
    from learning.selection import STRATEGIES

    label = STRATEGIES.entry(strategy).label if strategy in STRATEGIES else strategy
    return label.partition(" (")[0]


def measure_of(simulation: Simulation) -> str:
    """What the height of a curve is called."""
    from learning.tasks import TASKS

    task_type = simulation.facts.get("task_type") or simulation.project.task_type
    headline = TASKS[task_type].headline
    return MEASURES.get(headline) or headline.replace("_f1", " F1").replace("_", " ")


def laid_over(simulation: Simulation, among: Sequence[int] | None = None) -> QuerySet[Simulation]:
    """Other simulations of the project on the very same data, latest first."""
    if not simulation.data_hash:
        return Simulation.objects.none()
    others = Simulation.objects.filter(
        project_id=simulation.project_id, data_hash=simulation.data_hash
    ).exclude(pk=simulation.pk)
    if among is not None:
        others = others.filter(pk__in=among)
    finished = Count("runs", filter=Q(runs__state=RunState.DONE))
    return others.annotate(finished=finished).filter(finished__gt=0).order_by("-pk")


def seconds_left(simulation: Simulation) -> float | None:
    """Time left by the pace of the finished curves, else of the present job; None if unknown."""
    job = simulation.job
    if not simulation.is_live or job is None:
        return None
    told = simulation.runs.aggregate(
        mean=Avg("seconds", filter=Q(state=RunState.DONE)),
        last=Max("finished_at"),
        waiting=Count("pk", filter=Q(state=RunState.WAITING)),
    )
    if told["mean"] is None:
        return job.seconds_left
    spent = 0.0
    if job.state == JobState.RUNNING:  # part of one curve is there already
        spent = min((timezone.now() - told["last"]).total_seconds(), told["mean"])
    return float(max(told["mean"] * told["waiting"] - spent, 0.0))


def advice_in_words(simulation: Simulation) -> str:
    """The recommendation as one or two sentences that stand by themselves."""
    advice = simulation.advice
    if simulation.state != SimulationState.DONE or not advice:
        return ""
    best, current = name_of(advice["best"]), name_of(advice["current"])
    against = name_of(advice["against"]) if advice["against"] else ""
    seeds = simulation.settings["seeds"]
    gap = _gap(advice["difference"])
    if advice["strategy"] != advice["current"]:
        return (
            f"Use “{best}”: its curve lies {gap} higher than that of “{against}”, on average over "
            f"all rounds.{_unknown(advice)}"
        )
    if advice["best"] == advice["current"]:
        if not against:
            return f"Keep “{current}”: it was replayed alone, so nothing is known of others."
        return f"Keep “{current}”: nothing did better. The next, “{against}”, lies {gap} lower."
    if not against:
        return (
            f"Keep “{current}”: it was not replayed, and “{best}” did best with nothing simple "
            "beside it. Replay both to learn which is better."
        )
    if seeds < 2:
        return (
            f"Keep “{current}” for now: “{best}” did best{_lead(gap)}, but one seed cannot tell "
            f"skill from luck. Repeat with five.{_unknown(advice)}"
        )
    return (
        f"Keep “{current}”: “{best}” did best, but not clearly better than "
        f"“{against}”{_lead(gap)}.{_unknown(advice)}"
    )


def _unknown(advice: dict[str, Any]) -> str:
    """What a lead must know before a change: the strategy in use stood in no comparison."""
    if advice["against"] == advice["current"]:
        return ""
    return f" “{name_of(advice['current'])}”, in use now, was not replayed."


def _lead(gap: str) -> str:
    return f", by {gap}" if gap else ""


def _gap(difference: dict[str, Any] | None) -> str:
    """A difference of areas with its interval: "1.8 points (between 0.9 and 2.7)"."""
    if difference is None:
        return ""
    value = f"{_points(difference['value'])} points"
    if difference["low"] is None:
        return value
    return f"{value} (between {_points(difference['low'])} and {_points(difference['high'])})"


def _points(share: float) -> str:
    rounded = round(100 * share, 1) + 0.0  # no "-0.0"
    return f"{rounded:.1f}".replace("-", "\u2212")
