# ruff: noqa: N999 - the command's name is the word that people expect
"""Import a file into a project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from django.core.management.base import CommandError, CommandParser

from annotator.actions.imports import importing
from annotator.formats import FORMATS
from annotator.formats.mapping import Mapping
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off
from annotator.models import BatchState, ImportBatch

SHOWN_PROBLEMS = 20
_COLUMNS = ("text", "text_b", "label", "id", "image")


class Command(Base):
    help = (
        "Import a file: CSV, TSV, Excel, JSON, JSONL, Parquet, a zip of images, or another tool's export. "
        "Prints what was imported as JSON; bad rows go to stderr."
    )
    example = """
Examples:
  manage.py import 1 tickets.csv
  manage.py import "Support tickets" tickets.csv --text body --label topic --meta source
  manage.py import 1 gold.jsonl --labels truth --new-labels refuse --skip-bad-rows

Columns that are not named are guessed from the file; with --text nothing else is.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's number or name")
        parser.add_argument("file", type=Path)
        parser.add_argument("--text", default="", help="column with the text")
        parser.add_argument("--text-b", default="", help="column with the second text")
        parser.add_argument("--label", default="", help="column with the label or labels")
        parser.add_argument(
            "--annotator-label",
            action="append",
            default=[],
            metavar="COLUMN",
            help="column with one annotator's label; repeat for each",
        )
        parser.add_argument("--id", default="", help="column with your own id")
        parser.add_argument("--image", default="", help="column with the image (zip files: image)")
        parser.add_argument("--meta", action="append", default=[], help="repeat for each column")
        parser.add_argument("--separator", default="", help="splits a cell into several labels")
        parser.add_argument(
            "--labels", default="votes", choices=get_args(importing.LabelMode), help="what they are"
        )
        parser.add_argument("--duplicates", default="skip", choices=["skip", "keep"])
        parser.add_argument("--new-labels", default="create", choices=["create", "refuse"])
        parser.add_argument(
            "--skip-bad-rows", action="store_true", help="import the rest; else nothing is"
        )
        parser.add_argument("--format", default="", choices=["", *FORMATS])
        parser.add_argument("--delimiter", default="", help="for CSV; found out when not given")
        parser.add_argument("--encoding", default="", help="found out when not given")
        parser.add_argument("--question", default="", help="from_name of a Label Studio file")
        parser.add_argument(
            "--voice", default="", help="name of the annotator of the file's labels"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        chosen = importing.Options(
            labels=options["labels"],
            duplicates=options["duplicates"],
            new_labels=options["new_labels"],
            bad_rows="skip" if options["skip_bad_rows"] else "ask",
            format=options["format"],
            reader=_reader(options),
            voice=options["voice"],
        )
        try:
            with options["file"].open("rb") as file:
                batch = importing.start_import(
                    project, file, _mapping(options), chosen, name=options["file"].name
                )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.") from error
        if batch.job is None:
            raise CommandError("The import has no job.")
        self.note(f"Importing with {_shown(batch)}")
        work_off(batch.job, self.note)
        batch.refresh_from_db()
        self._tell_problems(batch)
        if batch.state == BatchState.NEEDS_DECISION:
            importing.decide(batch, "discard")
            raise CommandError(
                "Nothing was imported. Mend the file, or import the rest with --skip-bad-rows."
            )
        self.say(json.dumps(_summary(batch), ensure_ascii=False))

    def _tell_problems(self, batch: ImportBatch) -> None:
        for row, column, message in batch.report.get("problems", [])[:SHOWN_PROBLEMS]:
            where = f"row {row:,}" + (f", column {column}" if column else "")
            self.note(f"{where}: {message}")
        left = batch.report.get("problem_count", 0) - SHOWN_PROBLEMS
        if left > 0:
            self.note(f"… and {left:,} more problems.")


def _reader(options: dict[str, Any]) -> dict[str, str]:
    names = ("delimiter", "encoding", "question")
    given = {name: options[name] for name in names if options[name]}
    if "delimiter" in given:
        given["delimiter"] = given["delimiter"].replace("\\t", "\t")
    return given


def _mapping(options: dict[str, Any]) -> Mapping | None:
    given = {name: options[name] for name in _COLUMNS if options[name]}
    voices, metadata = tuple(options["annotator_label"]), tuple(options["meta"])
    if not given and not metadata and not voices:
        return None
    return Mapping(**given, voices=voices, metadata=metadata, separator=options["separator"])


def _shown(batch: ImportBatch) -> str:
    parts = [f"{name} from “{batch.mapping[name]}”" for name in _COLUMNS if batch.mapping.get(name)]
    if voices := batch.mapping.get("voices"):
        parts.append(f"annotators’ labels from {', '.join(f'“{name}”' for name in voices)}")
    return f"format {batch.format}, " + ", ".join(parts)


def _summary(batch: ImportBatch) -> dict[str, Any]:
    report = batch.report
    return {
        "import": batch.pk,
        "items": batch.items_added,
        "rows": report["rows"],
        "bad_rows": report["bad_rows"],
        "duplicates": {
            name: report["duplicates"][name] for name in ("in_file", "in_project", "kept")
        },
        "answers": report["answers"],
        "suggestions": report["suggestions"],
        "new_labels": report["new_labels"],
    }
