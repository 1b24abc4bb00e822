"""Runs everything on this machine until Ctrl-C."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Run database, web server, workers, model process and sweeper until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Become the supervisor, which does without Django and stays small."""
        os.environ["DATA_DIR"] = str(settings.DATA_DIR)  # absolute, for we change folders
        os.chdir(settings.BASE_DIR)
        program = [sys.executable, "-m", "annotator.runtime.supervisor"]
        os.execv(program[0], program)  # noqa: S606 (no shell is the point)
