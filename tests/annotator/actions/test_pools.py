"""What the student that serves says of the pool: of later items too, and again where that was removed."""

import shutil

import pytest

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.students import pools, promoting, teaching, version_files
from annotator.actions.teachers import local_models
from annotator.models import Encoding, Pick, StudentVersion
from learning.students.predictions import read_predictions
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.contracts.conftest import models
from tests.factories import make_items

__all__ = ["models"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def labelled(cast):
    """A project whose head learned from a dozen answers, and what is true of its items."""
    project, truth, _ = make_pool(cast, 30, audit_share=0)
    encoding.wish_encoding(project)
    label_some(project, assigning.voice_of(project, cast.ana), truth, 12)
    work()
    return project, truth


def said(version):
    return read_predictions(version_files.folder_of(version) / "pool")


def test_a_student_of_texts_reads_later_items_in_a_job_of_the_queue_that_trains(labelled, models):
    project, _ = labelled
    mine = shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    teaching.start_training(project, "finetune", {"model": str(mine), "epochs": 1, "batch": 4})
    work()
    tuned = StudentVersion.objects.get(kind="finetune")
    promoting.promote(project, tuned)
    work()
    make_items(project, [f"later {n}" for n in range(6)], seed=2)
    encoding.wish_encoding(project)
    done = work()
    assert done.index("pool") > done.index("train")
    assert "refill" in done[done.index("pool") :], "the queue follows what it says of them"
    assert said(tuned).rows == 36
    assert "pool" not in work()


def test_a_former_student_says_anew_what_was_removed_when_one_returns_to_it(labelled, cast):
    project, truth = labelled
    first = StudentVersion.objects.get()
    before = said(first).row(3).tolist()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 6)
    work()
    shutil.rmtree(version_files.folder_of(first) / "pool")
    assert not pools.is_whole(first)
    promoting.promote(project, first)
    Pick.objects.all().delete()
    assert work()[0] == "refill"
    assert pools.is_whole(first)
    assert said(first).row(3).tolist() == before
    assert Pick.objects.filter(suggestion__0__isnull=False).exists(), "and the queue follows it"


def test_a_student_of_other_vectors_reads_none_of_these(labelled):
    project, _ = labelled
    first = StudentVersion.objects.get()
    shutil.rmtree(version_files.folder_of(first) / "pool")
    former = {"fingerprint": "former", "params": {"name": "former"}, "dimensions": 384, "rows": 30}
    old = Encoding.objects.create(project=project, encoder="minilm", **former)
    StudentVersion.objects.update(encoding=old)
    pools.wish(project)
    work()
    assert not pools.is_whole(first)


def test_what_reads_texts_and_was_removed_is_read_before_the_queue_follows(labelled, models):
    project, _ = labelled
    mine = shutil.copytree(models / "text", local_models.folder() / "text", dirs_exist_ok=True)
    teaching.start_training(project, "finetune", {"model": str(mine), "epochs": 1, "batch": 4})
    work()
    tuned = StudentVersion.objects.get(kind="finetune")
    shutil.rmtree(version_files.folder_of(tuned) / "pool")
    kept = set(Pick.objects.values_list("pk", flat=True))
    promoting.promote(project, tuned)
    done = work()
    assert done[:3] == ["refill", "estimate", "pool"]
    assert said(tuned).rows == 30
    assert not kept & set(Pick.objects.values_list("pk", flat=True)), "chosen by its word now"
