"""How far the voices of a project agree, and how well each one does."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser
from rest_framework.utils.encoders import JSONEncoder

from annotator.actions.verdicts import settling, skills
from annotator.api.agreement import AgreementShape, told
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off


class Command(Base):
    help = "Print the agreement of a project's voices and their skills as JSON."
    example = """
Examples:
  manage.py agreement 1
  manage.py agreement 1 --now

The figures are those of the last job; --now seals what was answered since and computes them anew.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's number or name")
        parser.add_argument("--now", action="store_true", help="compute them anew first")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if options["now"]:
            settling.settle_now(project)
            work_off(skills.start(project), self.note)
        shown = AgreementShape(told(project)).data
        self.say(json.dumps(shown, cls=JSONEncoder, ensure_ascii=False))
