"""Rings again for jobs that a broker or a worker lost."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from annotator.actions.instance import sweeping

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Ring again, every few seconds, for jobs that are due and that nobody took up."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
        parser.add_argument("--once", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            close_old_connections()
            try:
                sweeping.sweep()
            except DatabaseError as error:
                logger.warning("the database is away, sweeping again soon: %s", error)
            if options["once"]:
                return
            stop.wait(options["every"])
