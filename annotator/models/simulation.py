"""Replays of labelled items under several strategies, and who changed a project's strategy when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Now

from annotator.models.people import Can, User
from annotator.models.project import Project

if TYPE_CHECKING:
    from annotator.models.people import Viewer


class SimulationState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


LIVE = (SimulationState.WAITING, SimulationState.RUNNING)


class SimulationQuerySet(models.QuerySet["Simulation"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def live(self) -> Self:
        return self.filter(state__in=LIVE)


class Simulation(models.Model):
    """One comparison: what was replayed, with which settings, and what is recommended."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="simulations")
    # The one job that works on it now, or worked on it last.
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(
        max_length=16, choices=SimulationState, default=SimulationState.WAITING
    )
    # strategies, seeds, start, batch, budget, student, cold_start
    settings = models.JSONField(default=dict)

    # What is replayed: the project's verdicts at a ledger position, or a file when it has a name.
    file_name = models.CharField(max_length=255, blank=True)
    stored_name = models.CharField(max_length=100, blank=True)
    position = models.PositiveBigIntegerField(default=0)
    encoding = models.ForeignKey("Encoding", models.SET_NULL, null=True, related_name="+")
    # The folder with the frozen items, labels and parts; curves of equal hashes may be compared.
    folder = models.CharField(max_length=100, blank=True)
    data_hash = models.CharField(max_length=64, blank=True)
    facts = models.JSONField(default=dict)

    # accuracy, score and metrics of a student that learnt every label of the pool
    full = models.JSONField(default=dict)
    advice = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    objects = SimulationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                name="one_live_simulation_per_project",
                condition=models.Q(state__in=LIVE),
            )
        ]

    def __str__(self) -> str:
        return f"simulation {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE


class RunState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class SimulationRun(models.Model):
    """One curve: a strategy under a seed. Written whole when it is finished, never before."""

    simulation = models.ForeignKey(Simulation, models.CASCADE, related_name="runs")
    strategy = models.CharField(max_length=32)
    seed = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=RunState, default=RunState.WAITING)
    # [{labels, score, accuracy, pick_seconds, train_seconds}, …]
    points = models.JSONField(default=list)
    pick_seconds = models.FloatField(null=True)
    seconds = models.FloatField(default=0.0)
    error = models.TextField(blank=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["simulation", "strategy", "seed"], name="one_run_per_strategy_and_seed"
            )
        ]

    def __str__(self) -> str:
        return f"{self.strategy}, seed {self.seed}"


class StrategyChangeQuerySet(models.QuerySet["StrategyChange"]):
    def for_user(self, user: Viewer, can: Can = Can.MANAGE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class StrategyChange(models.Model):
    """A line of the trail: who changed a project's strategy, when, and on which advice."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="strategy_changes")
    before = models.CharField(max_length=32)
    after = models.CharField(max_length=32)
    simulation = models.ForeignKey(Simulation, models.SET_NULL, null=True, related_name="+")
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    objects = StrategyChangeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["project", "-id"], name="strategy_change_latest")]

    def __str__(self) -> str:
        return f"{self.before} → {self.after}"
