"""Train a student of a project."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.students import teaching
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off
from annotator.models import Job, StudentVersion


class Command(Base):
    help = "Train a student of a project from its labels of now."
    example = """
Examples:
  manage.py train 1 --wait
  manage.py train 1 --kind finetune --param epochs=3 --param model=minilm --wait

Without --wait a worker does it, and the line names the job. With --wait it is done here, and the line
has the student's figures. It takes over by the same rule as any other.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="number or name")
        parser.add_argument("--kind", default="head", help="a kind of student (head)")
        parser.add_argument(
            "--param",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a hyper-parameter of that kind; may be given several times",
        )
        parser.add_argument("--wait", action="store_true", help="train here and wait for the end")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        params = dict(_parameter(each) for each in options["param"])
        job = teaching.start_training(project, options["kind"], params)
        if not options["wait"]:
            self.say(json.dumps({"job": job.pk}))
            return
        work_off(job, self.note)
        job.refresh_from_db()
        if not job.result.get("trained"):
            raise CommandError(str(job.result.get("why", "Nothing was trained.")))
        self.say(json.dumps(_told(job), ensure_ascii=False))


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
    return {
        "student": version.number,
        "kind": version.kind,
        "current": project.current_student_id == version.pk,
        "trained_on": version.trained_on,
        "seconds": version.seconds,
        "accuracy": version.accuracy,
        "low": version.accuracy_low,
        "high": version.accuracy_high,
        "estimate": str(version.estimate),
        "evaluated_on": version.evaluated_on,
        "metrics": version.metrics,
    }
