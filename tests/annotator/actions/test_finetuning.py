"""Fine-tuning as a job: what a worker that dies leaves behind, and what a refusal does."""

import pytest
from django.db import transaction

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.encoders.encoding import students_folder
from annotator.models import Job, JobState, StudentVersion
from learning.students import finetune
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.contracts.conftest import models

__all__ = ["models"]


@pytest.fixture
def pool(cast):
    """A project that has learnt from a dozen answers, a function that adds one, and its folder."""
    project, truth, _ = make_pool(cast, 30, audit_share=0.0)
    encoding.wish_encoding(project)
    work()
    ana = assigning.voice_of(project, cast.ana)

    def answer(count):
        label_some(project, ana, truth, count)
        work()

    answer(12)
    return project, answer, students_folder(project.pk)


def begin(project, models, kind="finetune", **params):
    params = {
        "model": str(models / "text"),
        "epochs": 2,
        "batch": 4,
        "checkpoint_steps": 1,
        **params,
    }
    with transaction.atomic():
        return jobs.enqueue("finetune", project=project, params={"kind": kind, "student": params})


def dies_at(step):
    def progress(run, done, total, message=""):
        if done == step:
            raise jobs.FencedError("Another worker took this job over.")

    return progress


@pytest.mark.django_db(transaction=True)
class TestFinetuning:
    def test_answers_after_a_worker_died_begin_the_fit_anew(self, pool, models, monkeypatch):
        project, answer, folder = pool
        job = begin(project, models)
        with monkeypatch.context() as patch:
            patch.setattr(jobs.Run, "progress", dies_at(3))
            jobs.execute(job.pk)
        assert [path.name for path in folder.glob(".checkpoint-*/state-*")] == [
            "state-3.safetensors"
        ]
        Job.objects.filter(pk=job.pk).update(state=JobState.DONE)
        answer(1)
        Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.DONE, job.error
        version = StudentVersion.objects.get(kind="finetune")
        assert version.trained_on == 13
        assert len(version.by_epoch) == 2
        assert all(0 <= share <= 1 for share in version.by_epoch)
        assert not list(folder.glob(".checkpoint-*"))

    def test_one_that_compares_texts_with_what_labels_are_called_has_a_training_curve_too(
        self, pool, models
    ):
        project, _, _ = pool
        job = begin(project, models, "contrastive")
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.DONE, job.error
        shares = StudentVersion.objects.get(kind="contrastive").by_epoch
        assert len(shares) == 2
        assert all(0 < share <= 1 for share in shares)

    def test_a_worker_that_dies_while_it_predicts_leaves_a_finished_fit(
        self, pool, models, monkeypatch
    ):
        project, _, folder = pool
        job = begin(project, models, checkpoint_steps=1_000)
        steps: list[tuple[int, int]] = []

        def progress(run, done, total, message=""):
            if message == "Training":
                steps.append((done, total))
            if message == "Predicting" and run.job.attempt == 1:
                raise jobs.FencedError("Another worker took this job over.")

        monkeypatch.setattr(jobs.Run, "progress", progress)
        jobs.execute(job.pk)
        last = max(steps)
        assert len({done for done, _ in steps}) == last[1] + 1
        assert not StudentVersion.objects.filter(kind="finetune").exists()
        steps.clear()
        Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempt) == (JobState.DONE, 2), job.error
        assert {done for done, _ in steps} == {0, last[1]}, "no step is taken a second time"
        assert StudentVersion.objects.filter(kind="finetune").count() == 1
        assert not list(folder.glob(".checkpoint-*"))

    def test_a_fit_that_breaks_down_leaves_a_sentence_and_no_student(
        self, pool, models, monkeypatch
    ):
        monkeypatch.setattr(finetune, "refuse_outside", lambda _: None)  # rates nobody may choose
        project, _, folder = pool
        before = sorted(path.name for path in folder.iterdir())
        job = begin(project, models, learning_rate=1e30, head_rate=1e30)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert job.state == JobState.FAILED
        assert "lower learning rates" in job.error
        assert not StudentVersion.objects.filter(kind="finetune").exists()
        assert sorted(path.name for path in folder.iterdir()) == before
