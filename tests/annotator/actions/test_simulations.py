"""Simulations at work: how one goes on, who may stop it, what its advice is good for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from annotator import jobs
from annotator.actions.projects import projects, purging
from annotator.actions.simulations import (
    comparing,
    replaying,
    simulation_runs,
    simulations,
)
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Job,
    JobState,
    Project,
    Simulation,
    StrategyChange,
)
from tests.annotator.simulated import finished, labelled_project, start, wish, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bells(monkeypatch):
    rung = []
    monkeypatch.setattr(jobs, "ring", lambda job_id, queue, due_in_seconds=0: rung.append(job_id))
    return rung


@pytest.fixture
def tickets(cast):
    return labelled_project(cast)


class TestWork:
    def test_whatever_waits_for_the_same_worker_goes_first(self, tickets, bells):
        finetune = jobs.enqueue("finetune", project=tickets)
        simulation = start(tickets)
        first = simulation.job_id
        jobs.execute(first)
        simulation.refresh_from_db()
        assert (simulation.state, finished(simulation)) == ("running", 1)
        assert Job.objects.get(pk=first).state == JobState.DONE
        assert simulation.job_id != first
        assert bells.index(finetune.pk) < bells.index(simulation.job_id)
        Job.objects.filter(pk=finetune.pk).delete()
        assert work(simulation) == 1, "nobody waits any more: the rest is one piece"
        assert finished(simulation) == 4

    def test_a_killed_workers_successor_keeps_what_is_finished(self, tickets, monkeypatch):
        simulation = start(tickets)
        replay_run = simulation_runs._Desk.replay_run

        class KilledError(BaseException):
            """As a signal would end the process: nothing is tidied up."""

        def die_in_the_third(self, row, done):
            if done == 2:
                raise KilledError
            replay_run(self, row, done)

        with monkeypatch.context() as killed:
            killed.setattr(simulation_runs._Desk, "replay_run", die_in_the_third)
            with pytest.raises(KilledError):
                jobs.execute(simulation.job_id)
        assert finished(simulation) == 2
        kept = {run.pk: run.points for run in simulation.runs.filter(state="done")}
        simulation.refresh_from_db()
        frozen = simulation.folder
        Job.objects.filter(pk=simulation.job_id).update(
            lease_until=timezone.now() - timedelta(minutes=1)
        )
        jobs.execute(simulation.job_id)
        simulation.refresh_from_db()
        assert (simulation.state, finished(simulation)) == ("done", 4)
        assert Job.objects.get(pk=simulation.job_id).attempt == 2
        assert simulation.folder == frozen, "the same data"
        for run in simulation.runs.filter(pk__in=kept):
            assert run.points == kept[run.pk]

    def test_a_worker_that_slept_past_its_lease_writes_nothing(self, tickets, monkeypatch):
        simulation = start(tickets)
        points = simulation_runs._Desk._points

        def sleep_long(self, row, done, told):
            found = points(self, row, done, told)
            Job.objects.filter(pk=self.run.job.pk).update(attempt=7)
            return found

        monkeypatch.setattr(simulation_runs._Desk, "_points", sleep_long)
        jobs.execute(simulation.job_id)
        assert finished(simulation) == 0
        simulation.refresh_from_db()
        assert simulation.state == "running", "the other attempt is at it"

    def test_progress_is_told_and_time_left_with_it(self, tickets, monkeypatch):
        monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
        seen = []
        progress = jobs.Run.progress

        def listen(self, done, total, message=""):
            seen.append((done, total, message))
            progress(self, done, total, message)

        monkeypatch.setattr(jobs.Run, "progress", listen)
        simulation = start(tickets)
        assert comparing.seconds_left(simulation) is None
        work(simulation, pieces=1)
        assert comparing.seconds_left(simulation) > 0
        work(simulation)
        runs = [one for one in seen if one[2].startswith("Run ")]
        assert runs[0][2] == "Run 1 of 4: margin, seed 1"
        assert runs[-1][2] == "Run 4 of 4: random, seed 2"
        assert all(done <= total for done, total, _ in seen)
        assert comparing.seconds_left(simulation) is None

    def test_items_without_vectors_are_encoded_first(self, tickets):
        simulation = start(tickets)
        tickets.encodings.update(rows=100)
        with pytest.raises(ConflictError, match="still being encoded, 100 of 240 so far"):
            start(tickets)
        assert Job.objects.filter(kind="encode", state=JobState.QUEUED).exists()
        work(simulation)
        assert (simulation.state, finished(simulation)) == ("failed", 0)
        assert "still being encoded" in simulation.error


class TestOneAtATime:
    def test_a_second_one_is_refused_while_the_first_is_at_work(self, tickets, cast):
        first = start(tickets, user=cast.lea)
        with pytest.raises(ConflictError, match=f"Simulation {first.pk}, started by lea, is still"):
            start(tickets, user=cast.ben)
        work(first)
        assert start(tickets).state == "waiting"

    def test_of_two_people_at_the_same_moment_one_is_refused(self, tickets, monkeypatch):
        """Both look before either writes: the database has to part them."""
        both = threading.Barrier(2)
        check = simulations._refuse_second
        looked = threading.local()

        def look_together(project):
            check(project)
            if not getattr(looked, "once", False):
                looked.once = True
                both.wait(timeout=60)

        monkeypatch.setattr(simulations, "_refuse_second", look_together)

        def begin(_):
            try:
                return start(tickets)
            except ConflictError as error:
                return error.detail
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as people:
            answers = list(people.map(begin, range(2)))
        (refusal,) = [answer for answer in answers if isinstance(answer, str)]
        assert "still at work" in refusal
        assert Simulation.objects.count() == 1
        assert Job.objects.filter(kind="simulate").count() == 1

    def test_other_projects_do_not_wait(self, tickets, cast):
        start(tickets)
        assert start(labelled_project(cast, name="Other")).state == "waiting"


class TestCancel:
    def test_a_waiting_one_ends_at_once(self, tickets):
        simulation = start(tickets)
        simulations.cancel(simulation)
        assert simulation.state == "cancelled"
        assert Job.objects.get(pk=simulation.job_id).state == JobState.CANCELLED
        with pytest.raises(ConflictError, match="over: cancelled"):
            simulations.cancel(simulation)
        start(tickets)

    def test_a_running_one_stops_within_a_round_and_keeps_its_curves(self, tickets, monkeypatch):
        simulation = start(tickets)
        keep = simulation_runs._Desk._keep

        def then_cancel(self, row, began, **values):
            keep(self, row, began, **values)
            simulations.cancel(Simulation.objects.get(pk=simulation.pk))

        monkeypatch.setattr(simulation_runs._Desk, "_keep", then_cancel)
        monkeypatch.setattr(jobs, "PROGRESS_EVERY_SECONDS", 0)
        jobs.execute(simulation.job_id)
        simulation.refresh_from_db()
        assert (simulation.state, finished(simulation)) == ("cancelled", 1)
        assert Job.objects.get(pk=simulation.job_id).state == JobState.CANCELLED
        assert [one.strategy for one in comparing.standings(simulation)] == ["margin"]
        assert comparing.advice_in_words(simulation) == ""

    def test_a_cancel_that_comes_with_the_last_word_of_a_curve_is_kept_to(
        self, tickets, monkeypatch
    ):
        """The worker has seen no cancel yet: the row parts them."""
        simulation = start(tickets)
        points = simulation_runs._Desk._points

        def cancelled_meanwhile(self, row, done, told):
            found = points(self, row, done, told)
            simulations.cancel(Simulation.objects.get(pk=simulation.pk))
            return found

        monkeypatch.setattr(simulation_runs._Desk, "_points", cancelled_meanwhile)
        jobs.execute(simulation.job_id)
        simulation.refresh_from_db()
        assert (simulation.state, finished(simulation)) == ("cancelled", 0)

    def test_cancelling_its_job_among_the_jobs_ends_it_too(self, tickets):
        simulation = start(tickets)
        jobs.request_cancel(simulation.job)
        assert simulations.mark_stranded() == 1
        simulation.refresh_from_db()
        assert simulation.state == "cancelled"

    def test_one_whose_workers_all_died_is_told_so(self, tickets):
        simulation = start(tickets)
        Job.objects.filter(pk=simulation.job_id).update(state="failed", error="It died 5 times.")
        assert simulations.mark_stranded() == 1
        assert simulations.mark_stranded() == 0
        simulation.refresh_from_db()
        assert (simulation.state, simulation.error) == ("failed", "It died 5 times.")

    def test_one_at_work_is_not_stranded(self, tickets, monkeypatch):
        monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
        simulation = start(tickets)
        assert simulations.mark_stranded() == 0
        work(simulation, pieces=1)
        assert simulations.mark_stranded() == 0

    def test_deleting_the_project_ends_it(self, tickets):
        simulation = start(tickets)
        projects.delete_project(tickets)
        jobs.execute(simulation.job_id)
        simulations.mark_stranded()
        simulation.refresh_from_db()
        assert simulation.state == "cancelled"


class TestBadInput:
    def test_choices_that_cannot_be_are_refused(self, tickets):
        for changes, field, told in (
            ({"strategies": ()}, "strategies", "at least one"),
            ({"strategies": ("margin", "margin")}, "strategies", "twice"),
            ({"strategies": ("magic",)}, "strategies", "no strategy for this project"),
            ({"strategies": ("rad",)}, "strategies", "cannot be replayed"),
            ({"seeds": 0}, "seeds", "1 to 20"),
            ({"seeds": 21}, "seeds", "1 to 20"),
            ({"start": 1}, "start", "two labels"),
            ({"batch": 0}, "batch", "one item"),
            ({"budget": 5}, "budget", "between"),
            ({"budget": 1_000_000}, "budget", "between"),
            ({"budget": 5_000, "batch": 1}, "batch", "rounds"),
            ({"student": "teacher"}, "student", "one of"),
            ({"cold_start": "margin"}, "cold_start", "one of"),
        ):
            with pytest.raises(InvalidError, match=told) as refusal:
                simulations.create_simulation(tickets, wish(**changes))
            assert refusal.value.data["field"] == field, changes
            assert not Simulation.objects.exists(), changes

    def test_an_unknown_choice_is_not_ignored(self):
        with pytest.raises(InvalidError, match="no such choice: speed"):
            wish(speed=3)

    def test_too_few_labels_are_refused_before_anything_is_started(self, cast):
        project = labelled_project(cast, 49)
        with pytest.raises(
            InvalidError, match="at least 50 items with a label; this project has 49"
        ):
            start(project)
        assert not Job.objects.filter(kind="simulate").exists()

    def test_what_is_suggested_can_be_started(self, cast):
        for count in (60, 240):
            project = labelled_project(cast, count, name=f"Project {count}")
            wanted = simulations.suggested(project)
            assert {"margin", "random"} <= set(wanted.strategies)
            simulations.create_simulation(project, wanted)


class TestAdvice:
    @pytest.fixture
    def over(self, tickets):
        simulation = start(tickets)
        work(simulation)
        return simulation

    def advise(self, simulation, strategy):
        """Let it have recommended this."""
        simulation.advice |= {"strategy": strategy, "best": strategy, "against": "margin"}
        simulation.advice["difference"] = {"value": 0.02, "low": 0.01, "high": 0.03, "count": 5}
        simulation.save()

    def test_the_recommendation_is_used_and_the_trail_says_by_whom(self, over, cast):
        self.advise(over, "random")
        simulations.apply(over, cast.lea)
        project = Project.objects.get(pk=over.project_id)
        assert project.strategy == "random"
        change = StrategyChange.objects.get()
        assert (change.before, change.after) == ("margin", "random")
        assert (change.changed_by, change.simulation) == (cast.lea, over)
        assert Job.objects.filter(kind="refill", state=JobState.QUEUED).exists()
        with pytest.raises(ConflictError, match="already"):
            simulations.apply(over, cast.lea)

    def test_taking_it_back_names_the_former_strategy_and_is_a_change_too(self, over, cast):
        self.advise(over, "random")
        simulations.apply(over, cast.lea)
        change = simulations.take_back(over.project, cast.ben)
        assert (change.before, change.after, change.changed_by) == ("random", "margin", cast.ben)
        assert Project.objects.get(pk=over.project_id).strategy == "margin"
        assert StrategyChange.objects.count() == 2

    def test_there_is_nothing_to_take_back_at_first(self, tickets, cast):
        with pytest.raises(ConflictError, match="never changed"):
            simulations.take_back(tickets, cast.lea)

    def test_the_settings_leave_a_line_in_the_trail_too(self, tickets, cast):
        projects.change_project(tickets, by=cast.lea, strategy="random", name="Tickets!")
        projects.change_project(tickets, by=cast.lea, strategy="random")
        change = StrategyChange.objects.get()
        assert (change.changed_by, change.simulation) == (cast.lea, None)

    def test_an_unfinished_one_recommends_nothing(self, tickets, cast):
        with pytest.raises(ConflictError, match="did not come to its end"):
            simulations.apply(start(tickets), cast.lea)

    @pytest.mark.parametrize(
        ("advice", "seeds", "told"),
        [
            (
                ("random", "random", "margin", 0.02, True),
                5,
                "Use “Random”: its curve lies 2.0 points",
            ),
            (("margin", "random", "margin", 0.02, False), 5, "not clearly better than “Smallest"),
            (
                ("margin", "random", "margin", 0.02, False),
                1,
                "one seed cannot tell skill from luck",
            ),
            (("margin", "margin", "random", 0.02, True), 5, "The next, “Random”, lies 2.0 points"),
            (
                ("margin", "margin", "random", 0.02, False),
                5,
                "nothing did better. The next, “Random”",
            ),
            (("margin", "margin", None, None, False), 5, "replayed alone"),
            (("margin", "random", None, None, False), 5, "Replay both"),
        ],
    )
    def test_the_recommendation_is_a_sentence(self, advice, seeds, told):
        strategy, best, against, value, clear = advice
        difference = value and {"value": value, "low": -0.004, "high": 0.03, "count": seeds}
        simulation = Simulation(
            state="done",
            settings={"seeds": seeds},
            advice={
                "strategy": strategy,
                "best": best,
                "against": against,
                "difference": difference,
                "clear": clear,
                "current": "margin",
            },
        )
        said = comparing.advice_in_words(simulation)
        assert told in said
        if value:
            assert "(between −0.4 and 3.0)" in said
            assert "in use now" not in said

    @pytest.mark.parametrize(("strategy", "seeds"), [("mixed", 5), ("margin", 5), ("margin", 1)])
    def test_it_says_so_when_the_strategy_in_use_was_not_replayed(self, strategy, seeds):
        difference = {"value": 0.02, "low": 0.01, "high": 0.03, "count": seeds}
        advice = {"strategy": strategy, "best": "mixed", "against": "random", "current": "margin"}
        simulation = Simulation(
            state="done", settings={"seeds": seeds}, advice=advice | {"difference": difference}
        )
        said = comparing.advice_in_words(simulation)
        assert said.endswith("“Smallest margin”, in use now, was not replayed.")


def test_a_purged_project_leaves_no_simulation_behind(tickets, cast):
    simulation = start(tickets)
    work(simulation)
    home = replaying.folder_of(tickets.pk)
    assert home.is_dir()
    projects.change_project(tickets, by=cast.lea, strategy="random")
    projects.delete_project(tickets)
    tickets.refresh_from_db()
    purging.purge_now(tickets)
    assert not Simulation.objects.exists()
    assert not home.exists()
