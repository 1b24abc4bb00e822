"""Label a file of texts or images by a student."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.students import predictions
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off
from annotator.models import StudentVersion


class Command(Base):
    help = "Label every row of a file, or every image of a zip, by a student; of spans mark the text of every row. Prints what was done as JSON."
    example = """
Examples:
  manage.py predict 1 tickets.csv labelled.csv
  manage.py predict 1 tickets.jsonl labelled.parquet --text body --student 12 --soft
  manage.py predict 2 photos.zip labelled.csv

What is written follows from the name: .csv, .jsonl or .parquet.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="number or name")
        parser.add_argument("file", type=Path)
        parser.add_argument("output", type=Path)
        parser.add_argument("--text", default="", help="column with the text; guessed")
        parser.add_argument("--text-b", default="", help="column with the second text; guessed")
        parser.add_argument("--student", type=int, help="a version's number; the current one")
        parser.add_argument("--soft", action="store_true", help="every label's probability too")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        format = options["output"].suffix.removeprefix(".")
        if format not in predictions.WRITTEN:
            raise CommandError(
                f"{options['output']}: name it {', '.join('.' + x for x in predictions.WRITTEN)}."
            )
        version = None
        if options["student"] is not None:
            rows = StudentVersion.objects.filter(project=project, number=options["student"])
            version = rows.first()
            if version is None:
                raise CommandError(f"This project has no student {options['student']}.")
        given = {name: options[name] for name in ("text", "text_b", "soft")}
        try:
            with options["file"].open("rb") as file:
                wish = predictions.Wish.from_json({**given, "format": format})
                name = options["file"].name
                made = predictions.create(project, file, wish, name=name, version=version)
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from error
        while made.is_live and made.job is not None:
            work_off(made.job, self.note)
            made.refresh_from_db()
        try:
            shutil.copyfile(predictions.path_of(made), options["output"])
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}.") from error
        told = {"rows": made.rows, **made.report, "file": str(options["output"])}
        self.say(json.dumps(told | {"sha256": made.sha256}, ensure_ascii=False))
