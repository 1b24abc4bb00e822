"""Bring a backup into an empty installation."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.instance import backup, upgrading
from annotator.management.base import Command as Base


class Command(Base):
    help = "Bring a backup into an empty installation: a new DATA_DIR, or a new database."
    example = """
Example:
  DATA_DIR=/srv/concord-new manage.py restore /mnt/disk/monday
  DATA_DIR=/srv/concord-new manage.py doctor --deep

Every file's hash is checked before anything is written. A backup of an older version is migrated.
Exports made afterwards have the hashes that they had before.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="what “manage.py backup” wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        restored = backup.restore(options["folder"], self.note)
        migrated = upgrading.upgrade(None, self.note)
        newer = f" and ran {len(migrated)} migrations" if migrated else ""
        self.say(f"Restored {restored.files:,} files{newer}. “manage.py doctor --deep” proves it.")
