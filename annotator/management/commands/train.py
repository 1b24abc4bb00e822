"""Train a student of a project, and say what it starts from."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.students import teaching, version_figures, warm_starts
from annotator.management.base import Command as Base
from annotator.management.base import named_by, project_named
from annotator.management.working import work_off
from annotator.models import Can, Job, Project, StudentVersion


class Command(Base):
    help = "Train a student of a project from its labels of now."
    example = """
Examples:
  manage.py train 1 --wait
  manage.py train 1 --kind finetune --param epochs=3 --param model=minilm --wait
  manage.py train 3 --kind image-finetune --wait
  manage.py train 2 --start-from 1 --match "Refund wanted=Refund" --match "Other=" --wait
  manage.py train 2 --start-alone

Without --wait a worker does it, and the line names the job. With --wait it is done here, and the line
has the student's figures. It takes over by the same rule as any other.

--start-from takes over what the answers of another project say of labels that are called alike or named by
--match, and trains nothing itself: the head begins with that from its next training on, which is asked
for, until --start-alone.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="number or name")
        parser.add_argument("--kind", default="head", help="a kind of student (head)")
        parser.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a hyper-parameter of that kind; may be given several times, each name once",
        )
        parser.add_argument("--start-from", metavar="PROJECT", help="number or name of another one")
        parser.add_argument(
            "--match",
            action="append",
            default=[],
            metavar="THEIRS=OURS",
            help="labels that mean the same beside those called alike; nothing behind = parts them",
        )
        parser.add_argument(
            "--start-alone", action="store_true", help="start from no other project any more"
        )
        parser.add_argument("--by", help="in whose name it starts from another one")
        parser.add_argument("--wait", action="store_true", help="train here and wait for the end")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if options["start_alone"] and options["start_from"]:
            raise CommandError("Give --start-from or --start-alone, not both.")
        if options["match"] and not options["start_from"]:
            raise CommandError("--match needs --start-from.")
        if options["start_alone"]:
            warm_starts.withdraw(project)
            self.say(json.dumps({"withdrawn": True}))
            return
        if options["start_from"]:
            self._start_from(project, options)
            return
        params = _parameters(options["param"])
        job = teaching.start_training(project, options["kind"], params)
        if not options["wait"]:
            self.say(json.dumps({"job": job.pk}))
            return
        work_off(job, self.note)
        job.refresh_from_db()
        if "student" not in job.result:
            raise CommandError(str(job.result.get("why", "Nothing was trained.")))
        if not job.result["trained"]:
            self.note(job.result["why"])
        self.say(json.dumps(_told(job), ensure_ascii=False))

    def _start_from(self, project: Project, options: dict[str, Any]) -> None:
        by = named_by(project, options["by"], Can.MANAGE)
        source = project_named(options["start_from"])
        warm_starts.source_named(project, by, source.pk)
        matches = warm_starts.suggested(project, source)
        for pair in options["match"]:
            their, our = _pair(project, source, pair)
            matches.pop(their, None)
            if our is not None:
                matches[their] = our
        job = warm_starts.begin(project, by, source.pk, matches)
        told: dict[str, Any] = {"job": job.pk, "labels": len(set(matches.values()))}
        if options["wait"]:
            work_off(job, self.note)
            job.refresh_from_db()
            told = job.result
        self.say(json.dumps(told))


def _pair(project: Project, source: Project, text: str) -> tuple[int, int | None]:
    """`Refund wanted=Refund` -> (its label's id, ours)."""
    their, sign, our = text.partition("=")
    theirs = {label.name: label.pk for label in source.live_labels()}
    ours = {label.name: label.pk for label in project.live_labels()}
    if not sign or their.strip() not in theirs:
        raise CommandError(f"“{text}” names no label of “{source}”; write THEIRS=OURS.")
    if our.strip() and our.strip() not in ours:
        raise CommandError(f"“{project}” has no label “{our.strip()}”.")
    return theirs[their.strip()], ours.get(our.strip())


def _parameters(given: list[str]) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for name, value in map(_parameter, given):
        if name in params:
            raise CommandError(f"“{name}” is given twice; give each parameter once.")
        params[name] = value
    return params


def _parameter(text: str) -> tuple[str, Any]:
    """`epochs=3` -> ("epochs", 3); what is no JSON is a string."""
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise CommandError(f"“{text}” is no parameter; write NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _told(job: Job) -> dict[str, Any]:
    version = StudentVersion.objects.get(project=job.project, number=job.result["student"])
    project = version.project
    figure = version_figures.headline(version)
    return {
        "student": version.number,
        "kind": version.kind,
        "current": project.current_student_id == version.pk,
        "trained_on": version.trained_on,
        "seconds": version.seconds,
        "accuracy": figure.value,
        "low": figure.low,
        "high": figure.high,
        "estimate": str(figure.source),
        "evaluated_on": figure.n,
        "metrics": version.metrics,
    }
