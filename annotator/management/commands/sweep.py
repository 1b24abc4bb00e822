"""Rings again for jobs that a broker or a worker lost, and delivers to webhooks."""

import logging
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, close_old_connections

from annotator.actions.instance import sweeping
from annotator.actions.webhooks import courier

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Ring again, every few seconds, for jobs that nobody took up; deliver to webhooks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
        parser.add_argument("--once", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # Beside the sweeping, so that a slow receiver delays nothing; apart from the workers, so that an
        # import or a teacher's run delays no event.
        out = threading.Thread(target=courier.deliver_until, args=(stop,), name="deliver")
        if options["once"]:
            _sweep()
            courier.deliver_due()
            return
        out.start()
        try:
            while not stop.is_set():
                _sweep()
                if not out.is_alive():  # the supervisor starts both again
                    raise CommandError("The courier of webhooks ended; the log says why.")
                stop.wait(options["every"])
        finally:  # also after a defect of the sweeping: a process that only delivers is not started again
            stop.set()
            out.join()


def _sweep() -> None:
    close_old_connections()
    try:
        sweeping.sweep()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("the database is away, sweeping again soon: %s", error)
