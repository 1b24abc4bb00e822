"""Make teachers of a file of answers that models gave elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.imports import recordings
from annotator.formats.answers import AnswerMapping
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off
from annotator.models import Recording, RecordingState, Teacher

SHOWN_PROBLEMS = 20
PARTS = tuple(part for part in AnswerMapping().to_json() if part not in ("separator", "answers"))


class Command(Base):
    help = (
        "Make teachers of a file of answers that models gave elsewhere: one row for each answer, "
        "with the item's id, number or text, and the label. Prints them as JSON; bad rows go to "
        "stderr."
    )
    example = """
Examples:
  manage.py record 1 gpt.csv
  manage.py record 1 gpt.jsonl --id item --label answer --confidence sure --model model
  manage.py record 1 gpt.csv --skip-bad-rows --name "GPT-4o in May"

Columns are guessed from the file unless one is named; then nothing else is.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's number or name")
        parser.add_argument("file", type=Path)
        for part in PARTS:
            parser.add_argument(f"--{part.replace('_', '-')}", default="", help=f"column: {part}")
        parser.add_argument(
            "--answer",
            action="append",
            default=[],
            dest="answers",
            metavar="COLUMN",
            help="column that answers the question of a form that it is called after; may be repeated",
        )
        parser.add_argument("--separator", default="", help="splits a cell into several labels")
        parser.add_argument("--name", default="", help="of the teacher; the file's name otherwise")
        parser.add_argument(
            "--skip-bad-rows", action="store_true", help="take the rest; else nothing is"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        given = {part: options[part] for part in (*PARTS, "answers") if options[part]}
        try:
            with options["file"].open("rb") as file:
                recording = recordings.receive(project, file, name=options["file"].name)
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from error
        mapping = recordings.look(recording).mapping
        if given:
            mapping = AnswerMapping.from_json(given)
        if options["separator"]:
            mapping = replace(mapping, separator=options["separator"])
        recording = recordings.begin(
            recording,
            mapping,
            name=options["name"],
            bad_rows="skip" if options["skip_bad_rows"] else "ask",
        )
        if recording.job is None:
            raise CommandError("The reading has no job.")
        chosen = [(part, name) for part, name in mapping.to_json().items() if name]
        told = [
            (part, one)
            for part, name in chosen
            for one in (name if isinstance(name, list) else [name])
        ]
        self.note("Reading with " + ", ".join(f"{part} from “{name}”" for part, name in told))
        work_off(recording.job, self.note)
        recording.refresh_from_db()
        self._tell(recording)

    def _tell(self, recording: Recording) -> None:
        report = recording.report
        for row, column, message in report.get("problems", [])[:SHOWN_PROBLEMS]:
            self.note(f"row {row:,}" + (f", column {column}" if column else "") + f": {message}")
        left = report.get("problem_count", 0) - SHOWN_PROBLEMS
        if left > 0:
            self.note(f"… and {left:,} more problems.")
        if recording.state == RecordingState.NEEDS_DECISION:
            recordings.discard(recording)
            raise CommandError(
                "Nothing was taken. Mend the file, or take the rest with --skip-bad-rows."
            )
        made = Teacher.objects.filter(recording=recording).select_related("voice").order_by("pk")
        names = ("answers", "silent", "unknown_count", "bad_rows")
        told = {
            "recording": recording.pk,
            "teachers": {each.name: each.pk for each in made},
            **{name: report[name] for name in names},
        }
        self.say(json.dumps(told, ensure_ascii=False))
