"""Export a project."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.exports import export_options, exporting
from annotator.formats import WRITERS
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off


class Command(Base):
    help = (
        "Take a snapshot of a project and write it to a file. Prints its number, hash and counts "
        "as JSON."
    )
    example = """
Examples:
  manage.py export 1 tickets.zip
  manage.py export 1 tickets.csv --format csv --single-file --only-decided
  manage.py export 1 tickets.zip --annotations --splits 0.8,0.1,0.1
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="the project's number or name")
        parser.add_argument("output", type=Path)
        parser.add_argument("--format", default="jsonl", choices=list(WRITERS))
        parser.add_argument(
            "--annotations", action="store_true", help="also a row for every annotation"
        )
        parser.add_argument("--only-decided", action="store_true", help="items with a verdict only")
        parser.add_argument("--no-soft", action="store_true", help="without each label's share")
        parser.add_argument("--no-streams", action="store_true", help="without streams and parts")
        parser.add_argument("--splits", default="", help="shares of train, validation and test")
        parser.add_argument("--split-seed", default="concord")
        parser.add_argument("--images", action="store_true", help="with the images themselves")
        parser.add_argument(
            "--exact", action="store_true", help="CSV: no apostrophe before =, +, -, @"
        )
        parser.add_argument("--single-file", action="store_true", help="no zip and no manifest")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        contents = ["verdicts", "annotations"] if options["annotations"] else ["verdicts"]
        chosen = export_options.Options.from_json(
            {
                "format": options["format"],
                "contents": contents,
                "only_decided": options["only_decided"],
                "soft": not options["no_soft"],
                "streams": not options["no_streams"],
                "splits": _splits(options["splits"]),
                "split_seed": options["split_seed"],
                "images": options["images"],
                "formula_safe": not options["exact"],
                "pack": "file" if options["single_file"] else "zip",
            }
        )
        snapshot = exporting.create_snapshot(project, chosen)
        if snapshot.job is None:
            raise CommandError("The export has no job.")
        work_off(snapshot.job, self.note)
        snapshot.refresh_from_db()
        _copy(exporting.path_of(snapshot), options["output"])
        told = {
            "snapshot": snapshot.pk,
            "file": str(options["output"]),
            "bytes": snapshot.size_bytes,
            "sha256": snapshot.sha256,
            "position": snapshot.position,
            "counts": snapshot.manifest["counts"]["by_state"],
        }
        self.say(json.dumps(told, ensure_ascii=False))


def _splits(text: str) -> dict[str, float]:
    if not text:
        return {}
    parts = text.split(",")
    try:
        shares = [float(part) for part in parts]
    except ValueError as error:
        raise CommandError("--splits takes shares such as 0.8,0.1,0.1.") from error
    if len(shares) > len(export_options.SPLITS):
        raise CommandError("--splits takes at most three shares.")
    return dict(zip(export_options.SPLITS, shares, strict=False))


def _copy(source: Path, target: Path) -> None:
    """Copy beside the place, then move: a half-written export is never seen under its name."""
    fresh = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, fresh)
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise CommandError(f"{target}: {error.strerror}.") from error
