"""Look for wrong labels, list what looks wrong, and say how many are left."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator import jobs
from annotator.actions.review import flagging, reviewed
from annotator.errors import ConflictError
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.models import Flag, FlagState, Job, JobState, Label, Project


class Command(Base):
    help = "What looks wrong in a project's labels, and how many wrong ones are left."
    example = """
Examples:
  manage.py flags --project 1                 the figures of the review, as one JSON line
  manage.py flags --project 1 --look          looks at every label first, as the job does
  manage.py flags --project 1 --list 50       then the open flags, best first, a JSON line each

Which of the listed items are there by chance is not told before they are settled: whoever reviews
them must not know.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--project", required=True, help="number or name")
        add("--look", action="store_true", help="look for wrong labels now")
        add("--list", type=int, default=0, metavar="N", help="the first N open flags")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if options["look"]:
            self._look(project)
        figures = reviewed.figures(project).to_json()
        self.say(json.dumps(figures, default=str))
        names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
        flags = Flag.objects.filter(project=project, state=FlagState.OPEN).by_machines()
        for flag in flags.select_related("item").order_by("rank")[: options["list"]]:
            self.say(json.dumps(_told(flag, names), ensure_ascii=False))

    def _look(self, project: Project) -> None:
        """Do the job here unless a worker is quicker."""
        try:
            job = flagging.look_now(project, None)
        except ConflictError:
            waiting = Job.objects.live().filter(project=project, kind="flag").order_by("-id")
            job = waiting.first() or flagging.look_now(project, None)
        jobs.execute(job.pk)
        job.refresh_from_db()
        if job.state != JobState.DONE:
            raise CommandError(job.error or f"A worker is at it: job {job.pk} is {job.state}.")
        if not job.result.get("looked"):
            raise CommandError(job.result.get("why", "The labels were not looked at."))
        self.note(f"{job.result['flagged']} of {job.result['labels']} labels look wrong.")


def _told(flag: Flag, names: dict[int, str]) -> dict[str, Any]:
    return {
        "item": flag.item.number,
        "id": flag.item.external_id,
        "labels": [names.get(pk) for pk in flag.labels],
        "suggested": [names.get(pk) for pk in flag.suggested],
        "evidence": [one["words"] for one in flag.evidence],
    }
