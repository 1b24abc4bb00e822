"""Draw the map of a project's items and print its regions."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.explore import mapped, mapping
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off


class Command(Base):
    help = (
        "Draw the map of the corpus, or place on it what is new, and print one JSON line for each "
        "region: its words, how many items it has, how many of them are decided, and its area, "
        "which filters items wherever they are listed."
    )
    example = """
Examples:
  manage.py map 1
  manage.py map 1 --again
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's number or name")
        parser.add_argument(
            "--again", action="store_true", help="draw all of it anew; areas of the old map end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        known = mapping.current_map(project)
        if options["again"] or not mapping.fits(project, known):
            work_off(mapping.wish(project, again=options["again"]), self.note)
            known = mapping.current_map(project)
        if known is None:
            return
        for region in mapped.regions_of(project, known, mapped.shown(project, known)):
            told = {
                "words": region.words,
                "items": region.items,
                "decided": region.decided,
                "area": region.area,
            }
            self.say(json.dumps(told, ensure_ascii=False))
