"""Simulations of a project: ask for one, stop it, and use what it recommends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, BinaryIO

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.actions.projects import projects
from annotator.actions.simulations import replaying, value_replays
from annotator.actions.simulations.parting import FEWEST_ITEMS, test_share
from annotator.actions.students.recipes import fits, registry_of
from annotator.errors import ConflictError, InvalidError
from annotator.formats import FormatError
from annotator.formats.preview import preview
from annotator.models import (
    ItemKind,
    JobState,
    Project,
    Simulation,
    SimulationRun,
    SimulationState,
    StrategyChange,
    User,
)

# What a replay of verdicts cannot give them.
NOT_REPLAYED = {
    "rad": "it chooses for a teacher, and verdicts do not tell where a teacher errs",
    "set-size": "its sets are calibrated on audit items, and a replay draws none",
    "keyword": "it follows a lead's searches, and verdicts hold none",
}
NOTHING_LEARNS = (
    "No student learns from the answers of this project, so a simulation cannot tell which strategy "
    "teaches one best. Labels, grades, forms, spans and orders can be replayed."
)
COLD_STARTS = ("representatives", "random")
MOST_SEEDS, MOST_RUNS, MOST_ROUNDS, MOST_LABELS = 20, 200, 200, 100_000
FEWEST_START = 20
STARTS_PER_LABEL = 2


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What to simulate. Every strategy is replayed under every seed, from the same cold start.

    `start` labels come from the cold start, then `batch` at a time up to `budget` or the end of
    the pool. `text` and `label` name columns of a file; empty ones are guessed. Without a `student` it is
    the quick one of the project's task.
    """

    strategies: tuple[str, ...]
    seeds: int = 5
    start: int = 20
    batch: int = 40
    budget: int = 500
    student: str = ""
    cold_start: str = "representatives"
    text: str = ""
    label: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Wish:
        """Make a wish of a form's or a body's values. Raises InvalidError for an unknown one."""
        unknown = set(values) - {one.name for one in fields(cls)}
        if unknown:
            raise InvalidError(f"There is no such choice: {', '.join(sorted(unknown))}.")
        return cls(**{**values, "strategies": tuple(values.get("strategies", ()))})

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "strategies": list(self.strategies)}


def replayable(project: Project) -> list[tuple[str, str]]:
    """(name, label) of the strategies that fit the project's task and can be replayed."""
    from learning.selection import STRATEGIES

    fit = project.strategies
    return [
        (name, label)
        for name, label in STRATEGIES.choices()
        if name in fit and name not in NOT_REPLAYED
    ]


def quick_student(project: Project) -> str:
    """The one that is there within seconds. Raises InvalidError where none learns from such answers."""
    students = project.task.students
    if not students:
        raise InvalidError(NOTHING_LEARNS)
    return students[0]


def students_for(project: Project) -> list[tuple[str, str]]:
    """(name, label) of those that a simulation may train: who reads texts needs some, and who looks at images is
    not replayed."""
    return [
        (name, registry_of(name).entry(name).label)
        for name in project.task.students
        if registry_of(name)[name].needs != "images" and fits(project, name)
    ]


def suggested(project: Project) -> Wish:
    """What a lead would begin with: the strategy in use beside the yardstick, up to 1,000 labels.

    Not to the end of the pool, where every strategy has labelled everything.
    """
    offered = [name for name, _ in replayable(project)]
    wanted = [project.strategy, "mixed", "margin", "random"]
    labels = project.live_labels().count()
    items = replaying.labelled_count(project)
    pool = items * (1 - test_share(items))
    start = max(FEWEST_START, STARTS_PER_LABEL * labels)
    budget = max(min(1_000, round(pool * 0.8, -1)), start + 10)
    batch = max(10, round((budget - start) / 15, -1))
    return Wish(
        strategies=tuple(name for name in dict.fromkeys(wanted) if name in offered),
        start=start,
        batch=int(batch),
        budget=int(budget),
        student=next(iter(project.task.students), ""),
    )


def create_simulation(
    project: Project,
    wish: Wish,
    user: User | None = None,
    *,
    file: BinaryIO | None = None,
    file_name: str = "",
) -> Simulation:
    """Ask for a simulation of the project's verdicts, or of a labelled file.

    Raises InvalidError for what cannot be, ConflictError while another one is live.
    """
    wish = replace(wish, student=wish.student or quick_student(project))
    _check(project, wish, from_file=file is not None)
    _refuse_second(project)
    stored = _kept(file, file_name, wish) if file is not None else ""
    try:
        with transaction.atomic():
            simulation = Simulation.objects.create(
                project=project,
                settings=wish.to_json(),
                file_name=file_name[:255] if stored else "",
                stored_name=stored,
                created_by=user,
            )
            SimulationRun.objects.bulk_create(
                SimulationRun(simulation=simulation, strategy=strategy, seed=seed)
                for seed in range(wish.seeds)
                for strategy in wish.strategies
            )
            go_on(simulation)
    except IntegrityError:  # two people at the same moment: the constraint parts them
        uploads.remove(stored)
        _refuse_second(project)
        raise
    return simulation


def go_on(simulation: Simulation) -> None:
    """Enqueue the next piece of a simulation's work, in the caller's transaction."""
    job = jobs.enqueue(
        "simulate",
        project=simulation.project,
        params={"simulation": simulation.pk},
        key=f"simulate:{simulation.pk}",
        started_by=simulation.created_by,
    )
    if job is not None:
        simulation.job = job
        Simulation.objects.filter(pk=simulation.pk).update(job=job)


def cancel(simulation: Simulation) -> None:
    """Stop a simulation; what is finished stays. Raises ConflictError when it is over already."""
    with transaction.atomic():
        # Parts this from the worker, which would go on to the next run.
        locked = Simulation.objects.select_for_update(no_key=True).get(pk=simulation.pk)
        if not locked.is_live:
            raise ConflictError(f"This simulation is over: {locked.get_state_display().lower()}.")
        end(locked, SimulationState.CANCELLED)
        if locked.job is not None:
            jobs.request_cancel(locked.job)
    simulation.refresh_from_db()


def end(simulation: Simulation, state: SimulationState, error: str = "", **values: Any) -> bool:
    """Write a live simulation's end; False when it had one already."""
    over = Simulation.objects.live().filter(pk=simulation.pk)
    if not over.update(state=state, error=error, finished_at=Now(), **values):
        return False
    transaction.on_commit(lambda: replaying.forget(simulation))
    return True


def mark_stranded() -> int:
    """End the simulations whose job is over without them: it was cancelled, or its workers died."""
    states = [JobState.DONE, JobState.FAILED, JobState.CANCELLED]
    stranded = Simulation.objects.live().filter(job__state__in=states).select_related("job")
    count = 0
    for simulation in stranded:
        job = simulation.job
        cancelled = job is None or job.state == JobState.CANCELLED
        state = SimulationState.CANCELLED if cancelled else SimulationState.FAILED
        with transaction.atomic():
            still = Simulation.objects.filter(pk=simulation.pk, job=job)
            count += bool(still) and end(simulation, state, "" if job is None else job.error)
    return count


def apply(simulation: Simulation, user: User) -> Project:
    """Use the recommended strategy in the project, and note who decided so."""
    wanted = simulation.advice.get("strategy")
    if simulation.state != SimulationState.DONE or not wanted:
        raise ConflictError("This simulation recommends nothing; it did not come to its end.")
    with transaction.atomic():
        project = _locked(simulation.project)
        if project.strategy == wanted:
            raise ConflictError("The project uses the recommended strategy already.")
        projects.change_project(project, by=user, because=simulation, strategy=wanted)
    return project


def take_back(project: Project, user: User) -> StrategyChange:
    """Go back to the strategy before the last change, which is a change of its own."""
    with transaction.atomic():
        locked = _locked(project)
        last = StrategyChange.objects.filter(project=project).order_by("-pk").first()
        if last is None or last.after != locked.strategy:
            raise ConflictError("The strategy was never changed; there is nothing to take back.")
        projects.change_project(locked, by=user, strategy=last.before)
        return StrategyChange.objects.filter(project=project).latest("pk")


def _locked(project: Project) -> Project:
    # Parts two people who change the strategy at once, so that the trail has no gap.
    return Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def _refuse_second(project: Project) -> None:
    live = Simulation.objects.live().filter(project=project).select_related("created_by").first()
    if live is not None:
        who = f" by {live.created_by}" if live.created_by else ""
        raise ConflictError(
            f"Simulation {live.pk}, started{who}, is still at work in this project. "
            "Wait for its end or cancel it, then start this one."
        )


def _kept(file: BinaryIO, name: str, wish: Wish) -> str:
    """Look into a file and keep it. Raises InvalidError for one that is no labelled file."""
    try:
        seen = preview(file, name)
    except FormatError as error:
        raise InvalidError(str(error), field="file") from error
    columns = [column.name for column in seen.columns]
    for column in filter(None, (wish.text, wish.label)):
        if column not in columns:
            told = f"The file has no column “{column}”; it has: {', '.join(columns)}."
            raise InvalidError(told, field="file")
    if not seen.labels and not wish.label:
        raise InvalidError(
            "No labels are found in the first rows of this file. Name its columns, or choose "
            f"another file. It has: {', '.join(columns)}.",
            field="file",
        )
    file.seek(0)
    return uploads.store(file).name


def reads_files(project: Project) -> bool:
    """Whether a labelled file can be replayed as its answers are."""
    if not project.task.students or project.has_questions:
        return False
    task = value_replays.task_of(project)
    return task is None or task.places


def _check(project: Project, wish: Wish, *, from_file: bool) -> None:
    if from_file and not reads_files(project):
        raise InvalidError(
            "Such answers are replayed from the project alone; import the file first.", field="file"
        )
    _check_strategies(project, wish)
    _check_student(project, wish, from_file=from_file)
    if not 1 <= wish.seeds <= MOST_SEEDS:
        raise InvalidError(f"Choose 1 to {MOST_SEEDS} seeds.", field="seeds")
    if len(wish.strategies) * wish.seeds > MOST_RUNS:
        raise InvalidError(f"Strategies times seeds are {MOST_RUNS} at most.", field="seeds")
    if wish.start < 2:
        raise InvalidError("Begin with two labels at least.", field="start")
    if wish.batch < 1:
        raise InvalidError("Label one item a round at least.", field="batch")
    if not wish.start <= wish.budget <= MOST_LABELS:
        told = f"The budget lies between the start and {MOST_LABELS:,} labels."
        raise InvalidError(told, field="budget")
    if (wish.budget - wish.start) / wish.batch > MOST_ROUNDS:
        told = f"That is more than {MOST_ROUNDS} rounds; label more items a round."
        raise InvalidError(told, field="batch")
    if from_file:
        return
    if (have := replaying.labelled_count(project)) < FEWEST_ITEMS:
        raise InvalidError(
            f"A simulation needs at least {FEWEST_ITEMS} items with a label; this project has "
            f"{have}. Label more, or replay a labelled file."
        )
    replaying.whole_encoding(project)


def _check_strategies(project: Project, wish: Wish) -> None:
    offered = dict(replayable(project))
    if not wish.strategies:
        raise InvalidError("Choose at least one strategy.", field="strategies")
    if len(set(wish.strategies)) != len(wish.strategies):
        raise InvalidError("A strategy is named twice.", field="strategies")
    for name in wish.strategies:
        if name in NOT_REPLAYED:
            told = f"“{name}” cannot be replayed: {NOT_REPLAYED[name]}."
            raise InvalidError(told, field="strategies")
        if name not in offered:
            told = f"“{name}” is no strategy for this project; there are: {', '.join(offered)}."
            raise InvalidError(told, field="strategies")


def _check_student(project: Project, wish: Wish, *, from_file: bool) -> None:
    if wish.cold_start not in COLD_STARTS:
        told = f"A cold start is one of {', '.join(COLD_STARTS)}."
        raise InvalidError(told, field="cold_start")
    if wish.student not in project.task.students:
        told = f"A student is one of {', '.join(project.task.students)}."
        raise InvalidError(told, field="student")
    needs = registry_of(wish.student)[wish.student].needs
    if needs == "images":
        told = "A student that looks at images is not replayed: a simulation has vectors or texts."
        raise InvalidError(told, field="student")
    if needs == "texts":
        if from_file:
            told = "A file is replayed with a student that learns from vectors."
            raise InvalidError(told, field="student")
        if project.item_kind == ItemKind.IMAGE:
            raise InvalidError("This student learns from texts only.", field="student")
