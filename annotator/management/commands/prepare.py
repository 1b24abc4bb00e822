"""Brings a data folder up to this version: migrations, static files, demo."""

import hashlib
import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from annotator import __version__, environment
from annotator.actions.instance import upgrading
from annotator.actions.projects import demo


class Command(BaseCommand):
    help = "Back up and migrate what is of an older version, collect changed static files and make the demo; safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--answer", type=Path, help="file for the log-ins, as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        upgrading.upgrade(upgrading.usual_target(), self.stdout.write)
        collect_static()
        logins = make_demo()
        if options["answer"]:
            path: Path = options["answer"]
            path.touch(mode=0o600)
            path.write_text(json.dumps({"logins": logins}))


def collect_static() -> None:
    """Collect and compress the static files, unless nothing changed since the last time."""
    stamp = settings.STATIC_ROOT / "collected"
    now = fingerprint()
    if stamp.exists() and stamp.read_text() == now:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    stamp.write_text(now)


def fingerprint() -> str:
    """Hash the names, sizes and times of every static file, and our version."""
    digest = hashlib.blake2b(__version__.encode(), digest_size=16)
    for finder in get_finders():
        for name, storage in finder.list([]):
            status = Path(storage.path(name)).stat()
            digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def make_demo() -> list[dict[str, str]]:
    """Make what DEMO asks for, and return the log-ins to show."""
    if not environment.flag("DEMO", default=True):
        return []
    return demo.ensure_demo()
