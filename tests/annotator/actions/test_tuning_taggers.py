"""A transformer that marks spans: asked for or in the background, resumed, tested, put to use, kept up."""

import shutil

import numpy as np
import pytest
from django.core.management import call_command
from django.urls import reverse

from annotator import jobs
from annotator.actions.encoders.encoding import students_folder, wish_encoding
from annotator.actions.queue import auditing
from annotator.actions.students import background, promoting, sheets, teaching, turns
from annotator.actions.teachers import local_models
from annotator.errors import InvalidError
from annotator.models import Job, JobState, Pick, Project, Promotion, StudentVersion
from learning.audit.promotion import compare
from learning.students.predictions import read_predictions
from learning.taggers.pool import read_tagged
from tests.annotator.actions.test_finetuning import dies_at
from tests.annotator.actions.test_loop import work
from tests.annotator.actions.test_tagging import mark, project, text
from tests.annotator.audited import running
from tests.contracts.conftest import models
from tests.factories import make_items

__all__ = ["models", "project"]
pytestmark = pytest.mark.django_db(transaction=True)


def small(models, **params):
    mine = shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    rates = {"learning_rate": 1e-3, "head_rate": 1e-2}
    return {"model": str(mine), "epochs": 1, "batch": 8, "tokens": 64, **rates, **params}


def test_it_trains_in_the_background_when_enough_is_marked_and_waits_for_its_test(
    cast, project, models, monkeypatch
):
    monkeypatch.setattr(background, "FEWEST", 12)
    assert [each.kind for each in background.recipes_of(project)] == ["token-finetune"]
    background.change(project, recipes={"token-finetune": ("always", small(models))})
    mark(project, cast.ana, 22)
    assert "background" in work()
    made = StudentVersion.objects.get(kind="token-finetune")
    assert made.params["epochs"] == 1
    assert made.estimate == "", "folds would train it three times more"
    project.refresh_from_db()
    assert project.current_student.kind == "token-head"
    pool = students_folder(project.pk) / made.folder / "pool"
    assert read_tagged(pool, read_predictions(pool)).texts == 48


def test_a_person_asks_for_it_by_page_and_command_and_it_leaves_as_a_folder(
    cast, client, project, models, tmp_path
):
    mark(project, cast.ana, 12)
    work()
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert (
        "Train another student"
        in client.get(reverse("students", args=[project.pk])).content.decode()
    )
    recipes = client.get(reverse("students_background", args=[project.pk])).content.decode()
    assert "Fine-tuned transformer, word by word" in recipes
    client.post(
        reverse("students_finetune", args=[project.pk]), {"kind": "token-finetune", "epochs": "1"}
    )
    asked = Job.objects.get(kind="finetune")
    assert asked.params == {"kind": "token-finetune", "student": {"epochs": 1}}
    asked.delete()
    given = [f"{name}={value}" for name, value in small(models).items()]
    call_command("train", str(project.pk), kind="token-finetune", param=given, wait=True)
    version = StudentVersion.objects.get(kind="token-finetune")
    page = client.get(reverse("student", args=[project.pk, version.number]))
    assert "Fine-tuned transformer, word by word" in page.content.decode()
    call_command("download_student", str(project.pk), student=version.number, into=tmp_path)
    (folder,) = tmp_path.iterdir()
    assert {"model.py", "words.py", "head.safetensors", "encoder"} <= {
        path.name for path in folder.iterdir()
    }
    with pytest.raises(InvalidError, match="one of head, token-finetune"):
        teaching.start_training(project, "contrastive", {})


def test_a_worker_that_dies_leaves_a_checkpoint_to_go_on_from(cast, project, models, monkeypatch):
    mark(project, cast.ana, 16)
    work()
    params = small(models, epochs=2, checkpoint_steps=1)
    job = teaching.start_training(project, "token-finetune", params)
    with monkeypatch.context() as patch:
        patch.setattr(jobs.Run, "progress", dies_at(3))
        jobs.execute(job.pk)
    folder = students_folder(project.pk)
    assert list(folder.glob(".checkpoint-*/state-3.safetensors"))
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    begun = []
    with monkeypatch.context() as patch:
        told = jobs.Run.progress
        patch.setattr(
            jobs.Run, "progress", lambda run, at, *rest: (begun.append(at), told(run, at, *rest))
        )
        jobs.execute(job.pk)
    assert begun[0] == 3
    assert StudentVersion.objects.filter(kind="token-finetune").exists()
    assert not list(folder.glob(".checkpoint-*"))


def test_in_the_background_it_gives_way_and_goes_on_with_the_marks_that_it_began_with(
    cast, project, models, monkeypatch
):
    monkeypatch.setattr(background, "FEWEST", 12)
    for name in ("PIECE_SECONDS", "WAITED_SECONDS", "LOOK_SECONDS"):
        monkeypatch.setattr(turns, name, 0.0)
    monkeypatch.setattr(background, "wish", lambda *_, **__: None)
    background.change(project, recipes={"token-finetune": ("always", small(models, epochs=2))})
    mark(project, cast.ana, 16)
    work()
    before = background.labelled(project)
    begun, told = [], jobs.Run.progress

    def progress(run, done, total, message=""):
        told(run, done, total, message)
        if run.job.kind == "background" and message == "Training":
            begun.append(done)
            if begun.count(2) == 1 and done == 2:
                Job.objects.create(kind="probe", queue="train")

    monkeypatch.setattr(jobs.Run, "progress", progress)
    job = Job.objects.create(kind="background", queue="train", project=project)
    jobs.execute(job.pk)
    mark(project, cast.ana, 4)
    for each in Job.objects.filter(state=JobState.QUEUED, kind="settle"):
        jobs.execute(each.pk)
    work()
    version = StudentVersion.objects.get(kind="token-finetune")
    assert version.trained_on == before < background.labelled(project)
    assert begun == [0, 1, 2, 2, 3, 4], "no step is taken twice"
    assert not list(students_folder(project.pk).glob(".checkpoint-*"))


@pytest.fixture
def better(cast, project, models, monkeypatch):
    """A project with a fine-tuned tagger that was right about every drawn item, against a head that was
    right about none."""
    Project.objects.filter(pk=project.pk).update(audit_share=0.5)
    project = Project.objects.get(pk=project.pk)
    mark(project, cast.ana, 30)
    work()
    teaching.start_training(project, "token-finetune", small(models))
    work()
    right, wrong = np.ones(60), np.zeros(60)
    draw = np.random.default_rng(0)
    monkeypatch.setattr(
        promoting,
        "paired",
        lambda project, one, other: compare(
            *((right, wrong) if "tune" in one.kind else (wrong, right)), draw
        ),
    )
    monkeypatch.setattr(auditing, "answered", lambda project, part: [(0, [])] * 60)
    return project


def test_it_serves_once_it_wins_and_marks_items_that_come_later(cast, client, better):
    project = better
    version = StudentVersion.objects.get(kind="token-finetune")
    assert promoting.reconsider(running(project)) == version
    made = Promotion.objects.latest("id")
    assert (made.rule, made.took_over, made.figures["wins"]) == ("challenge", True, 60)
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get(reverse("students", args=[project.pk])).content.decode()
    assert "better than the other on 60 items, worse on 0" in page
    work()
    assert all("spans" in pick.suggestion for pick in Pick.objects.filter(project=project))
    make_items(project, [text(number) for number in range(48, 56)])
    wish_encoding(project)
    work()
    pool = students_folder(project.pk) / version.folder / "pool"
    assert read_tagged(pool, read_predictions(pool)).texts == 56
    project.refresh_from_db()
    assert project.current_student == version


def test_two_versions_are_compared_by_the_f1_of_each_drawn_item(cast, project):
    Project.objects.filter(pk=project.pk).update(audit_share=0.5)
    project = Project.objects.get(pk=project.pk)
    mark(project, cast.ana, 30)
    work()
    (version,) = StudentVersion.objects.filter(kind="token-head")
    drawn = auditing.answered(project, "evaluation")
    judged = sheets.between(project, [version], drawn)
    assert judged.known.sum() == len(drawn) >= 5
    assert judged.rights()[0, judged.known[0]].mean() > 0.5
    same = promoting.paired(project, version, version)
    assert (same.n, same.wins, same.losses) == (len(drawn), 0, 0)
