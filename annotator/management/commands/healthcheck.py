"""Tells a container engine whether the worker beside it still works."""

import socket
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models.functions import Now

from annotator.errors import UnavailableError
from annotator.models import Job, JobState
from annotator.runtime import modelclient

FRESH_SECONDS = 30
WAITING_SECONDS = 120


class Command(BaseCommand):
    help = (
        "Exit 0 while jobs of these queues move: none waits long, or this host has one in work "
        "whose heartbeat is fresh. A worker that trains cannot answer a ping, but its job beats."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queues", nargs="?", help="names separated by commas: io,llm")
        parser.add_argument("--model", action="store_true", help="ask the model process instead")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["model"]:
            self._ask_the_model()
        elif options["queues"]:
            self._look_at_jobs(options["queues"].split(","))
        else:
            raise CommandError("Name queues, or give --model.")
        self.stdout.write("ok")

    def _ask_the_model(self) -> None:
        try:
            modelclient.ping()
        except UnavailableError as error:
            raise CommandError(error.detail) from error

    def _look_at_jobs(self, queues: list[str]) -> None:
        here = Job.objects.filter(
            queue__in=queues,
            state=JobState.RUNNING,
            worker__startswith=f"{socket.gethostname()}:",
            heartbeat_at__gt=Now() - timedelta(seconds=FRESH_SECONDS),
        )
        waiting = Job.objects.filter(
            queue__in=queues,
            state=JobState.QUEUED,
            due_at__lt=Now() - timedelta(seconds=WAITING_SECONDS),
        )
        if waiting.exists() and not here.exists():
            raise CommandError(
                f"Jobs of {', '.join(queues)} wait for more than {WAITING_SECONDS} s, and none "
                "is in work here."
            )
