"""A real worker trains in the background, does what is asked for meanwhile, is killed at that, and the
next one goes on with both."""

import os
import signal
import subprocess
import sys

import pytest
from django.conf import settings

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder
from annotator.models import Job, JobState, StudentVersion
from tests.annotator.actions.test_giving_way import (
    assert_as,
    at_once,
    begin,
    models,
    pool,
    without_a_break,
)
from tests.annotator.test_worker import ROOT, database_url, wait_for
from tests.runtime.running import others_connected, wait_until

__all__ = ["at_once", "models", "pool"]

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

# A worker of the queue that takes its time over each step, so that somebody can ask for something.
WORKER = """
import time
from annotator.celery import app
import django
django.setup()
from annotator import jobs
from annotator.actions.students import background, turns
background.FEWEST = 12
turns.PIECE_SECONDS = turns.WAITED_SECONDS = turns.LOOK_SECONDS = 0.1
report = jobs.Run.progress
def slowly(run, done, total, message=""):
    time.sleep(0.1 if message != "Training" else 0.5)
    report(run, done, total, message)
jobs.Run.progress = slowly
app.worker_main(["worker", "-P", "solo", "-Q", "train", "-l", "INFO", "-n", "test{number}@%h",
                 "--without-gossip", "--without-mingle", "--without-heartbeat"])
"""


@pytest.fixture
def worker(tmp_path):
    """Start workers on demand; none outlives the test."""
    started = []

    def start():
        with (tmp_path / "worker.log").open("ab") as log:
            code = WORKER.replace("{number}", str(len(started)))
            process = subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DATA_DIR": str(settings.DATA_DIR),
                    "DATABASE_URL": database_url(),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_what_was_asked_for_and_what_gave_way_both_end_after_a_kill(pool, worker):
    expected = without_a_break(pool)
    first = worker()
    job = begin(pool)
    jobs.ring(job.pk, "train")
    assert wait_until(lambda: Job.objects.get(pk=job.pk).done >= 2), "it trains"
    asked = Job.objects.create(kind="probe", queue="train", params={"steps": 600})
    jobs.ring(asked.pk, "train")
    wait_for(asked, JobState.RUNNING)
    wait_for(job, JobState.DONE)
    rest = Job.objects.get(kind="background", state=JobState.QUEUED)
    assert 2 <= rest.done < rest.total
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert wait_until(lambda: not others_connected()), "what it last sent is done or undone"
    Job.objects.filter(pk=asked.pk).update(lease_until=asked.created_at, params={"steps": 1})
    worker()
    jobs.ring(rest.pk, "train")  # it lets what was asked for go first
    jobs.ring(asked.pk, "train")
    wait_for(asked, JobState.DONE)
    assert asked.attempt == 2
    Job.objects.filter(kind="background", state=JobState.QUEUED).update(due_at=job.created_at)
    last = Job.objects.filter(kind="background").latest("pk")
    jobs.ring(last.pk, "train")
    wait_for(last, JobState.DONE)
    assert last.result["trained"], last.result
    assert_as(StudentVersion.objects.get(kind="finetune"), expected)
    assert not list(students_folder(pool.pk).glob(".checkpoint-*"))
