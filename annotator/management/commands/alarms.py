"""Alarms about people's answers, with their evidence."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.verdicts import alarming
from annotator.management.base import Command as Base
from annotator.management.base import named_by, project_named
from annotator.models import Can


class Command(Base):
    help = "List what a reviewer should look at in people's answers, with its evidence."
    example = """
Examples:
  manage.py alarms --project 1            a JSON line for each person and kind
  manage.py alarms --project 1 --by ben   refused unless ben may review

Nothing follows from an alarm by itself: a person may be fast because the items are easy.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="number or name")
        parser.add_argument("--by", help="in whose name")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        named_by(project, options["by"], Can.REVIEW)
        for alarm in alarming.of(project):
            self.say(json.dumps(asdict(alarm), ensure_ascii=False))
        self.note("Nothing follows from an alarm by itself: look at the answers first.")
