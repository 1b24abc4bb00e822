"""The work of a simulation: curve after curve, each kept as soon as it is whole.

One job does a piece and enqueues the next one behind whatever else waits for the same worker, so a
student that is to be fine-tuned waits for one curve at most. A killed worker's successor begins
with the first curve that is not there yet.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.simulations import replaying, simulations
from annotator.actions.simulations.comparing import finished_runs
from annotator.actions.simulations.simulating import mean_as_json, run_of
from annotator.actions.students import turns
from annotator.actions.students.recipes import registry_of
from annotator.errors import AnnotatorError, InvalidError
from annotator.models import (
    Job,
    Project,
    RunState,
    Simulation,
    SimulationRun,
    SimulationState,
)
from learning.errors import LearningError

if TYPE_CHECKING:
    from learning.simulation import CurvePoint, Loop, Replayed
    from learning.tasks import Task

# A piece of work ends after so long even if nobody waits: jobs are short, and so are their leases.
PIECE_SECONDS = 60.0


def run_simulate(run: jobs.Run) -> dict[str, Any]:
    """Do a piece of a simulation; a killed worker's successor loses at most one curve."""
    simulation = Simulation.objects.live().filter(pk=run.params["simulation"]).first()
    if simulation is None:
        return {"over": True}
    try:
        with _on_one_core(simulation):
            return _piece(run, simulation)
    except jobs.FencedError:
        raise
    except jobs.CancelledError as refusal:
        _end(run, simulation, SimulationState.CANCELLED, refusal.detail)
        raise
    except AnnotatorError as refusal:
        _end(run, simulation, SimulationState.FAILED, refusal.detail)
        raise
    except LearningError as refusal:
        _end(run, simulation, SimulationState.FAILED, str(refusal))
        raise InvalidError(str(refusal)) from refusal


def _on_one_core(simulation: Simulation) -> AbstractContextManager[Any]:
    """Leave the other cores to people and to the students they wait for.

    A student that is fine-tuned on the processor would take days on one.
    """
    from threadpoolctl import threadpool_limits

    if _kind(simulation).needs == "texts":
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1)
    return limits


def _kind(simulation: Simulation) -> Any:
    name = simulation.settings["student"]
    return registry_of(name)[name]


def _piece(run: jobs.Run, simulation: Simulation) -> dict[str, Any]:
    _begin(run, simulation)
    if not simulation.folder:
        replaying.freeze(run, simulation)
    replay, task = replaying.load(simulation)
    began = time.monotonic()
    waiting = list(simulation.runs.filter(state=RunState.WAITING).order_by("seed", "pk"))
    desk = _Desk(run, simulation, replay, task, len(waiting))
    if not simulation.full:
        desk.measure_full()
    for done, row in enumerate(waiting):
        desk.replay_run(row, done)
        if done + 1 < len(waiting) and _should_give_way(run, began):
            with run.fence():
                _require_live(simulation)
                simulations.go_on(simulation)
            return {"runs": done + 1, "left": len(waiting) - done - 1}
    _finish(run, simulation)
    return {"runs": len(waiting), "left": 0}


def _begin(run: jobs.Run, simulation: Simulation) -> None:
    _ = run.project  # raises when it was deleted meanwhile
    with run.fence():
        _require_live(simulation)
        Simulation.objects.filter(pk=simulation.pk).update(state=SimulationState.RUNNING)
    simulation.refresh_from_db()


def _require_live(simulation: Simulation) -> None:
    """Raise CancelledError for one that a person ended; the lock parts us from that person."""
    live = Simulation.objects.live().select_for_update(no_key=True)
    if not live.filter(pk=simulation.pk).exists():
        raise jobs.CancelledError("Cancelled.")


def _should_give_way(run: jobs.Run, began: float) -> bool:
    """Whether somebody else waits for this worker, or this piece has taken long enough."""
    others = Job.objects.waiting(run.job.queue).exclude(kind=turns.KIND)
    return time.monotonic() - began > PIECE_SECONDS or others.exists()


class _Desk:
    """One piece of work: the data, and how progress is told over all curves of the piece."""

    def __init__(
        self, run: jobs.Run, simulation: Simulation, replay: Replayed, task: Task, waiting: int
    ) -> None:
        self.run, self.simulation, self.replay, self.task = run, simulation, replay, task
        self.settings: dict[str, Any] = simulation.settings
        self.labels = min(self.settings["budget"], replay.sizes[0])
        self.waiting = waiting
        self.all = simulation.runs.count()

    def loop(self, strategy: str) -> Loop:
        from learning.selection import STRATEGIES
        from learning.simulation import Loop

        cold = self.settings["cold_start"]
        return Loop(
            task=self.task,
            student=_kind(self.simulation)(),
            cold_start=STRATEGIES.create(cold),
            strategy=STRATEGIES.create(strategy),
            names=(cold, strategy),
        )

    def progress(self, done: int, labels: int, message: str) -> None:
        """Tell how far the piece is, in labels given over all of its curves."""
        total = self.waiting * self.labels
        self.run.progress(min(done * self.labels + labels, total), max(total, 1), message)

    def measure_full(self) -> None:
        """What the student reaches with every label: the mark that curves are measured by."""
        import numpy as np

        from learning.simulation import full_figures

        told = "Training on every label once"
        loop = self.loop(self.settings["strategies"][0])
        full = full_figures(
            self.replay, loop, np.random.default_rng(0), lambda done, of: self.progress(0, 0, told)
        )
        with self.run.fence():
            Simulation.objects.filter(pk=self.simulation.pk).update(full=full)
        self.simulation.full = full

    def replay_run(self, row: SimulationRun, done: int) -> None:
        """Draw one curve and keep it. A strategy that refuses ends its own curve only."""
        number = self.all - self.waiting + done + 1
        told = f"Run {number:,} of {self.all:,}: {row.strategy}, seed {row.seed + 1}"
        began = time.monotonic()
        try:
            points = self._points(row, done, told)
        except LearningError as refusal:
            self._keep(row, began, state=RunState.FAILED, error=str(refusal))
            return
        self._keep(
            row,
            began,
            state=RunState.DONE,
            points=[_as_json(point) for point in points],
            pick_seconds=run_of(row.strategy, row.seed, points).pick_seconds,
        )

    def _points(self, row: SimulationRun, done: int, told: str) -> list[CurvePoint]:
        import numpy as np

        from learning.simulation import Schedule, simulate

        schedule = Schedule(
            start=self.settings["start"],
            batch=self.settings["batch"],
            budget=self.settings["budget"],
        )
        # Equal seeds give equal generators, so that strategies begin alike and make pairs.
        rng = np.random.default_rng(row.seed)
        return list(
            simulate(
                self.replay,
                self.loop(row.strategy),
                schedule,
                rng,
                lambda labels, of: self.progress(done, labels, told),
            )
        )

    def _keep(self, row: SimulationRun, began: float, **values: Any) -> None:
        with self.run.fence():
            _require_live(self.simulation)
            SimulationRun.objects.filter(pk=row.pk, state=RunState.WAITING).update(
                seconds=round(time.monotonic() - began, 3), finished_at=Now(), **values
            )


def _as_json(point: CurvePoint) -> dict[str, float]:
    return {
        "labels": point.labels,
        "score": round(point.score, 6),
        "accuracy": round(point.accuracy, 6),
        "pick_seconds": round(point.pick_seconds, 6),
        "train_seconds": round(point.train_seconds, 6),
    }


def _finish(run: jobs.Run, simulation: Simulation) -> None:
    from learning.comparison import advise

    runs = finished_runs(simulation)
    if not runs:
        refused = simulation.runs.filter(state=RunState.FAILED).order_by("seed", "pk").first()
        raise InvalidError(refused.error if refused else "There was nothing to replay.")
    current = Project.objects.values_list("strategy", flat=True).get(pk=simulation.project_id)
    found = advise(runs, current)
    advice = {
        "strategy": found.strategy,
        "best": found.best,
        "against": found.against,
        "difference": mean_as_json(found.difference),
        "clear": found.clear,
        "current": current,
    }
    with run.fence():
        simulations.end(simulation, SimulationState.DONE, advice=advice)


def _end(run: jobs.Run, simulation: Simulation, state: SimulationState, error: str) -> None:
    simulation.refresh_from_db()
    with run.fence():
        simulations.end(simulation, state, error)
