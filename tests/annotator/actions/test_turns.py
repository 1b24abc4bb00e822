"""When a training in the background gives way, and to whom."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from annotator import jobs
from annotator.actions.simulations import simulation_runs
from annotator.actions.students import fitting, turns
from annotator.models import Job, JobState
from learning.errors import PauseError
from tests.factories import make_project


@pytest.mark.django_db
class TestWhoGivesWay:
    @pytest.fixture
    def at_work(self, cast, monkeypatch):
        """A training in the background, and what waits since seconds."""
        monkeypatch.setattr(jobs, "ring", lambda *_, **__: None)
        return self.running(cast)

    def running(self, cast, *, minutes=1.0, kind="background", **fields):
        now = timezone.now()
        return Job.objects.create(
            **{"kind": kind, "queue": "train", "project": make_project(cast), **fields},
            state=JobState.RUNNING,
            lease_until=now + timedelta(minutes=1),
            started_at=now - timedelta(minutes=minutes),
        )

    def asked(self, seconds=5.0, **fields):
        due = timezone.now() - timedelta(seconds=seconds)
        return Job.objects.create(**{"kind": "probe", "queue": "train", "due_at": due, **fields})

    def test_what_just_came_may_find_another_worker(self, at_work):
        self.asked(seconds=0.5)
        assert not turns.is_waited_for(at_work)
        self.asked()
        assert turns.is_waited_for(at_work)

    def test_nobody_gives_way_to_what_waits_elsewhere_or_in_the_background(self, at_work):
        self.asked(queue="io")
        self.asked(seconds=-60.0)
        Job.objects.create(
            kind="background", queue="train", due_at=timezone.now() - timedelta(minutes=1)
        )
        assert not turns.is_waited_for(at_work)

    def test_a_simulation_does_not_give_way_to_the_background(self, cast, at_work):
        run, now = jobs.Run(Job(kind="simulate", queue="train")), time.monotonic()
        Job.objects.create(kind="background", queue="train", due_at=timezone.now())
        assert not simulation_runs._should_give_way(run, now)
        self.asked()
        assert simulation_runs._should_give_way(run, now)

    def test_nor_to_what_waits_for_its_own_twin(self, at_work, cast):
        twin = self.running(cast, kind="probe", key="same")
        self.asked(key="same")
        assert not turns.is_waited_for(at_work)
        Job.objects.filter(pk=twin.pk).update(lease_until=timezone.now())
        assert turns.is_waited_for(at_work), "its worker is gone"

    def test_of_several_as_many_as_wait_those_that_began_first(self, at_work, cast):
        later = self.running(cast, minutes=0.5)
        self.asked()
        assert turns.is_waited_for(at_work)
        assert not turns.is_waited_for(later)
        self.asked()
        assert turns.is_waited_for(later)


class Run:
    """A run of which is known how long it takes."""

    def __init__(self, left=None, **params):
        self.job, self.params, self.pace, self.left = None, params, self, left

    def seconds_left(self, at):
        return self.left


class TestPieces:
    @pytest.fixture
    def clock(self, monkeypatch):
        """Somebody always waits, and time passes as it is told."""

        class Clock:
            now = 1_000.0

            def monotonic(self):
                return self.now

        clock = Clock()
        monkeypatch.setattr(turns, "time", clock)
        monkeypatch.setattr(turns, "is_waited_for", lambda job: True)
        return clock

    def gives_way(self, turn, clock, *, done=1, keeps=True):
        clock.now += 2
        try:
            turn.heed(done, keeps=keeps)
        except PauseError:
            return True
        return False

    def test_each_gets_on_for_ten_seconds(self, clock):
        turn = turns.Turn(run=Run())
        began = clock.now
        while not self.gives_way(turn, clock, done=0):
            if clock.now > began + 100:
                break  # it loads a model
        assert clock.now > began + 100
        began = clock.now
        while not self.gives_way(turn, clock):
            pass
        assert 10 <= clock.now - began <= 14

    def test_none_gives_way_in_its_last_seconds(self, clock):
        turn = turns.Turn(run=Run(left=9.0), _got_on=0.0)
        assert not self.gives_way(turn, clock)
        turn.run.left = 11.0
        assert self.gives_way(turn, clock)
        turn.run.left = -1.0
        assert self.gives_way(turn, clock), "it should be done by now, so nobody knows"

    def test_what_comes_behind_the_last_step_is_not_given_up_again_and_again(
        self, clock, monkeypatch, tmp_path
    ):
        """A head on tuned vectors, which is in no checkpoint."""

        class Student:
            checkpoint_steps = 1

            def fit(self, data, rng, report, **_):
                for done in (0, 1, 2, 2, 2, 2, 2, 2, 2, 2):
                    clock.now += 2
                    report(done, 2)
                return "fitted"

        monkeypatch.setattr(fitting.Plan, "plugin", lambda plan: Student())

        def fit(**params):
            run = Run(**params)
            run.progress = lambda *_: None
            plan = fitting.Plan(kind="contrastive", turn=turns.Turn.of(run))
            return fitting.fit(run, None, plan, None, tmp_path)

        with pytest.raises(PauseError):
            fit()
        assert fit(spent=12.0) == "fitted"

    def test_what_keeps_nothing_of_its_work_gives_way_once(self, clock):
        first = turns.Turn.of(Run())
        assert not self.gives_way(first, clock, done=0, keeps=False)
        clock.now += 10
        assert self.gives_way(first, clock, done=0, keeps=False), "it tells no step for long"
        again = turns.Turn.of(Run(spent=12.0))
        again._got_on = 0.0
        assert not self.gives_way(again, clock, keeps=False)
        assert self.gives_way(again, clock), "while it reads the pool, which is kept"
