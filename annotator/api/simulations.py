"""Simulations: which strategy would have been best, and using it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.simulations import comparing, simulations
from annotator.actions.simulations.simulating import mean_as_json
from annotator.api.base import Endpoint
from annotator.api.parsing import BoundedJson, PluginField, body
from annotator.api.projects import ProjectShape
from annotator.errors import NotFoundError
from annotator.models import Can, Project, Simulation, SimulationRun, StrategyChange


def student_choices() -> list[tuple[str, str]]:
    """Every student of the registries."""
    from learning.rankers import RANKERS
    from learning.students import STUDENTS
    from learning.taggers import TAGGERS

    return [*STUDENTS.choices(), *TAGGERS.choices(), *RANKERS.choices()]


class MeanShape(serializers.Serializer[Any]):
    """A mean over `count` seeds; its interval is null while there is one."""

    value = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    count = serializers.IntegerField()


class AdviceShape(serializers.Serializer[Any]):
    """`strategy` is the one to use; `difference` is what `best` gains on `against`."""

    strategy = serializers.CharField()
    best = serializers.CharField()
    against = serializers.CharField(allow_null=True)
    difference = MeanShape(allow_null=True)
    clear = serializers.BooleanField()
    current = serializers.CharField()


class StandingShape(serializers.Serializer[Any]):
    """How one strategy did: `area` is the mean height of its curve (0…1), `labels_to_90` where it
    reaches 90 % of what all labels give, `difference` its area against random, paired by seed."""

    strategy = serializers.CharField()
    seeds = serializers.IntegerField()
    area = MeanShape()
    labels_to_90 = serializers.FloatField(allow_null=True)
    labels_to_95 = serializers.FloatField(allow_null=True)
    reached_at_start = serializers.ListField(
        child=serializers.CharField(),
        help_text="Which of labels_to_90 and labels_to_95 are there from the curve's first point on: "
        "fewer labels may do.",
    )
    pick_seconds = serializers.FloatField(allow_null=True)
    difference = MeanShape(allow_null=True)
    labels = serializers.ListField(child=serializers.IntegerField())
    curve = MeanShape(many=True)


class RunShape(serializers.ModelSerializer[SimulationRun]):
    """One curve: a strategy under a seed."""

    class Meta:
        model = SimulationRun
        fields = ["strategy", "seed", "state", "points", "pick_seconds", "seconds", "error"]


class SimulationShape(serializers.ModelSerializer[Simulation]):
    """`facts` says what was replayed; curves of equal `data_hash` may be compared. `full` is what a
    student reaches with every label. `advice` is null until the end; `said` is its sentence."""

    advice = serializers.SerializerMethodField()
    said = serializers.SerializerMethodField()
    seconds_left = serializers.SerializerMethodField()

    class Meta:
        model = Simulation
        fields = [
            *("id", "state", "job_id", "settings", "file_name", "position", "data_hash"),
            *("facts", "full", "advice", "said", "error", "seconds_left"),
            *("created_at", "finished_at"),
        ]

    @extend_schema_field(AdviceShape(allow_null=True))
    def get_advice(self, simulation: Simulation) -> dict[str, Any] | None:
        """Null until the end."""
        return simulation.advice or None

    def get_said(self, simulation: Simulation) -> str:
        """The recommendation as a sentence."""
        return comparing.advice_in_words(simulation)

    def get_seconds_left(self, simulation: Simulation) -> float | None:
        """Null while it cannot be told."""
        return comparing.seconds_left(simulation)


class OneSimulationShape(SimulationShape):
    """A simulation with its curves and standings, best first."""

    runs = serializers.SerializerMethodField()
    standings = serializers.SerializerMethodField()

    class Meta(SimulationShape.Meta):
        fields = [*SimulationShape.Meta.fields, "standings", "runs"]

    @extend_schema_field(RunShape(many=True))
    def get_runs(self, simulation: Simulation) -> Any:
        """Every curve, by seed."""
        return RunShape(simulation.runs.order_by("seed", "pk"), many=True).data

    @extend_schema_field(StandingShape(many=True))
    def get_standings(self, simulation: Simulation) -> list[dict[str, Any]]:
        """What the finished curves say so far."""
        return [
            {
                "strategy": one.strategy,
                "seeds": len(one.seeds),
                "area": mean_as_json(one.area),
                "labels_to_90": one.labels_to.get(0.9),
                "labels_to_95": one.labels_to.get(0.95),
                "reached_at_start": [
                    name
                    for name, share in (("labels_to_90", 0.9), ("labels_to_95", 0.95))
                    if one.from_the_start(share)
                ],
                "pick_seconds": one.pick_seconds,
                "difference": mean_as_json(one.difference),
                "labels": list(one.labels),
                "curve": [mean_as_json(each) for each in one.curve],
            }
            for one in comparing.standings(simulation)
        ]


class SimulationWish(serializers.Serializer[Any]):
    """Every strategy is replayed under every seed: `start` labels by the cold start, then `batch` a
    round up to `budget`. Without a `file` (multipart) the project's verdicts are replayed; `text`
    and `label` name its columns, empty ones are guessed."""

    strategies = serializers.ListField(
        child=serializers.CharField(max_length=32),
        min_length=1,
        max_length=100,
        help_text="Names as a project's `strategy` has them; a refusal lists those that fit.",
    )
    seeds = serializers.IntegerField(min_value=1, max_value=simulations.MOST_SEEDS, default=5)
    start = serializers.IntegerField(min_value=2, max_value=simulations.MOST_LABELS, default=20)
    batch = serializers.IntegerField(min_value=1, max_value=simulations.MOST_LABELS, default=40)
    budget = serializers.IntegerField(min_value=2, max_value=simulations.MOST_LABELS, default=500)
    student = PluginField(
        student_choices,
        default="",
        allow_blank=True,
        help_text="Empty: the quick one of the project's task type.",
    )
    cold_start = serializers.ChoiceField(
        choices=simulations.COLD_STARTS, default=simulations.COLD_STARTS[0]
    )
    text = serializers.CharField(default="", allow_blank=True, max_length=500)
    label = serializers.CharField(  # type: ignore[assignment]  # a name of ours
        default="", allow_blank=True, max_length=500
    )
    file = serializers.FileField(required=False)


class ChangeShape(serializers.ModelSerializer[StrategyChange]):
    """Who changed the strategy, when, and on which simulation's advice."""

    changed_by = serializers.CharField(source="changed_by.username", default=None, allow_null=True)

    class Meta:
        model = StrategyChange
        fields = ["id", "before", "after", "simulation_id", "changed_by", "changed_at"]


class OfSimulation(Endpoint):
    """An endpoint about one simulation of a project."""

    def simulation(self, project: Project, simulation_id: int) -> Simulation:
        rows = Simulation.objects.for_user(self.person).filter(project=project)
        found = rows.select_related("project", "job").filter(pk=simulation_id).first()
        if found is None:
            raise NotFoundError("There is no such simulation in this project.")
        return found


class Simulations(Endpoint):
    budget = "heavy"
    parser_classes = [BoundedJson, MultiPartParser]

    @extend_schema(responses=SimulationShape(many=True), summary="Simulations, latest first")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = Simulation.objects.for_user(self.person).filter(project=project)
        return self.page(rows.select_related("project", "job"), SimulationShape)

    @extend_schema(
        request={"application/json": SimulationWish, "multipart/form-data": SimulationWish},
        responses={202: SimulationShape},
        summary="Replay the labels, or a file, under several strategies",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, SimulationWish)
        file = wish.pop("file", None)
        made = simulations.create_simulation(
            project,
            simulations.Wish.from_json(wish),
            self.person,
            file=file,
            file_name=(file.name or "") if file else "",
        )
        made.refresh_from_db()
        return Response(SimulationShape(made).data, status=202)


class OneSimulation(OfSimulation):
    @extend_schema(
        responses=OneSimulationShape, summary="A simulation with its curves and standings"
    )
    def get(self, request: Request, project_id: int, simulation_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        return Response(OneSimulationShape(self.simulation(project, simulation_id)).data)


class SimulationCancel(OfSimulation):
    @extend_schema(
        request=None,
        responses=SimulationShape,
        summary="Stop a simulation; finished curves stay",
    )
    def post(self, request: Request, project_id: int, simulation_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        found = self.simulation(project, simulation_id)
        simulations.cancel(found)
        return Response(SimulationShape(found).data)


class SimulationApply(OfSimulation):
    @extend_schema(
        request=None, responses=ProjectShape, summary="Use the recommended strategy in the project"
    )
    def post(self, request: Request, project_id: int, simulation_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        changed = simulations.apply(self.simulation(project, simulation_id), self.person)
        project.strategy = changed.strategy
        return Response(ProjectShape(project).data)


class StrategyChanges(Endpoint):
    @extend_schema(
        responses=ChangeShape(many=True), summary="Who changed the strategy, latest first"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        rows = StrategyChange.objects.for_user(self.person).filter(project=project)
        return self.page(rows.select_related("changed_by"), ChangeShape)


class StrategyBack(Endpoint):
    @extend_schema(
        request=None,
        responses=ChangeShape,
        summary="Go back to the strategy before the last change",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        change = simulations.take_back(project, self.person)
        return Response(ChangeShape(change).data)
