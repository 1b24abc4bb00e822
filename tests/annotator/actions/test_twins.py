"""The same lesson is not trained twice: by a burst that changed nothing, in the background, or by hand."""

import shutil
from dataclasses import replace

import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding, switching
from annotator.actions.projects.schema import change_label
from annotator.actions.students import choices, fitting, lessons, teaching, version_files
from annotator.actions.teachers import local_models
from annotator.errors import ConflictError
from annotator.models import Encoding, Job, Project, Promotion, StudentVersion
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.contracts.conftest import models

__all__ = ["models"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def labelled(cast):
    """A project whose head learned from a dozen answers, and how to answer more."""
    project, truth, _ = make_pool(cast, 30, audit_share=0)
    encoding.wish_encoding(project)
    voice = assigning.voice_of(project, cast.ana)
    label_some(project, voice, truth, 12)
    work()
    return project, lambda count: label_some(project, voice, truth, count)


def train(project):
    """What a training of the head says, after all that it led to."""
    job = teaching.start_training(project, "head", {})
    work()
    job.refresh_from_db()
    return job.result


def test_a_head_is_made_again_only_from_other_answers(labelled):
    project, answer = labelled
    (first,) = StudentVersion.objects.all()
    assert len(first.lesson) == 64
    assert train(project) == {
        "trained": False,
        "student": first.number,
        "trained_on": 12,
        "why": "Student 1 learned from just these answers already.",
    }
    assert StudentVersion.objects.count() == 1
    answer(1)
    work()
    assert StudentVersion.objects.latest("number").trained_on == 13


def test_no_lesson_is_read_where_the_recipe_has_no_version(labelled, monkeypatch):
    project, _ = labelled
    monkeypatch.setattr(lessons, "gather", lambda *_, **__: pytest.fail("a page would wait for it"))
    assert (
        teaching.start_finetune(project, None, {"tokens": 64}, "label-attention").kind == "finetune"
    )


def test_a_worker_that_lost_its_job_says_nothing_of_the_version_there_is(labelled, monkeypatch):
    project, _ = labelled
    teach = fitting.distilling.teach

    def taken_over(run, *args):
        taught = teach(run, *args)
        Job.objects.filter(pk=run.job.pk).update(attempt=run.job.attempt + 1)
        return replace(taught, told={"late": True})

    monkeypatch.setattr(fitting.distilling, "teach", taken_over)
    monkeypatch.setattr(fitting.distilling.Taught, "is_as", lambda *_: True)
    jobs.execute(teaching.start_training(project, "head", {}).pk)
    assert "late" not in StudentVersion.objects.get().beside


def test_neither_of_two_heads_that_learn_beside_each_other_after_a_change_of_encoder_is_made_again(
    labelled,
):
    project, answer = labelled
    first = newest()
    jobs.execute(switching.start(project, "tfidf-svd", {"components": 5}).pk)
    work()
    assert StudentVersion.objects.exclude(encoding=first.encoding).count() == 1
    made = StudentVersion.objects.count()
    project.refresh_from_db()
    told = train(project)
    assert (told["trained"], StudentVersion.objects.count()) == (False, made)
    answer(1)
    work()
    assert StudentVersion.objects.count() == made + 2


def test_what_it_read_from_is_part_of_the_lesson(labelled):
    project, _ = labelled
    label = project.labels.first()
    change_label(label, name=label.name, description="A new sentence.", hotkey=label.hotkey)
    assert train(project)["trained"], "the label is called otherwise"
    Project.objects.filter(pk=project.pk).update(audit_cutoff=0.5)
    assert train(project)["trained"], "it is to speak of more drawn items"


def test_one_whose_word_on_the_items_is_gone_is_made_again(labelled):
    project, _ = labelled
    shutil.rmtree(version_files.folder_of(StudentVersion.objects.get()) / "pool")
    assert train(project)["trained"]


def test_what_was_learned_before_is_learned_again_where_it_is_not_the_newest(labelled):
    project, answer = labelled
    first = StudentVersion.objects.get()
    answer(1)
    work()
    StudentVersion.objects.filter(pk=first.pk).update(lesson=newest().lesson)
    StudentVersion.objects.filter(pk=newest().pk).update(lesson=first.lesson)
    assert train(project)["trained"], "else what serves would have learned from what was taken back"


def newest():
    return StudentVersion.objects.latest("number")


def test_who_asks_by_hand_is_told_which_version_it_is_already(labelled, models):
    project, answer = labelled
    mine = shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    params = {"model": str(mine), "epochs": 1, "batch": 4}
    teaching.start_training(project, "finetune", params)
    work()
    assert StudentVersion.objects.filter(kind="finetune").count() == 1
    with pytest.raises(ConflictError, match="Student 2 is that already"):
        teaching.start_training(project, "finetune", params)
    assert teaching.start_training(project, "finetune", {**params, "epochs": 2})
    work()
    answer(1)
    work()
    assert teaching.start_training(project, "finetune", {**params, "epochs": 2})


def test_what_waited_meanwhile_trains_nothing_twice(labelled, models):
    project, _ = labelled
    mine = shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    job = teaching.start_training(
        project, "finetune", {"model": str(mine), "epochs": 1, "batch": 4}
    )
    work()
    again = Job.objects.create(kind="finetune", queue="train", project=project, params=job.params)
    jobs.execute(again.pk)
    again.refresh_from_db()
    assert again.result["why"] == "Student 2 learned from just these answers already."
    assert StudentVersion.objects.filter(kind="finetune").count() == 1


def test_ways_that_are_no_parameters_are_part_of_the_lesson(labelled):
    project, _ = labelled
    matrix = Encoding.objects.get()
    lesson = lessons.gather(project, matrix)
    told = [lessons.digest_of(project, matrix, lesson, way) for way in (True, False, False)]
    assert told[0] != told[1] == told[2]


def test_a_head_whose_labels_count_otherwise_is_a_refit_and_says_so(labelled):
    project, _ = labelled
    assert "class_weights" not in choices.chosen(newest())
    Project.objects.filter(pk=project.pk).update(balanced=True)
    assert train(project)["trained"]
    assert choices.chosen(newest())["class_weights"] == "balanced"
    project.refresh_from_db()
    assert project.current_student == newest()
    assert Promotion.objects.latest("pk").rule == "refit"
    assert not train(project)["trained"]
