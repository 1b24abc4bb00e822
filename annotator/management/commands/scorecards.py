"""Print what is known of every voice of a project."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.figures import scorecards
from annotator.actions.trust import qualifying
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.models import Annotator, Teacher


class Command(Base):
    help = "Print every voice's score on the random sample."
    example = """
Example:
  manage.py scorecards --project 1

One JSON line for each voice that answered an item of the random sample: against what it is held,
accuracy with its interval, labels, confusions; for a teacher whether it may label, and why.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="number or name")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        known = scorecards.scores(project)
        rows = Teacher.objects.filter(project=project).select_related(
            "voice", "endpoint", "project"
        )
        teachers = {row.voice_id: row for row in rows}
        for voice in Annotator.objects.filter(pk__in=known).order_by("pk"):
            score = known[voice.pk]
            told = {"name": voice.name, "against": score.against, "missing": score.missing}
            told |= asdict(score)
            if voice.pk in teachers:
                standing = qualifying.state(teachers[voice.pk])
                told |= {"may_label": standing.may_label, "standing": standing.sentence}
            self.say(json.dumps(told, ensure_ascii=False))
