"""Bring an existing data folder to this version."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.instance import upgrading
from annotator.management.base import Command as Base


class Command(Base):
    help = "Back up, then bring the database to this version. Safe to repeat."
    example = """
Examples:
  manage.py upgrade                            backup below DATA_DIR/backups, then migrations
  manage.py upgrade --backup /mnt/disk/before
  manage.py upgrade --no-backup                when you have one already
"""

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--backup", type=Path, metavar="FOLDER", help="where the backup goes")
        how.add_argument("--no-backup", action="store_true", help="you have one already")

    def handle(self, *args: Any, **options: Any) -> None:
        target = options["backup"] or upgrading.usual_target()
        done = upgrading.upgrade(None if options["no_backup"] else target, self.note)
        if done:
            self.say(f"Upgraded: {', '.join(done)}.")
        else:
            self.say("Nothing to do: this data folder is of this version already.")
