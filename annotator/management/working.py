"""Doing a job within a command: with or without a worker, and telling how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.core.management.base import CommandError
from django.db import connection

from annotator import jobs
from annotator.models import Job, JobState

LOOK_EVERY_SECONDS = 0.5


def work_off(job: Job, note: Callable[[str], None]) -> Job:
    """Do a job here unless a worker was quicker, and wait for its end. `note` gets the progress.

    Raises CommandError with the job's sentence when it failed or was cancelled.
    """
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(job.pk, over, note), daemon=True)
    teller.start()
    try:
        jobs.execute(job.pk)
        job.refresh_from_db()
        while not job.is_over:
            time.sleep(LOOK_EVERY_SECONDS)
            job.refresh_from_db()
    finally:
        over.set()
        teller.join()
    if job.state != JobState.DONE:
        raise CommandError(job.error or job.message or "The job ended before it was done.")
    return job


def _tell(job_id: int, over: threading.Event, note: Callable[[str], None]) -> None:
    """Note the progress whenever it changed, from a database connection of its own."""
    said = ""
    while not over.wait(LOOK_EVERY_SECONDS):
        row = Job.objects.filter(pk=job_id).values_list("done", "total", "message").first()
        if row is None:
            continue
        done, total, message = row
        line = f"{100 * done // total:3d} % {message}" if total else message
        if line and line != said:
            note(line)
            said = line
    connection.close()
