"""A training in the background gives way while it runs, and goes on to the student it would have been."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone
from safetensors.numpy import load_file

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.encoders.encoding import current_encoding, students_folder
from annotator.actions.projects import projects, redacting
from annotator.actions.projects.schema import add_labels
from annotator.actions.students import (
    background,
    fitting,
    lessons,
    origins,
    teaching,
    turns,
    version_files,
)
from annotator.models import Job, JobState, Project, Recipe, StudentVersion
from learning.students import predictions
from tests.annotator.actions.test_background import switch_on
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.contracts.conftest import models

__all__ = ["models"]

MOST = 12  # labelled items


@pytest.fixture
def at_once(monkeypatch):
    """Nobody has to wait for seconds; a dozen answers are enough."""
    for name in ("PIECE_SECONDS", "WAITED_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(turns, name, 0.0)
    monkeypatch.setattr(background, "FEWEST", MOST)
    monkeypatch.setattr(jobs, "PROGRESS_EVERY_SECONDS", 0.0)


@pytest.fixture
def pool(cast, models, at_once, monkeypatch):
    """A project in which a training is due, and its folder of students."""
    project, truth, _ = make_pool(cast, 30, audit_share=0.0)
    switch_on(project, models, epochs=3)
    encoding.wish_encoding(project)
    monkeypatch.setattr(background, "wish", lambda *_, **__: None)
    project.answer = lambda count: label_some(
        project, assigning.voice_of(project, cast.ana), truth, count
    )
    project.answer(MOST)
    work()
    return project


def begin(project):
    """The job of a training that is due."""
    return Job.objects.create(
        kind="background", queue="train", project=project, key=background.key_of(project)
    )


def ask(project=None, queue="train", **fields):
    """Something that a person asked for."""
    return Job.objects.create(kind="probe", queue=queue, project=project, **fields)


def asking(monkeypatch, when, deed=ask):
    """Do a deed once each time that `when(message, done)` holds for what a training reports."""
    report = jobs.Run.progress

    def progress(run, done, total, message=""):
        report(run, done, total, message)
        if run.job.kind == "background" and when(message, done):
            deed()

    monkeypatch.setattr(jobs.Run, "progress", progress)


def once(*wanted):
    """Hold once for each of these (message, least done), in their order."""
    left = list(wanted)

    def when(message, done):
        if not left or message != left[0][0] or done < left[0][1]:
            return False
        left.pop(0)
        return True

    return when


def work_before_it_goes_on():
    """Do all that waits but the training."""
    others = Job.objects.filter(state=JobState.QUEUED).exclude(kind="background")
    while job := others.order_by("id").first():
        others.update(due_at=timezone.now() - timedelta(seconds=1))
        jobs.execute(job.pk)


def waiting():
    return Job.objects.get(kind="background", state=JobState.QUEUED)


def without_a_break(project):
    """The arrays of the student that one fit on the answers of now makes."""
    recipe = Recipe.objects.get(project=project, kind="finetune")
    lesson = lessons.gather(project, current_encoding(project), whole_items=True)
    rng = np.random.default_rng(origins.seed_of(project.pk, lesson))
    plan = fitting.Plan(kind="finetune", params=recipe.params)
    fitted = plan.plugin().fit(lesson.data, rng, lambda *_: None)
    folder = students_folder(project.pk).parent / "expected"
    fitted.save(folder)
    return arrays_of(folder)


def arrays_of(folder):
    return {
        f"{path.name} {name}": value
        for path in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def assert_as(version, expected):
    made = arrays_of(version_files.folder_of(version))
    assert made.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(made[name], value, err_msg=name)


def over_and_done():
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}, list(
        Job.objects.exclude(state="done").values("kind", "state", "error")
    )


@pytest.mark.django_db(transaction=True)
class TestGivingWay:
    def test_what_is_asked_for_comes_first_and_the_student_is_the_same(self, pool, monkeypatch):
        expected = without_a_break(pool)
        taken = []
        asking(monkeypatch, once(("Training", 4)))
        asking(monkeypatch, lambda message, done: message == "Training" and taken.append(done))
        first = begin(pool)
        jobs.execute(first.pk)
        first.refresh_from_db()
        rest, asked = waiting(), Job.objects.get(kind="probe")
        assert (first.state, first.result["trained"]) == (JobState.DONE, False)
        assert (rest.attempt, rest.done, rest.total) == (0, 4, 9), "the page says how far it is"
        assert rest.message == "What people asked for goes first."
        assert rest.pk > asked.pk
        assert "background" in work()
        assert sorted(set(taken)) == list(range(10))
        assert len([each for each in taken if each == 5]) == 1, "no step is taken twice"
        version = StudentVersion.objects.get(kind="finetune")
        assert_as(version, expected)
        assert version.seconds > 0
        over_and_done()
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))
        named = set(StudentVersion.objects.exclude(folder="").values_list("folder", flat=True))
        assert named == {each.name for each in students_folder(pool.pk).iterdir()}

    def test_it_goes_on_with_the_answers_that_it_began_with(self, pool, monkeypatch):
        expected = without_a_break(pool)
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        pool.answer(3)
        work_before_it_goes_on()
        work()
        version = StudentVersion.objects.get(kind="finetune")
        assert version.trained_on == MOST
        assert_as(version, expected)
        head = StudentVersion.objects.filter(kind="head").latest("number")
        assert head.trained_on == MOST + 3
        assert version.position < head.position

    @pytest.mark.parametrize("change", ["label", "removed", "redacted"])
    def test_but_begins_anew_where_what_it_learned_is_not_so_any_more(
        self, pool, monkeypatch, change
    ):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        item = pool.items.filter(verdict__state="decided").first()
        for file in students_folder(pool.pk).glob(".checkpoint-*/**/*"):
            assert file.is_dir() or item.text.encode() not in file.read_bytes(), "no word of items"
        if change == "label":
            add_labels(pool, [("Fraud", "", "", "")])
        elif change == "removed":
            pool.items.filter(pk=item.pk).update(removed_at=timezone.now())
        else:
            redacting.redact_item(item, "test")
        pool.answer(2)
        work_before_it_goes_on()
        work()
        version = StudentVersion.objects.get(kind="finetune")
        assert version.trained_on == MOST + 2 - (change == "removed")
        over_and_done()

    def test_also_where_it_came_while_it_trained_and_what_was_in_vain_is_no_minute_of_it(
        self, pool, monkeypatch
    ):
        def deed():
            ask()
            add_labels(pool, [("Fraud", "", "", "")])

        asking(monkeypatch, once(("Training", 4)), deed)
        jobs.execute(begin(pool).pk)
        rest = waiting()
        Job.objects.filter(pk=rest.pk).update(params={**rest.params, "spent": 31 * 60.0})
        pool.answer(2)
        work_before_it_goes_on()
        work()
        version = StudentVersion.objects.get(kind="finetune")
        assert version.trained_on == MOST + 2
        assert len(version.label_ids) == pool.live_labels().count()
        assert version.seconds < 60
        over_and_done()

    @pytest.mark.parametrize("change", [("never", {}), ("always", {"epochs": 1})])
    def test_a_recipe_that_is_set_otherwise_while_it_waits_is_dropped(
        self, pool, monkeypatch, change
    ):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        when, params = change
        model = Recipe.objects.get(kind="finetune").params["model"]
        background.change(pool, recipes={"finetune": (when, {"model": model, **params})})
        work()
        made = StudentVersion.objects.filter(kind="finetune")
        assert [each.params["epochs"] for each in made] == list(params.values())
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))
        over_and_done()

    def test_what_was_answered_while_it_waited_is_learned_behind_it(self, pool, monkeypatch):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        pool.answer(3)  # a fifth more
        work_before_it_goes_on()
        monkeypatch.undo()
        monkeypatch.setattr(background, "FEWEST", MOST)
        work()
        made = StudentVersion.objects.filter(kind="finetune").order_by("number")
        assert [each.trained_on for each in made] == [MOST, MOST + 3]

    def test_killed_as_it_gave_way_it_is_not_done_twice(self, pool, monkeypatch):
        asking(monkeypatch, once(("Training", 4)))
        job = begin(pool)
        jobs.execute(job.pk)
        gone = timezone.now() - timedelta(seconds=1)  # before it could say that it is done
        Job.objects.filter(pk=job.pk).update(state=JobState.RUNNING, lease_until=gone)
        pool.answer(3)
        work_before_it_goes_on()
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempt, job.result["trained"]) == (JobState.DONE, 2, False)
        work()
        assert StudentVersion.objects.get(kind="finetune").trained_on == MOST

    def test_it_goes_on_at_once_when_training_does_or_there_are_more_minutes(
        self, pool, monkeypatch
    ):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        projects.change_project(pool, training_paused=True)
        Job.objects.filter(kind="probe").delete()
        jobs.execute(waiting().pk)
        assert waiting().due_at > timezone.now() + timedelta(minutes=50)
        projects.change_project(pool, training_paused=False)
        assert waiting().due_at <= timezone.now()
        Job.objects.filter(kind="background").exclude(state="queued").update(
            started_at=timezone.now() - timedelta(minutes=40), finished_at=timezone.now()
        )
        jobs.execute(waiting().pk)
        assert waiting().message == "Today's minutes are used up."
        background.change(pool, minutes=200)
        work()
        assert StudentVersion.objects.filter(kind="finetune").exists()

    def test_also_while_it_reads_the_pool_and_what_was_read_is_kept(self, pool, monkeypatch):
        expected, read = without_a_break(pool), []
        monkeypatch.setattr(predictions, "BLOCK_TEXTS", 4)
        asking(monkeypatch, once(("Predicting", 12)))
        asking(monkeypatch, lambda message, done: message == "Predicting" and read.append(done))
        jobs.execute(begin(pool).pk)
        folder = students_folder(pool.pk)
        assert not list(folder.glob("finetune-*")), "what is finished alone lies there"
        assert "background" in work()
        version = StudentVersion.objects.get(kind="finetune")
        assert_as(version, expected)
        assert max(read) == 30
        assert [each for each in dict.fromkeys(read) if each and each % 4 == 0] == sorted(
            {each for each in read if each and each % 4 == 0}
        ), "nothing is read twice"
        said = predictions.read_predictions(folder / version.folder / "pool")
        assert said.rows == 30
        over_and_done()

    def test_more_often_than_a_job_may_die(self, pool, monkeypatch):
        expected = without_a_break(pool)
        asking(monkeypatch, once(*(("Training", step) for step in range(1, 9))))
        jobs.execute(begin(pool).pk)
        work()
        gave_way = Job.objects.filter(kind="background")
        assert gave_way.count() == 9 > jobs.MAX_ATTEMPTS
        assert_as(StudentVersion.objects.get(kind="finetune"), expected)
        over_and_done()
        took = sum((each.finished_at - each.started_at).total_seconds() / 60 for each in gave_way)
        assert turns.today(pool).used == pytest.approx(took), "of all its pieces"

    def test_minutes_are_those_of_all_its_pieces(self, pool, monkeypatch):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        rest = waiting()
        assert rest.params["spent"] > 0
        Job.objects.filter(pk=rest.pk).update(params={**rest.params, "spent": 31 * 60.0})
        Job.objects.filter(kind="probe").delete()
        jobs.execute(rest.pk)
        rest.refresh_from_db()
        assert rest.state == JobState.FAILED
        assert "within 30 minutes" in rest.error
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))

    def test_it_goes_on_though_the_next_training_was_wished_for_meanwhile(self, pool, monkeypatch):
        """At most one of a project waits in the background."""
        expected = without_a_break(pool)
        wished = []

        def deed():
            ask()
            wished.append(begin(pool))
            later = timezone.now() + timedelta(hours=1)
            Job.objects.filter(pk=wished[0].pk).update(due_at=later, rung_at=later)

        asking(monkeypatch, once(("Training", 4)), deed)
        jobs.execute(begin(pool).pk)
        assert [waiting()] == wished
        assert max(waiting().due_at, waiting().rung_at) <= timezone.now(), (
            "the sweeper rings for it"
        )
        work()
        assert_as(StudentVersion.objects.get(kind="finetune"), expected)
        over_and_done()

    def test_a_training_that_is_asked_for_in_the_same_project_ends_neither(
        self, pool, models, monkeypatch
    ):
        params = {"model": Recipe.objects.get(kind="finetune").params["model"], "epochs": 1}

        def deed():
            teaching.start_training(pool, "finetune", params)

        asking(monkeypatch, once(("Training", 4)), deed)
        jobs.execute(begin(pool).pk)
        work()
        made = StudentVersion.objects.filter(kind="finetune").order_by("number")
        assert [each.params["epochs"] for each in made] == [1, 3]
        over_and_done()

    def test_one_that_an_older_version_left_in_the_queue_refuses_nobody(self, pool):
        key = f"challenger:{pool.pk}"
        Job.objects.create(kind="background", queue="train", project=pool, key=key)
        params = {"model": Recipe.objects.get(kind="finetune").params["model"], "epochs": 1}
        assert teaching.start_training(pool, "finetune", params).kind == "finetune"

    def test_cancelled_while_it_waits_it_leaves_nothing(self, pool, monkeypatch):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        assert list(students_folder(pool.pk).glob(".checkpoint-*"))
        jobs.request_cancel(waiting())
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))
        work()
        assert not StudentVersion.objects.filter(kind="finetune").exists()

    def test_cancelled_as_it_gives_way_it_does_not_go_on(self, pool, monkeypatch):
        def deed():
            ask()
            Job.objects.filter(kind="background").update(cancel_requested=True)

        asking(monkeypatch, once(("Training", 4)), deed)
        job = begin(pool)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.CANCELLED
        assert not Job.objects.filter(kind="background", state=JobState.QUEUED).exists()
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))

    def test_other_trainings_leave_what_waits_alone(self, pool, monkeypatch):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        version_files.forget_old(pool)
        assert list(students_folder(pool.pk).glob(".checkpoint-*"))
        Job.objects.filter(kind="background").update(state=JobState.CANCELLED)
        version_files.forget_old(pool)
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))

    def test_before_it_goes_on_it_asks_whose_turn_it_is(self, pool, monkeypatch):
        asking(monkeypatch, once(("Training", 4)))
        jobs.execute(begin(pool).pk)
        rest = waiting()
        jobs.execute(rest.pk)  # before what it gave way to
        rest.refresh_from_db()
        assert rest.result == {"trained": False, "why": "Other work goes first."}
        later = waiting()
        assert later.due_at > timezone.now() + timedelta(seconds=20)
        assert later.params == rest.params
        assert later.done == 4
        Job.objects.filter(kind="probe").delete()
        Job.objects.update(due_at=timezone.now())
        Project.objects.filter(pk=pool.pk).update(training_paused=True)
        jobs.execute(later.pk)
        paused = waiting()
        assert (paused.message, paused.params) == ("Training is paused.", rest.params)
        Project.objects.filter(pk=pool.pk).update(training_paused=False, training_minutes=0)
        Job.objects.update(due_at=timezone.now())
        jobs.execute(paused.pk)
        assert not Job.objects.filter(state=JobState.QUEUED).exists()
        assert not list(students_folder(pool.pk).glob(".checkpoint-*"))
