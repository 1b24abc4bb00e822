"""Write everything into one folder."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.instance import backup
from annotator.management.base import Command as Base


class Command(Base):
    help = "Write the database and every file into one new folder. People may go on working."
    example = """
Examples:
  manage.py backup                       into ./concord-backup-<time>
  manage.py backup /mnt/disk/monday

It holds every text and answer: keep it as safe as the installation. The secret key is not in it, so
people sign in again after a restore. An existing folder is never overwritten.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, nargs="?", help="a folder that does not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        name = f"concord-backup-{datetime.now(UTC):%Y%m%d-%H%M%S}"
        written = backup.backup(options["folder"] or Path.cwd() / name, self.note)
        megabytes = written.size_bytes / 1e6
        self.say(f"Wrote {written.files:,} files, {megabytes:,.1f} MB, into {written.folder}.")
