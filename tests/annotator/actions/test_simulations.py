"""Simulations on real rows: what is replayed, how the work goes on, who may stop and use it."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.actions.projects import projects, purging
from annotator.actions.simulations import (
    comparing,
    parting,
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
    SimulationRun,
    StrategyChange,
    Verdict,
)
from tests.annotator.simulated import audited, labelled_file, labelled_project, start, wish, work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def bells(monkeypatch):
    rung = []
    monkeypatch.setattr(jobs, "ring", lambda job_id, queue, due_in_seconds=0: rung.append(job_id))
    return rung


@pytest.fixture
def tickets(cast):
    return labelled_project(cast)


def finished(simulation):
    return SimulationRun.objects.filter(simulation=simulation, state="done").count()


class TestReplay:
    def test_every_strategy_is_replayed_under_every_seed(self, tickets):
        simulation = start(tickets)
        work(simulation)
        assert (simulation.state, simulation.error) == ("done", "")
        runs = list(simulation.runs.order_by("pk"))
        assert [(run.strategy, run.seed) for run in runs] == [
            *(("margin", 0), ("random", 0), ("margin", 1), ("random", 1))
        ]
        for run in runs:
            assert [point["labels"] for point in run.points] == [6, 26, 46]
            assert all(0 <= point["score"] <= 1 for point in run.points)
            assert run.pick_seconds > 0
        assert runs[0].points[0]["score"] == runs[1].points[0]["score"], "the same start"
        assert 0.8 < simulation.full["score"] <= 1
        assert simulation.finished_at is not None
        assert simulation.facts["items"] == 240
        assert simulation.facts["tested"] + simulation.facts["pool"] == 240
        assert simulation.facts["test_part"] == "split"
        assert simulation.advice["current"] == "margin"

    def test_the_same_labels_give_the_same_curves_and_the_same_hash(self, tickets):
        one = start(tickets)
        work(one)
        other = start(tickets)
        work(other)
        assert one.data_hash == other.data_hash
        scores = [
            [[point["score"] for point in run.points] for run in each.runs.order_by("pk")]
            for each in (one, other)
        ]
        assert scores[0] == scores[1]
        assert list(comparing.laid_over(one)) == [other]
        Verdict.objects.filter(project=tickets).order_by("pk").last().delete()
        third = start(tickets)
        work(third)
        assert third.data_hash != one.data_hash
        assert not comparing.laid_over(third).exists()

    def test_labels_that_come_while_it_runs_change_nothing(self, tickets, monkeypatch):
        monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
        simulation = start(tickets)
        assert work(simulation, pieces=1) == 1
        before = simulation.facts["items"]
        Verdict.objects.filter(project=tickets).delete()
        work(simulation)
        assert (simulation.state, simulation.facts["items"]) == ("done", before)
        assert finished(simulation) == 4

    def test_a_strategy_that_refuses_ends_its_own_curve_only(self, tickets, monkeypatch):
        from learning.errors import NotEnoughDataError
        from learning.selection.margin import Margin

        def refuse(self, pool, n, rng):
            raise NotEnoughDataError("It needs something else.")

        monkeypatch.setattr(Margin, "select", refuse)
        simulation = start(tickets)
        work(simulation)
        assert simulation.state == "done"
        assert [one.strategy for one in comparing.standings(simulation)] == ["random"]
        (told,) = comparing.refused(simulation)
        assert (told.strategy, told.error) == ("margin", "It needs something else.")

    def test_when_every_strategy_refuses_the_simulation_says_why(self, tickets, monkeypatch):
        from learning.errors import NotEnoughDataError
        from learning.selection.margin import Margin

        def refuse(self, pool, n, rng):
            raise NotEnoughDataError("It needs something else.")

        monkeypatch.setattr(Margin, "select", refuse)
        simulation = start(tickets, "margin")
        work(simulation)
        assert (simulation.state, simulation.error) == ("failed", "It needs something else.")

    def test_archived_labels_and_ties_are_left_out(self, tickets):
        label = tickets.labels.order_by("column").last()
        label.archived_at = timezone.now()
        label.save()
        Verdict.objects.filter(project=tickets, labels=[tickets.labels.first().pk]).update(
            state="tie"
        )
        decided = Verdict.objects.filter(project=tickets, state="decided")
        assert decided.count() == 160
        simulation = start(tickets)
        work(simulation)
        assert simulation.state == "failed"
        assert "two different labels" in simulation.error

    def test_items_with_several_labels_are_measured_by_their_headline(self, cast):
        project = labelled_project(cast, task_type="multi")
        simulation = start(project)
        work(simulation)
        assert simulation.state == "done"
        assert comparing.measure_of(simulation) == "micro F1"


class TestTestPart:
    def answered(self, count, *, labels=3, twins=0):
        hashes = [np.random.default_rng(n).bytes(16) for n in range(count - twins)]
        return parting.Answered(
            columns=[[n % labels] for n in range(count)],
            hashes=hashes + hashes[:twins],
            names=tuple("abc"[:labels]),
        )

    def test_equal_contents_are_never_on_both_sides(self):
        answered = self.answered(300, twins=120)
        found = parting.part(answered, audit=[], where="here")
        sides = {}
        for place, held in zip(found.places, found.held_out, strict=True):
            sides.setdefault(answered.hashes[place], set()).add(held)
        assert all(len(side) == 1 for side in sides.values())
        assert found.facts["test_part"] == "split"
        assert found.facts["items"] == 300

    def test_enough_audit_items_are_the_test_part_and_their_twins_are_left_out(self):
        answered = self.answered(400, twins=30)
        found = parting.part(answered, audit=range(200), where="here")
        assert found.facts["test_part"] == "audit"
        held = [p for p, h in zip(found.places, found.held_out, strict=True) if h]
        assert held == list(range(200))
        assert found.facts["duplicates_left_out"] == 30
        tested = {answered.hashes[place] for place in held}
        assert not tested & {answered.hashes[place] for place in found.pool}

    @pytest.mark.parametrize(("items", "audit"), [(400, 199), (249, 200)])
    def test_too_few_audit_items_or_too_little_beside_them_is_a_split(self, items, audit):
        found = parting.part(self.answered(items), audit=range(audit), where="here")
        assert found.facts["test_part"] == "split"
        assert found.facts["duplicates_left_out"] == 0

    @pytest.mark.parametrize(("items", "tested"), [(60, 24), (300, 100), (2_000, 400)])
    def test_the_share_that_is_kept_grows_where_there_is_little(self, items, tested):
        found = parting.part(self.answered(items), audit=[], where="here")
        assert found.facts["tested"] == tested

    def test_a_content_that_is_most_of_the_items_is_no_test(self):
        hashes = [b"same"] * 70 + [b"%d" % n for n in range(30)]
        answered = parting.Answered(
            columns=[[n % 3] for n in range(100)], hashes=hashes, names=("a", "b", "c")
        )
        found = parting.part(answered, audit=[], where="here")
        assert found.facts["tested"] == 30
        assert 0 in found.pool

    def test_no_more_are_replayed_than_tell_something(self, monkeypatch):
        monkeypatch.setattr(parting, "MOST_ITEMS", 300)
        found = parting.part(self.answered(1_000), audit=[], where="here")
        assert (found.facts["items"], found.facts["not_drawn"]) == (300, 700)
        assert found.facts["tested"] == 100
        kept = parting.part(self.answered(1_000), audit=range(250), where="here")
        assert (kept.facts["tested"], kept.facts["pool"]) == (250, 300)

    @pytest.mark.parametrize(
        ("items", "labels", "told"),
        [
            (49, 3, "at least 50 items with a label; here has 49"),
            (80, 1, "two different labels"),
        ],
    )
    def test_too_little_is_refused_in_a_sentence(self, items, labels, told):
        answered = self.answered(items, labels=labels)
        with pytest.raises(InvalidError, match=told):
            parting.part(answered, audit=[], where="here")

    def test_items_that_are_all_the_same_cannot_be_parted(self):
        answered = parting.Answered(
            columns=[[n % 3] for n in range(80)], hashes=[b"same"] * 80, names=("a", "b", "c")
        )
        with pytest.raises(InvalidError, match="Too few different items"):
            parting.part(answered, audit=[], where="here")

    def test_a_project_with_enough_audit_answers_is_tested_on_them(self, cast):
        project = labelled_project(cast, 300)
        numbers = audited(project, 220)
        simulation = start(project)
        work(simulation)
        assert simulation.facts["test_part"] == "audit"
        assert simulation.facts["tested"] == 220
        arrays, _ = replaying_arrays(simulation)
        held = arrays["numbers"][arrays["held_out"].astype(bool)]
        assert set(held.tolist()) == numbers


def replaying_arrays(simulation):
    from learning.storage import load_folder

    return load_folder(replaying.folder_of(simulation.project_id) / simulation.folder)


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
                both.wait(timeout=10)

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
    @pytest.mark.parametrize(
        ("changes", "field", "told"),
        [
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
        ],
    )
    def test_choices_that_cannot_be_are_refused(self, tickets, changes, field, told):
        with pytest.raises(InvalidError, match=told) as refusal:
            simulations.create_simulation(tickets, wish(**changes))
        assert refusal.value.data["field"] == field
        assert not Simulation.objects.exists()

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


class TestFiles:
    @pytest.fixture
    def empty(self, cast):
        small = {"components": 16, "features": 4096}
        return make_project(cast, encoder="tfidf-svd", encoder_params=small, name="Empty")

    def test_a_labelled_file_is_replayed_in_a_project_without_labels(self, empty, cast):
        simulation = simulations.create_simulation(
            empty, wish(), cast.lea, file=labelled_file(), file_name="old.csv"
        )
        kept = uploads.path_of(simulation.stored_name)
        assert kept.is_file()
        work(simulation)
        assert (simulation.state, simulation.error) == ("done", "")
        assert finished(simulation) == 4
        assert (simulation.facts["items"], simulation.facts["labels"]) == (90, 3)
        assert (simulation.position, simulation.file_name) == (0, "old.csv")
        assert not kept.exists(), "an upload is not kept for longer than it is needed"
        assert not list(replaying.folder_of(empty.pk).glob("*"))

    def test_the_same_file_has_the_same_hash(self, empty):
        found = []
        for _ in range(2):
            simulation = simulations.create_simulation(
                empty, wish("random", seeds=1), file=labelled_file(), file_name="old.csv"
            )
            work(simulation)
            found.append(simulation.data_hash)
        assert found[0] == found[1] != ""

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "empty"),
            (b"text,label\na,\nb,\n", "No labels are found"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", ""),
        ],
    )
    def test_a_file_that_is_no_labelled_file_is_refused_at_once(self, empty, content, told):
        with pytest.raises(InvalidError, match=told) as refusal:
            simulations.create_simulation(
                empty, wish(), file=io.BytesIO(content), file_name="x.csv"
            )
        assert refusal.value.data["field"] == "file"
        assert not Simulation.objects.exists()

    def test_columns_may_be_named_and_are_checked(self, empty):
        named = wish(text="words", label="kind", seeds=1)
        simulation = simulations.create_simulation(
            empty, named, file=labelled_file(header="words,kind"), file_name="old.csv"
        )
        work(simulation)
        assert simulation.state == "done"
        with pytest.raises(InvalidError, match="no column “topic”"):
            simulations.create_simulation(
                empty, wish(label="topic"), file=labelled_file(), file_name="old.csv"
            )

    def test_too_short_a_file_ends_in_a_sentence(self, empty):
        simulation = simulations.create_simulation(
            empty, wish(), file=labelled_file(rows=30), file_name="old.csv"
        )
        work(simulation)
        assert simulation.state == "failed"
        assert "at least 50 items with a label; the file has 30" in simulation.error

    @pytest.mark.parametrize(
        ("task_type", "second", "told"),
        [
            ("multi", "Billing", "Every item of the file has one label"),
            ("single", "Billing|Login", "Some items of the file have several labels"),
        ],
    )
    def test_a_file_of_another_task_ends_in_a_sentence(self, empty, task_type, second, told):
        Project.objects.filter(pk=empty.pk).update(task_type=task_type)
        empty.refresh_from_db()
        lines = [f"ticket number {n},{('Login', second)[n % 2]}" for n in range(90)]
        simulation = simulations.create_simulation(
            empty,
            wish(),
            file=io.BytesIO("\n".join(["text,label", *lines]).encode()),
            file_name="old.csv",
        )
        work(simulation)
        assert simulation.state == "failed"
        assert told in simulation.error

    def test_cancelling_lets_the_upload_go(self, empty):
        simulation = simulations.create_simulation(
            empty, wish(), file=labelled_file(), file_name="old.csv"
        )
        kept = uploads.path_of(simulation.stored_name)
        simulations.cancel(simulation)
        assert not kept.exists()


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


def test_the_pool_of_a_project_that_grows_is_replayed_as_it_was(tickets):
    """Numbers are rows of the matrix: later items change nothing."""
    simulation = start(tickets)
    work(simulation)
    before = replaying.load(simulation)[0]
    make_items(tickets, ["one more"])
    after = replaying.load(simulation)[0]
    np.testing.assert_array_equal(before.encodings, after.encodings)
