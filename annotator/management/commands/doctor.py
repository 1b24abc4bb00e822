"""Prove the invariants of a live system."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.instance import doctor
from annotator.management.base import Command as Base
from annotator.management.base import project_named


class Command(Base):
    help = (
        "Check what must always hold, one line each; changes nothing. Exit code 1 if one is broken."
    )
    example = """
Examples:
  manage.py doctor
  manage.py doctor --project 1 --deep    also writes every snapshot again and compares the bytes
  manage.py doctor --json | jq 'select(.ok | not)'
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", help="only this one (number or name)")
        parser.add_argument("--deep", action="store_true", help="write every snapshot again")
        parser.add_argument("--json", action="store_true", help="one JSON object per line")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"]) if options["project"] else None
        broken = 0
        for finding in doctor.examine(project, deep=options["deep"]):
            broken += not finding.ok
            if options["json"]:
                self.say(json.dumps(asdict(finding), ensure_ascii=False))
                continue
            where = f"project {finding.project}: " if finding.project else ""
            self.say(
                f"{'ok    ' if finding.ok else 'BROKEN'} {where}{finding.name}: {finding.seen}"
            )
            if finding.remedy:
                self.say(f"       → {finding.remedy}")
        if broken:
            self.note(f"{broken} of these do not hold.")
            sys.exit(1)
