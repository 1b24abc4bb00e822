"""Replay a labelled file, or a project's labels, through the whole loop and print the curves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import jobs
from annotator.actions.simulations import comparing, simulating, simulations
from annotator.errors import ConflictError
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import LOOK_EVERY_SECONDS
from annotator.models import JobState, RunState, Simulation, SimulationState
from annotator.models.project import encoder_choices, strategy_choices
from annotator.models.simulation import LIVE

# What --project takes from the plan; the rest speaks of files.
SHARED = ("seeds", "start", "batch", "student", "cold_start")


class Command(Base):
    help = (
        "Replay a labelled file: encode, select, label, train. Prints the curve as JSON lines. "
        "With --project the project's own labels are replayed and the result is kept there."
    )
    example = """
Examples:
  manage.py simulate train.jsonl.gz --test test.jsonl.gz --strategy random --labels 1000 --seeds 5
  manage.py simulate tickets.csv --text message --label topic --encoder tfidf-svd
  manage.py simulate tickets.csv --strategies random,margin,mixed --seeds 5
  manage.py simulate --project 1 --strategies random,margin,mixed --seeds 5

Each line is a point: seed, labels, accuracy (0…1) with its 95 % interval (low, high) and more.
With --strategies a point names its strategy in "run", all begin from the same labels under the same
seed, and one line for each strategy follows: area under the curve, labels to 90 and 95 % of what all
labels give (those of "reached_at_start" are there from the first point on), seconds of one pick, the paired difference to random, and which one is recommended.
Without --test a share of the file is kept back for testing; equal texts are never on both sides.
A file needs no project and changes nothing. --project shows the result on the project's page too.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        defaults = simulating.Plan(file=Path())
        names = [name for name, _ in strategy_choices()]
        add(
            "file",
            type=Path,
            nargs="?",
            help="CSV, TSV, Excel, JSON, JSONL (also .gz), Parquet, zip, …",
        )
        add("--project", help="replay this project's labels instead (number or name)")
        add("--test", type=Path, help="another file to test on")
        add("--test-share", type=float, default=defaults.test_share, help="else this share (0.2)")
        add("--text", default="", help="column with the text (guessed)")
        add("--label", default="", help="column with the label (guessed)")
        add("--rows", type=int, default=0, help="read only so many labelled rows")
        add("--encoder", default=defaults.encoder, choices=[n for n, _ in encoder_choices()])
        add("--encoder-params", type=json.loads, default={}, metavar="JSON")
        add("--student", default="", help="who learns (the quick one of the task)")
        add("--strategy", default=defaults.strategy, choices=names)
        add("--strategies", default="", metavar="A,B,…", help="compare these: " + ", ".join(names))
        add("--cold-start", default="", choices=simulations.COLD_STARTS, help="who begins")
        add("--start", type=int, default=defaults.start, help="labels of the cold start (50)")
        add("--batch", type=int, default=defaults.batch, help="labels between two points (50)")
        add("--labels", type=int, default=defaults.labels, help="labels in all (1000)")
        add("--seeds", type=int, default=defaults.seeds, help="repeat with so many seeds (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        options["strategies"] = tuple(filter(None, options["strategies"].split(",")))
        if bool(options["file"]) == bool(options["project"]):
            raise CommandError("Name a labelled file or a project with --project, one of the two.")
        lines = self._of_project(options) if options["project"] else self._of_file(options)
        for line in lines:
            self.say(json.dumps(line, ensure_ascii=False))
            self.stdout.flush()

    def _of_file(self, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
        names = simulating.Plan.__dataclass_fields__
        plan = simulating.Plan(**{name: options[name] for name in names})
        yield from simulating.simulate(plan, self.note)

    def _of_project(self, options: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Points as their curves are finished, then the comparison."""
        project = project_named(options["project"])
        wish = simulations.Wish(
            strategies=options["strategies"] or (options["strategy"],),
            budget=options["labels"],
            **{name: options[name] for name in SHARED if options[name] != ""},
        )
        simulation = simulations.create_simulation(project, wish)
        self.note(f"Simulation {simulation.pk} of {project.name}")
        try:
            yield from self._worked_off(simulation)
        except BaseException:  # Ctrl-C, or a pipe that was closed: nobody reads on
            self._stop(simulation)
            raise
        if simulation.state != SimulationState.DONE:
            told = simulation.get_state_display().lower()
            raise CommandError(simulation.error or f"The simulation was {told} before its end.")
        for refused in comparing.refused(simulation):
            self.note(f"{refused.strategy}: {refused.error}")
        yield from simulating.comparison_lines(
            comparing.finished_runs(simulation),
            simulation.full.get("score"),
            simulation.advice["current"],
        )

    def _worked_off(self, simulation: Simulation) -> Iterator[dict[str, Any]]:
        """Do the pieces here unless a worker was quicker; give each curve once it is there."""
        told: set[int] = set()
        while simulation.is_live:
            job = simulation.job
            if job is not None and job.state == JobState.QUEUED:
                self.note(f"{len(told)} of {simulation.runs.count()} curves")
                jobs.execute(job.pk)
            simulations.mark_stranded()
            simulation.refresh_from_db()
            for row in (
                simulation.runs.filter(state=RunState.DONE)
                .exclude(pk__in=told)
                .order_by("seed", "pk")
            ):
                told.add(row.pk)
                for point in row.points:
                    yield {"run": row.strategy, "seed": row.seed, **point}
            if simulation.state in LIVE and (job is None or job.pk == simulation.job_id):
                time.sleep(LOOK_EVERY_SECONDS)  # a worker is at it

    def _stop(self, simulation: Simulation) -> None:
        try:
            simulations.cancel(simulation)
        except ConflictError:
            return  # it had just come to its end
