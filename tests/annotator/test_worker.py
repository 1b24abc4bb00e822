"""A real worker process on each broker: messages carry ids, kills lose no work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection, transaction

from annotator import jobs
from annotator.models import Job, JobState
from tests.runtime.running import others_connected, wait_until

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 150


def database_url():
    base = os.environ["DATABASE_URL"]
    head, _, tail = base.partition("?")
    stem = head.rsplit("/", 1)[0]
    return f"{stem}/{connection.settings_dict['NAME']}" + (f"?{tail}" if tail else "")


@pytest.fixture(params=["filesystem", "redis", "rabbitmq"])
def broker(request, tmp_path):
    if request.param == "filesystem":
        return {"BROKER_URL": "filesystem://localhost/", "DATA_DIR": str(tmp_path)}
    return {
        "BROKER_URL": request.getfixturevalue(f"{request.param}_url"),
        "DATA_DIR": str(tmp_path),
    }


@pytest.fixture
def worker(broker):
    """Start workers of our own on demand; none outlives the test."""
    started = []

    def start():
        with (Path(broker["DATA_DIR"]) / "worker.log").open("ab") as log:
            process = spawn(log, len(started))
        started.append(process)
        return process

    def spawn(log, number):
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "celery", "-A", "annotator", "worker", "-P", "solo"),
                *("-Q", "fast", "-n", f"test{number}@%h", "-l", "INFO"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ],
            cwd=ROOT,
            env={**os.environ, **broker, "DATABASE_URL": database_url()},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ring_from_outside(broker, *job_ids):
    """Ring as the web process would, through the broker under test."""
    code = (
        "import django; django.setup(); from annotator import jobs; import annotator.celery;"
        f"[jobs.ring(i, 'fast') for i in {list(job_ids)!r}]"
    )
    env = {**os.environ, **broker, "DATABASE_URL": database_url()}
    subprocess.run(
        [sys.executable, "-c", f"import annotator.celery; {code}"], cwd=ROOT, env=env, check=True
    )


def wait_for(job, state, patience=PATIENCE_SECONDS):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        job.refresh_from_db()
        if job.state == state:
            return job
        time.sleep(0.1)
    pytest.fail(f"the job is {job.state} ({job.error}) and not {state}", pytrace=False)


@pytest.fixture
def silent(monkeypatch):
    """Rows without bells: the test rings through the broker under test."""
    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
def test_a_worker_does_what_the_row_says_once_and_a_killed_ones_job_the_next(
    broker, worker, silent
):
    with transaction.atomic():
        once = jobs.enqueue("probe", params={"steps": 3})
        job = jobs.enqueue("probe", params={"steps": 600})
    first = worker()
    ring_from_outside(broker, once.pk, once.pk, once.pk, job.pk)
    wait_for(job, JobState.RUNNING)
    wait_for(once, JobState.DONE)
    assert once.attempt == 1
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert wait_until(lambda: not others_connected()), "what it last sent is done or undone"
    # What half a minute would do to the lease; and shorter work for the heir.
    Job.objects.filter(pk=job.pk).update(lease_until=job.created_at, params={"steps": 1})
    worker()
    ring_from_outside(broker, job.pk)
    wait_for(job, JobState.DONE)
    assert job.attempt == 2
