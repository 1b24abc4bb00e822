"""Jobs: the row is the truth, whatever becomes of messages and workers."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from annotator import jobs
from annotator.actions.projects import projects
from annotator.models import Job, JobState
from annotator.pace import Pace
from learning.errors import DivergedError
from tests.runtime.running import wait_until


def probe(steps=0, **fields):
    with transaction.atomic():
        return jobs.enqueue("probe", params={"steps": steps}, **fields)


def age(job, **fields):
    past = timezone.now() - timedelta(minutes=5)
    Job.objects.filter(pk=job.pk).update(**dict.fromkeys(fields.pop("columns"), past), **fields)
    job.refresh_from_db()


def is_kept(job):
    job.refresh_from_db()
    return job.lease_until > timezone.now()


def hang_up_on_others():
    """End every other connection to this database; whether there was one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.rowcount


@pytest.fixture
def bells(monkeypatch):
    rung = []
    monkeypatch.setattr(jobs, "ring", lambda job_id, queue, due_in_seconds=0: rung.append(job_id))
    return rung


@pytest.mark.django_db(transaction=True)
class TestBell:
    def test_rings_after_commit_only(self, bells):
        with transaction.atomic():
            job = jobs.enqueue("probe")
            assert bells == []
        assert bells == [job.pk]

    def test_a_rolled_back_wish_leaves_nothing(self, bells):
        with transaction.atomic():
            jobs.enqueue("probe")
            transaction.set_rollback(True)
        assert (bells, Job.objects.count()) == ([], 0)

    def test_a_burst_of_wishes_with_one_key_costs_one_job(self, bells):
        assert probe(key="k") is not None
        assert probe(key="k") is None
        assert (len(bells), Job.objects.count()) == (1, 1)

    def test_a_broker_that_is_away_breaks_no_request(self, settings):
        from celery import current_app
        from kombu.exceptions import OperationalError

        def refuse(*args, **kwargs):
            raise OperationalError("no broker")

        current_app_send, current_app.send_task = current_app.send_task, refuse
        try:
            job = probe()
        finally:
            current_app.send_task = current_app_send
        assert Job.objects.get(pk=job.pk).state == JobState.QUEUED

    def test_a_lost_message_is_rung_again(self, bells):
        job = probe()
        bells.clear()
        assert jobs.sweep() == 0, "it was rung a moment ago"
        age(job, columns=["rung_at"])
        assert (jobs.sweep(), bells) == (1, [job.pk])

    def test_what_was_due_first_is_rung_first(self, bells):
        late, early = probe(), probe()
        for job, minutes in ((late, 2), (early, 4)):
            age(job, columns=["rung_at"], due_at=timezone.now() - timedelta(minutes=minutes))
        bells.clear()
        jobs.sweep()
        assert bells == [early.pk, late.pk]

    def test_however_many_older_ones_stay_due_each_is_rung_in_its_turn(self, bells, monkeypatch):
        monkeypatch.setattr(jobs, "BELLS_A_SWEEP", 2)
        waiting = [probe() for _ in range(5)]
        age(waiting[4], columns=["rung_at"])
        Job.objects.filter(pk=waiting[3].pk).update(rung_at=None)
        bells.clear()
        jobs.sweep()
        assert bells == [waiting[3].pk, waiting[4].pk]
        for _ in range(3):
            # As much later as a bell may be rung again.
            Job.objects.update(rung_at=F("rung_at") - timedelta(seconds=jobs.RING_AGAIN_SECONDS))
            jobs.sweep()
        assert set(bells[2:6]) >= {job.pk for job in waiting[:3]}


@pytest.mark.django_db(transaction=True)
class TestClaim:
    def test_a_doubled_message_does_the_work_once(self, bells):
        job = probe(1)
        jobs.execute(job.pk)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempt, job.result["steps"]) == (JobState.DONE, 1, 1)

    def test_a_job_that_is_not_due_is_left_alone(self, bells):
        job = probe(due_in_seconds=60)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.QUEUED

    def test_an_orphan_is_taken_over_and_its_former_worker_is_fenced(self, bells):
        job = probe()
        sleeper = jobs.Run(jobs.claim(job.pk))
        age(job, columns=["lease_until"])
        heir = jobs.Run(jobs.claim(job.pk))
        assert heir.job.attempt == 2
        with pytest.raises(jobs.FencedError), sleeper.fence():
            pytest.fail("the sleeper must not write")
        with pytest.raises(jobs.FencedError):
            sleeper.progress(1, 1)
        with heir.fence():
            pass

    def test_a_worker_that_dies_each_time_is_given_up(self, bells):
        job = probe()
        for _ in range(jobs.MAX_ATTEMPTS):
            assert jobs.claim(job.pk) is not None
            age(job, columns=["lease_until"])
        assert jobs.claim(job.pk) is None
        job.refresh_from_db()
        assert job.state == JobState.FAILED
        assert "died 5 times" in job.error

    def test_twins_run_one_after_the_other(self, bells):
        first = probe(key="k")
        running = jobs.claim(first.pk)
        second = probe(key="k")
        assert jobs.claim(second.pk) is None
        bells.clear()
        jobs.finish(running, JobState.DONE)
        assert bells == [second.pk]
        assert jobs.claim(second.pk) is not None

    def test_a_job_is_not_taken_before_the_wish_that_leans_on_it_is_committed(self, bells):
        """Else it would be over without having seen what it was wished for."""
        waiting = probe(key="k")

        def take(_):
            try:
                return jobs.claim(waiting.pk)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as threads:
            with transaction.atomic():
                assert jobs.enqueue("probe", key="k") is None
                taken = threads.submit(take, None)
                with pytest.raises(TimeoutError):
                    taken.result(timeout=0.5)
            assert taken.result().pk == waiting.pk

    def test_wishes_of_one_moment_never_wait_for_each_other(self, bells):
        probe(key="k")

        def wish(_):
            try:
                return probe(key="k")
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as threads, transaction.atomic():
            jobs.enqueue("probe", key="k")
            assert threads.submit(wish, None).result(timeout=60) is None

    def test_an_orphan_and_its_waiting_twin_are_not_both_taken(self, bells):
        orphan = probe(key="k")
        jobs.claim(orphan.pk)
        age(orphan, columns=["lease_until"])
        twin = probe(key="k")

        def take(_):
            try:
                return jobs.claim(twin.pk)
            finally:
                connection.close()

        with ThreadPoolExecutor(1) as threads:
            with transaction.atomic():
                assert jobs.claim(orphan.pk) is not None
                taken = threads.submit(take, None)
                time.sleep(0.3)
            assert taken.result() is None

    def test_an_attempt_that_lost_its_lease_fails_nobody_elses(self, bells, monkeypatch):
        job = probe()
        jobs.claim(job.pk)
        age(job, columns=["lease_until"])
        with monkeypatch.context() as elsewhere:
            elsewhere.setattr(jobs, "_this_worker", lambda: "other:1")
            heir = jobs.Run(jobs.claim(job.pk))
        jobs.fail(job.pk, "broke after it had slept")
        with heir.fence():
            job.refresh_from_db()
        assert (job.state, job.error) == (JobState.RUNNING, "")


@pytest.mark.django_db(transaction=True)
class TestEnd:
    def test_cancelling_a_waiting_job_ends_it_at_once(self, bells):
        job = probe()
        jobs.request_cancel(job)
        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        assert jobs.claim(job.pk) is None

    def test_a_running_job_stops_at_its_next_report(self, bells):
        job = probe()
        run = jobs.Run(jobs.claim(job.pk))
        jobs.request_cancel(job)
        with pytest.raises(jobs.CancelledError):
            run.progress(1, 1)

    def test_deleting_a_project_cancels_its_jobs(self, project, bells):
        with transaction.atomic():
            job = jobs.enqueue("probe", project=project)
        running = jobs.Run(jobs.claim(job.pk))
        projects.delete_project(project)
        with pytest.raises(jobs.CancelledError):
            running.progress(1, 1)
        with pytest.raises(jobs.CancelledError):
            _ = running.project

    def test_a_refusal_becomes_the_jobs_sentence(self, bells):
        with transaction.atomic():
            job = jobs.enqueue("finetune", project=None)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        assert "deleted" in job.error

    def test_a_refusal_of_the_learning_library_does_too(self, bells, monkeypatch):
        def refuse(run):
            raise DivergedError("Choose lower learning rates.")

        monkeypatch.setattr(jobs, "_action", lambda kind: refuse)
        job = probe()
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert (job.state, job.error) == (JobState.FAILED, "Choose lower learning rates.")

    def test_time_left_is_kept_with_each_report_until_another_worker_takes_over(
        self, bells, monkeypatch
    ):
        monkeypatch.setattr(Pace, "seconds_left", lambda pace, at: 300.0)
        job = probe()
        jobs.Run(jobs.claim(job.pk)).progress(4, 4)
        job.refresh_from_db()
        assert job.seconds_left == pytest.approx(300, abs=1)
        age(job, columns=["lease_until"])
        assert jobs.claim(job.pk).seconds_left is None

    def test_work_that_takes_longer_than_expected_promises_no_end(self):
        now = timezone.now()
        job = Job(state=JobState.RUNNING, expected_at=now, heartbeat_at=now - timedelta(seconds=30))
        assert job.seconds_left == 30
        job.heartbeat_at = now + timedelta(seconds=1)
        assert job.seconds_left is None

    def test_the_heartbeat_keeps_a_lease_alive(self, bells, monkeypatch):
        monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 0.05)
        job = probe()
        run = jobs.Run(jobs.claim(job.pk))
        age(job, columns=["lease_until"])
        with jobs.heartbeat(run):
            assert wait_until(lambda: is_kept(job))

    def test_the_heartbeat_survives_a_database_that_was_away(self, bells, monkeypatch):
        monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 0.05)
        job = probe()
        run = jobs.Run(jobs.claim(job.pk))
        with jobs.heartbeat(run):
            assert wait_until(hang_up_on_others)
            age(job, columns=["lease_until"])
            assert wait_until(lambda: is_kept(job))
