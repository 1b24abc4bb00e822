"""Look for label words in a project's texts, and keep those that are named."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.teachers import label_words
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off


class Command(Base):
    help = (
        "Look for words of the project's own texts that say what a label's name does not. Prints "
        "one JSON line for each label; nothing is kept unless it is named with --keep."
    )
    example = """
Examples:
  manage.py words 1
  manage.py words 1 --keep "Refund: money back, chargeback"
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's number or name")
        parser.add_argument(
            "--keep",
            action="append",
            default=[],
            metavar="LABEL: WORDS",
            help="set the words of a label, parted by commas; repeat for each label",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        wanted: dict[int, list[str]] = {}
        names = {label.name: label.pk for label in project.live_labels()}
        for given in options["keep"]:
            name, _, words = given.partition(":")
            if name.strip() not in names:
                raise CommandError(f"The project has no label “{name.strip()}”.")
            wanted[names[name.strip()]] = words.split(",")
        if wanted:
            label_words.keep(project, wanted)
        else:
            work_off(label_words.ask(project), self.note)
        for each in label_words.offered(project):
            told = {"label": each.label.name, "words": each.label.words, "offered": each.words}
            self.say(json.dumps(told, ensure_ascii=False))
