"""Bring an existing data folder to this version."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from annotator.actions import upgrading
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
        name = f"before-upgrade-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        target = options["backup"] or settings.DATA_DIR / "backups" / name
        done = upgrading.upgrade(None if options["no_backup"] else target, self.note)
        if done:
            self.say(f"Upgraded: {', '.join(done)}.")
        else:
            self.say("Nothing to do: this data folder is of this version already.")
