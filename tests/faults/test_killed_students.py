"""SIGKILL while a student is made and published: one version or none, no files without one, and the queue serves."""

import shutil
import time
from pathlib import Path

import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.students import conforming, origins, promoting, version_files
from annotator.models import AuditSheet, Job, Pick, Project, StudentVersion
from learning import students
from learning.storage import sha256_of
from tests.annotator.actions.test_finetuning import begin
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.contracts.conftest import models
from tests.faults.test_killed_jobs import PATIENCE_SECONDS, killed_while_working

__all__ = ["models"]

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]


def predicting(reached):
    """Hold where it has said something of the pool, and not yet all of it is written."""
    report = jobs.Run.progress

    def held(run, done, total, message=""):
        report(run, done, total, message)
        if message == "Predicting" and done:
            hold(reached)

    return jobs.Run, "progress", held


def before(place, name):
    return lambda reached: (place, name, lambda *_, **__: hold(reached))


def removing(reached):
    """Hold where one file of an old version is gone, and the others are still there."""
    remove = shutil.rmtree

    def held(path, **how):
        if not Path(path).name.startswith("finetune"):
            return remove(path, **how)
        next(each for each in Path(path).rglob("*") if each.is_file()).unlink()
        return hold(reached)

    return shutil, "rmtree", held


def hold(reached):
    reached.touch()
    time.sleep(PATIENCE_SECONDS)


# At each: how the worker is held there, and whether the version is there already.
MOMENTS = {
    "it predicts": (predicting, False),
    "its files are written and its row is not": (before(origins, "note"), False),
    "its row is written and nothing decided": (before(promoting, "decide"), False),
    "it is published and nothing follows yet": (before(conforming, "calibrate"), True),
    "the files of an older one are removed": (removing, True),
}


def test_a_worker_killed_while_a_student_is_published_leaves_one_or_none(
    cast, models, monkeypatch, tmp_path
):
    project, truth, _ = make_pool(cast, 60, audit_share=0.0)
    encoding.wish_encoding(project)
    work()
    voice = assigning.voice_of(project, cast.ana)
    label_some(project, voice, truth, 12)
    work()
    jobs.execute(begin(project, models).pk)
    monkeypatch.setattr(version_files, "KEPT_OTHERS", 1)
    for count, (moment, (held, is_there)) in enumerate(MOMENTS.items(), start=1):
        label_some(project, voice, truth, 2)
        work()
        job = begin(project, models)
        with monkeypatch.context() as patch:
            patch.setattr(*held(tmp_path / str(count)))
            killed_while_working(job.pk, (tmp_path / str(count)).exists)
        assert tuned().count() == count + is_there, moment
        assert_all_is_whole(project)
        jobs.execute(job.pk)
        job.refresh_from_db()
        assert (job.state, job.error, job.attempt) == ("done", "", 2), moment
        assert tuned().count() == count + 1, moment
        assert tuned().exclude(folder="").count() == 1, "of the older ones only the rows stay"
        assert_all_is_whole(project)
        named = set(StudentVersion.objects.exclude(folder="").values_list("folder", flat=True))
        assert named == {each.name for each in students_folder(project.pk).iterdir()}, moment
        work()
        assert not Job.objects.filter(state__in=("queued", "running")).exists()
        assert Pick.objects.filter(project=project).exists(), moment


def tuned():
    return StudentVersion.objects.filter(kind="finetune")


def assert_all_is_whole(project):
    """Every version that names files has them, and was measured; one serves."""
    versions = StudentVersion.objects.filter(project=project)
    for version in versions.exclude(folder=""):
        folder = version_files.folder_of(version)
        students.load(folder)
        assert version.digest == sha256_of(folder / "manifest.json")
    assert AuditSheet.objects.count() == versions.count()
    assert Project.objects.get(pk=project.pk).current_student.folder
