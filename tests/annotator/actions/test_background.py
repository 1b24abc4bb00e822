"""Which students train by themselves: when enough changed, in turn, within the minutes of a day."""

import shutil
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.projects.schema import add_labels, archive_label
from annotator.actions.students import background, fitting, promoting, serving, teaching, turns
from annotator.actions.teachers import local_models
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Job,
    JobState,
    Project,
    PromotionRule,
    Recipe,
    StudentVersion,
    Verdict,
)
from learning.students import finetune
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.contracts.conftest import models
from tests.factories import make_items, make_project

__all__ = ["models"]


@pytest.fixture
def bells(monkeypatch):
    """No worker is rung for."""
    monkeypatch.setattr(jobs, "ring", lambda *_, **__: None)


@pytest.fixture
def sooner(monkeypatch):
    """A dozen labelled items are enough for a recipe."""
    monkeypatch.setattr(background, "FEWEST", 12)


def never(project, *kinds):
    """None of these trains by itself."""
    background.change(project, recipes=dict.fromkeys(kinds, ("never", {})))


def switch_on(project, models, **params):
    """Fine-tuning alone trains, with a model of a few weights."""
    mine = shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    params = {"model": str(mine), "epochs": 1, "batch": 4, **params}
    background.change(project, recipes={"finetune": ("always", params)})
    never(project, *background.ANYWHERE)
    return params


def kinds_due(project, labelled):
    return [each.kind for each in background.due(project, labelled)]


def waiting(project, *, used_minutes=0.0):
    """A job of the project that waits in the background, after so many minutes used today."""
    now = timezone.now()
    if used_minutes:
        Job.objects.create(
            kind="background",
            queue="train",
            project=project,
            state=JobState.DONE,
            started_at=now - timedelta(minutes=used_minutes),
            finished_at=now,
        )
    return Job.objects.create(
        kind="background", queue="train", project=project, key=background.key_of(project)
    )


@pytest.mark.django_db(transaction=True)
def test_a_recipe_trains_when_enough_was_labelled_and_again_when_that_grew(
    cast, models, sooner, monkeypatch
):
    project, truth, _ = make_pool(cast, 40, audit_share=0)
    switch_on(project, models)
    encoding.wish_encoding(project)
    voice = assigning.voice_of(project, cast.ana)
    label_some(project, voice, truth, 10)
    assert "background" not in work()
    label_some(project, voice, truth, 3)
    monkeypatch.setattr(fitting, "put_to_use", kill)
    monkeypatch.setattr(fitting, "accelerator", lambda: "abacus")
    with pytest.raises(Killed):
        work()
    monkeypatch.undo()
    monkeypatch.setattr(background, "FEWEST", 12)
    died = Job.objects.get(state=JobState.RUNNING)
    assert died.params["kind"] == "finetune", "another worker goes on with the same"
    Job.objects.filter(pk=died.pk).update(lease_until=timezone.now())
    jobs.execute(died.pk)
    work()
    made = StudentVersion.objects.get(kind="finetune")
    assert (made.trained_on, made.device) == (13, "abacus")
    project.refresh_from_db()
    assert project.current_student.kind == "head", "it waits for its test"
    label_some(project, voice, truth, 2)
    assert "background" not in work(), "15 are not a fifth more than 13"
    label_some(project, voice, truth, 1)
    assert "background" in work()
    assert StudentVersion.objects.filter(kind="finetune").latest("number").trained_on == 16


class Killed(BaseException):
    """As `kill -9`."""


def kill(*_):
    raise Killed


@pytest.mark.django_db(transaction=True)
def test_what_fails_says_why_and_waits_for_new_labels(cast, models, sooner, monkeypatch):
    monkeypatch.setattr(finetune, "refuse_outside", lambda _: None)  # rates that nobody may choose
    project, truth, _ = make_pool(cast, 30, audit_share=0)
    switch_on(project, models, learning_rate=1e30, head_rate=1e30)
    encoding.wish_encoding(project)
    label_some(project, assigning.voice_of(project, cast.ana), truth, 13)
    with pytest.raises(AssertionError, match="lower learning rates"):
        work()
    recipe = Recipe.objects.get(kind="finetune")
    assert "lower learning rates" in recipe.trouble
    assert background.due(project, 13) == []
    assert background.due(project, 16) == [recipe]
    assert not StudentVersion.objects.filter(kind="finetune").exists()


@pytest.mark.django_db
class TestTurns:
    def test_what_people_asked_for_goes_first(self, cast, bells):
        project = make_project(cast)
        mine = waiting(project)
        assert turns.is_turn(mine)
        other = Job.objects.create(kind="flag", queue="train", project=project)
        assert not turns.is_turn(mine)
        at_work = {"state": JobState.RUNNING, "lease_until": timezone.now() + timedelta(minutes=1)}
        Job.objects.filter(pk=other.pk).update(**at_work, worker="another:1")
        assert turns.is_turn(mine), "another machine is not in the way"
        Job.objects.filter(pk=other.pk).update(worker=mine.worker)
        assert not turns.is_turn(mine)

    def test_then_the_project_that_used_less_today(self, cast, bells):
        one, other = (make_project(cast, name=name) for name in ("One", "Other"))
        first, second = waiting(one, used_minutes=5), waiting(other)
        assert not turns.is_turn(first)
        assert turns.is_turn(second)
        Job.objects.filter(pk=second.pk).update(due_at=timezone.now() + timedelta(minutes=1))
        assert turns.is_turn(first), "who does not wait yet holds nobody up"

    def test_minutes_of_a_day_end_it_and_zero_begins_nothing(self, cast, bells, sooner):
        project = make_project(cast)
        make_items(project, 20)
        StudentVersion.objects.create(project=project, number=1, kind="head", trained_on=20)
        background.change(project, minutes=4, recipes={"finetune": ("always", {})})
        job = waiting(project, used_minutes=5)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.result["why"] == "Today's minutes are used up."
        later = Job.objects.get(key=background.key_of(project), state=JobState.QUEUED)
        assert later.due_at > timezone.now() + timedelta(minutes=50)
        later.delete()
        Project.objects.filter(pk=project.pk).update(training_minutes=0)
        background.wish(Project.objects.get(pk=project.pk), 20)
        assert not Job.objects.filter(state=JobState.QUEUED).exists()

    def test_what_a_person_asks_for_in_the_same_project_goes_first(self, cast, bells):
        project = make_project(cast)
        job = waiting(project)
        asked = teaching.start_training(project, "finetune", {}, cast.lea)
        assert not turns.is_turn(job)
        at_work = {"state": JobState.RUNNING, "lease_until": timezone.now() + timedelta(minutes=1)}
        Job.objects.filter(pk=asked.pk).update(**at_work, worker="another:1")
        assert not turns.is_turn(job), "a project trains one at a time, also by several workers"
        Job.objects.filter(pk=asked.pk).update(state=JobState.QUEUED)
        with pytest.raises(ConflictError, match="waits already"):
            teaching.start_training(project, "finetune", {}, cast.lea)

    def test_without_a_gpu_a_recipe_that_wants_one_is_not_trained(self, cast, monkeypatch, sooner):
        project = make_project(cast)
        never(project, *background.ANYWHERE)
        monkeypatch.setattr(fitting, "accelerator", lambda: "cpu")
        StudentVersion.objects.create(project=project, number=1, kind="head", trained_on=20)
        job = waiting(project)
        jobs.execute(job.pk)
        assert Recipe.objects.get(kind="finetune").trouble == "No GPU was found."
        assert background.due(project, 20) == []


@pytest.mark.django_db
class TestAnywhere:
    """What trains by itself on a machine without a GPU, in a project that nobody has set up for it."""

    @pytest.fixture(autouse=True)
    def cpu(self, monkeypatch):
        monkeypatch.setattr(fitting, "accelerator", lambda: "cpu")

    def test_the_quickest_trains_first_and_then_the_next(self, cast, bells, monkeypatch):
        project = make_project(cast)
        StudentVersion.objects.create(project=project, number=1, kind="head", trained_on=120)
        began = []

        def train(run, plan):
            began.append((plan.kind, plan.most_minutes))
            return StudentVersion(number=2, trained_on=120)

        monkeypatch.setattr(background, "_train", train)
        background.wish(project, 120)
        while job := Job.objects.filter(state=JobState.QUEUED).first():
            jobs.execute(job.pk)
        assert began == [("label-attention", 30), ("contrastive", 30)]
        assert Recipe.objects.get(kind="finetune").trouble == "No GPU was found."
        assert kinds_due(project, 143) == []
        assert kinds_due(project, 144) == ["label-attention", "contrastive", "finetune"]

    @pytest.mark.parametrize(
        ("fields", "kinds"),
        [
            ({"task_type": "multi"}, ["label-attention", "finetune"]),
            ({"item_kind": "pair"}, ["finetune"]),
            ({"task_type": "rating"}, ["finetune"]),
            ({"item_kind": "image"}, []),
        ],
    )
    def test_only_where_it_was_measured(self, cast, fields, kinds):
        assert kinds_due(make_project(cast, **fields), 120) == kinds

    def test_what_took_long_hides_no_later_lesson(self, cast):
        project = make_project(cast)
        for number, (kind, on) in enumerate((("head", 300), ("contrastive", 200)), start=1):
            StudentVersion.objects.create(
                project=project, number=number, kind=kind, trained_on=on, position=on
            )
        assert background.labelled(project) == 300

    def test_not_on_lessons_on_which_it_does_not_pay(self, cast):
        project = make_project(cast)
        assert kinds_due(project, 150) == ["label-attention", "contrastive", "finetune"]
        assert kinds_due(project, 3_000) == ["label-attention", "finetune"]
        assert kinds_due(project, 9_000) == ["finetune"]
        add_labels(project, [(f"Label {n}", "", "", "") for n in range(30)])
        assert kinds_due(project, 120) == ["finetune"]
        assert kinds_due(project, 150) == ["label-attention", "finetune"]


@pytest.mark.django_db
class TestServing:
    """A student of another recipe that serves goes on learning, however its recipe is set."""

    @pytest.fixture
    def project(self, cast, bells, monkeypatch):
        monkeypatch.setattr(fitting, "accelerator", lambda: "cpu")
        project = make_project(cast)
        make_items(project, 12)
        never(project, *background.ANYWHERE, "finetune")
        return project

    def serve(self, project, **fields):
        ids = list(project.labels.order_by("column").values_list("pk", flat=True))
        fields = {"kind": "contrastive", "trained_on": 200, "label_ids": ids, **fields}
        project.current_student = StudentVersion.objects.create(
            project=project, number=1, state="ready", **fields
        )
        project.save(update_fields=["current_student"])
        return project.current_student

    def give(self, project, label, number=0):
        Verdict.objects.create(
            project=project,
            item=project.items.get(number=number),
            labels=[label.pk],
            soft={str(label.pk): 1.0},
            state="decided",
            source="consensus",
            position=1,
        )

    def begun(self, project, labelled, monkeypatch):
        """What a job of the background trains, if anything."""
        began = []
        monkeypatch.setattr(background, "_train", lambda run, plan: began.append(plan) or fail())
        monkeypatch.setattr(background, "labelled", lambda _: labelled)
        background.wish(project, labelled)
        for job in Job.objects.filter(state=JobState.QUEUED, kind="background"):
            jobs.execute(job.pk)
        return [(plan.kind, plan.params) for plan in began]

    def test_though_its_recipe_never_trains(self, project, monkeypatch):
        assert kinds_due(project, 300) == []
        self.serve(project)
        assert kinds_due(project, 239) == []
        assert self.begun(project, 240, monkeypatch) == [("contrastive", {})]
        kept = Recipe.objects.get(kind="contrastive")
        assert (kept.when, kept.tried_on, kept.trouble) == ("never", 240, "It broke.")
        assert self.begun(project, 287, monkeypatch) == [], "it failed on 240"
        assert self.begun(project, 288, monkeypatch) == [("contrastive", {})]

    def test_but_not_a_version_that_somebody_went_back_to(self, project):
        served = self.serve(project)
        assert kinds_due(project, 300) == ["contrastive"]
        promoting._record(project, served, PromotionRule.BACK, took_over=True)
        project.student_pinned = True
        project.save(update_fields=["student_pinned"])
        assert kinds_due(project, 300) == []

    def test_with_the_parameters_that_it_was_trained_with(self, project, monkeypatch):
        background.change(project, recipes={"finetune": ("gpu", {"epochs": 3})})
        Recipe.objects.filter(kind="finetune").update(tried_on=10_000)
        self.serve(project, kind="finetune", params={"epochs": 5})
        assert self.begun(project, 240, monkeypatch) == [("finetune", {"epochs": 5})]
        kept = Recipe.objects.get(kind="finetune")
        assert (kept.when, kept.params, kept.tried_on) == ("gpu", {"epochs": 3}, 10_000)
        assert self.begun(project, 287, monkeypatch) == [], "it failed on 240"
        assert self.begun(project, 288, monkeypatch) == [("finetune", {"epochs": 5})]

    def test_at_once_when_a_label_is_given_that_it_cannot_give(self, project, monkeypatch):
        current = self.serve(project)
        assert kinds_due(project, 201) == []
        (label,) = add_labels(project, [("Fraud", "", "", "")])
        assert serving.added(project, current) == [label]
        assert kinds_due(project, 201) == [], "nobody gave it yet"
        drawn = project.items.filter(number=0)
        drawn.update(part="evaluation")
        self.give(project, label)
        assert kinds_due(project, 201) == [], "nothing is learned from what it is judged on"
        drawn.update(part="")
        assert self.begun(project, 201, monkeypatch) == [("contrastive", {})]
        assert kinds_due(project, 202) == [], "that was tried, and waits like any other"

    def test_what_it_lacks_of_very_many_labels_is_told_by_reading_its_own_once(self, project):
        class Read(list):
            times = 0

            def __iter__(self):
                self.times += 1
                return super().__iter__()

        current = self.serve(project)
        current.label_ids = Read(current.label_ids)
        add_labels(project, [(f"Label {n}", "", "", "") for n in range(30)])
        assert len(serving.added(project, current)) == 30
        assert current.label_ids.times == 1

    def test_at_once_when_a_label_is_archived_that_it_gives(self, project):
        self.serve(project)
        archive_label(project.labels.first())
        assert kinds_due(project, 200) == ["contrastive"]

    def test_what_it_reads_more_than_pays_for_a_new_one_too(self, project):
        background.change(project, recipes={"contrastive": ("always", {})})
        assert kinds_due(project, 3_000) == []
        self.serve(project)
        assert kinds_due(project, 3_000) == ["contrastive"]


def fail():
    raise ConflictError("It broke.")


def test_a_pool_that_takes_longer_than_a_day_has_is_not_read_to_the_end(monkeypatch):
    class Run:
        def progress(self, *_):
            pass

    monkeypatch.setattr(fitting, "LOOK_SECONDS", -1.0)
    plan = fitting.Plan(kind="contrastive", most_minutes=1)
    soon = fitting.within_the_day(Run(), plan, time.monotonic() - 30)
    soon(1_000, 1_000)
    late = fitting.within_the_day(Run(), plan, time.monotonic() - 61)
    late(0, 1_000)  # in the middle of the first block nobody knows
    with pytest.raises(ConflictError, match=r"all 1,000 items .* about 2 minutes.* 1 a day"):
        late(10, 1_000)
    fitting.within_the_day(Run(), replace(plan, most_minutes=None), time.monotonic() - 61)(
        10, 1_000
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"minutes": 2_000}, "minutes"),
        ({"recipes": {"head": ("always", {})}}, "recipes of this project"),
        ({"recipes": {"finetune": ("often", {})}}, "never, gpu, always"),
        ({"recipes": {"finetune": ("always", {"epochs": 0})}}, "epochs"),
        ({"recipes": {"finetune": ("never", {"epochs": 0})}}, "epochs"),
        ({"recipes": {"finetune": ("always", {"model": "/etc"})}}, "no such model in"),
        ({"recipes": {"finetune": ("always", {"model": "owner/name"})}}, "Name the commit"),
        ({"recipes": {"decoder-lora": ("always", {})}}, "name of a causal language model"),
    ],
)
def test_settings_that_cannot_be_are_refused_whole(cast, settings, refused):
    project = make_project(cast)
    with pytest.raises(InvalidError, match=refused):
        background.change(project, **{"minutes": 3, **settings})
    project.refresh_from_db()
    assert project.training_minutes == 30
    assert not Recipe.objects.exists()


@pytest.mark.django_db
def test_a_recipe_without_a_model_does_not_keep_the_others_from_being_saved(cast):
    project = make_project(cast)
    every = {each.kind: ("never", {}) for each in background.recipes_of(project)}
    background.change(project, recipes={**every, "finetune": ("always", {"epochs": 3})})
    kept = {each.kind: each.when for each in background.recipes_of(project)}
    assert kept == {**dict.fromkeys(every, "never"), "finetune": "always"}


@pytest.mark.django_db
def test_what_a_recipe_has_anyway_makes_no_other_one_of_it(cast, bells):
    project = make_project(cast)
    told = {"model": "minilm", "epochs": 3, "batch": 16}
    background.change(project, recipes={"finetune": ("always", told)})
    assert Recipe.objects.get(project=project).params == {"epochs": 3}
    job = teaching.start_training(project, "finetune", told)
    assert job.params["student"] == {"epochs": 3}
