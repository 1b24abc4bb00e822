"""SIGKILL while a teacher is asked and while words become verdicts: a successor ends what was begun,
nothing that was answered is paid for again, and no item is stranded."""

import os
import signal
import threading
import time
from collections import Counter

import pytest
from django.db import connections

from annotator import jobs
from annotator.actions.instance import doctor
from annotator.actions.routing import accepting, policies, routing
from annotator.actions.teachers import teacher_runs
from annotator.models import Acceptance, Annotation, Job, Spending
from tests.annotator.routed import Routed
from tests.annotator.teaching import teacher_on
from tests.llm import plays
from tests.llm.loopback import Loopback
from tests.runtime.running import others_connected, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]
PATIENCE_SECONDS = 60


def killed_while_working(job, reached):
    """Do a job in a process of its own, and kill that one as soon as `reached()`."""
    pid = os.fork()
    if not pid:
        for one in connections.all():
            one.connection = None  # the parent's: closing it here would end it there
        jobs.execute(job)
        os._exit(0)
    until = time.monotonic() + PATIENCE_SECONDS
    try:
        while not reached():
            assert time.monotonic() < until, "the job never came that far"
            time.sleep(0.005)
    finally:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the job was over before it was killed"
    assert wait_until(lambda: not others_connected()), "what it last sent is done or undone"
    Job.objects.filter(pk=job).update(lease_until="2001-01-01T00:00Z")  # nobody heartbeats


def test_a_teachers_killed_run_is_ended_by_its_successor_and_no_answer_is_paid_for_twice(cast):
    gone = threading.Event()

    def held(request, wire):
        """Answer six, and the others when the one who asked is no more."""
        if len(server.requests) > 6:
            gone.wait(PATIENCE_SECONDS)
        plays.good(request, wire)

    with Loopback(held) as server:
        project, teacher = teacher_on(server, cast, items=16, concurrency=2)
        run = teacher_runs.start_run(project, teacher, None, 16)
        killed_while_working(run.job_id, lambda: len(server.requests) >= 8)
        gone.set()
        before = len(server.requests)
        assert teacher_runs.busy(project), "people are not asked about what the run will go on with"
        jobs.execute(run.job_id)
        again = len(server.requests) - before
    run.refresh_from_db()
    assert (run.state, run.answered, run.error) == ("done", 16, "")
    said = Annotation.objects.filter(annotator=teacher.voice)
    assert Counter(said.values_list("item", flat=True)).most_common(1)[0][1] == 1
    assert said.count() == 16
    # Only what was under way when it was killed is asked a second time.
    assert before + again <= 16 + teacher.concurrency
    assert not Spending.objects.filter(state="held").exists()
    assert run.held == 0
    paid = Spending.objects.filter(run=run).count()
    assert paid <= 16 + teacher.concurrency
    assert teacher_runs.busy(project) == set()


def test_a_killed_routing_is_ended_by_its_successor_as_if_nothing_had_been(cast, monkeypatch):
    made = Routed(cast, human_share=0)
    made.label_seed()
    drawn = {item.pk for item in made.drawn()}
    made.ask([item for item in made.items if item.pk not in drawn][:100])
    policies.change_policy(made.project, cast.lea, enabled=True)
    routing.wish(made.project)
    job = Job.objects.filter(kind="route", state="queued").latest("pk")
    Job.objects.filter(pk=job.pk).update(due_at="2001-01-01T00:00Z")

    decide = accepting.verdicts.decide
    monkeypatch.setattr(accepting, "CHUNK", 5)
    chunks = []

    def held(*given):
        """Decide three chunks, and hold the fourth for the kill."""
        chunks.append(given)
        if len(chunks) > 3:
            time.sleep(PATIENCE_SECONDS)
        return decide(*given)

    monkeypatch.setattr(accepting.verdicts, "decide", held)
    killed_while_working(job.pk, lambda: Acceptance.objects.count() >= 10)
    half = Acceptance.objects.count()
    monkeypatch.undo()
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    live = Acceptance.objects.filter(ended_at=None)
    assert 10 <= half < live.count()
    assert Acceptance.objects.count() == live.count(), "what was accepted before the kill stands"
    assert live.values("item").distinct().count() == live.count()
    assert len(made.verdicts()) == live.count()
    asked = ("ledger", "positions", "lesson", "teachers")
    assert [f for f in doctor.examine(made.project) if not f.ok and f.name in asked] == []
