"""Imports on bad days: the importer is told what happened, and there is never half an import."""

import errno
import gzip
import io
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone

from annotator import jobs
from annotator.actions.imports import importing, landing, staging, uploads
from annotator.actions.imports.importing import Options
from annotator.actions.imports.media import media_folder
from annotator.actions.projects import projects
from annotator.errors import InvalidError, UnavailableError
from annotator.models import (
    Annotation,
    Annotator,
    BatchState,
    ImportBatch,
    Item,
    Job,
    JobState,
    Label,
)
from tests.annotator.actions.test_importing import CSV, MAPPED, imported, run, texts
from tests.annotator.formats.test_images import packed, picture
from tests.annotator.test_worker import database_url
from tests.factories import make_project

BAD = b"text,label\ngood,Billing\n,Billing\nalso good,Delivery\nbad\0,Login\nunknown,Weather\n"
ROOT = Path(__file__).parents[3]
ROWS = 60_000  # so many that a worker can be killed while it reads them


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    """Give each test a data folder of its own to look into."""
    settings.DATA_DIR = tmp_path


@pytest.fixture
def empty(cast):
    return make_project(cast)


def nothing_of(project):
    """Whether an import left no trace in a project."""
    project.refresh_from_db()
    return not (
        Item.objects.filter(project=project).exists()
        or Annotation.objects.filter(project=project).exists()
        or Annotator.objects.filter(project=project, kind="import").exists()
        or project.item_count
        or Label.objects.filter(project=project).count() != 3
    )


def started(project, data, mapping=None, name="rows.csv", **options):
    return importing.start_import(project, io.BytesIO(data), mapping, Options(**options), name=name)


def lease_runs_out(job):
    """Let the dead worker's lease run out and its job be taken up again."""
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timezone.timedelta(minutes=1))
    return run(job)


@pytest.mark.django_db
class TestFilesThatAreRefused:
    @pytest.mark.parametrize(
        ("data", "told"),
        [
            (b"", "empty"),
            (b"%PDF-1.4", "PDF"),
            (b"PK\x03\x04 broken", "zip"),
            (bytes(range(1, 32)) * 100, "not a text file"),
        ],
    )
    def test_at_once_with_a_sentence(self, empty, data, told):
        with pytest.raises(InvalidError, match=told):
            importing.receive(empty, io.BytesIO(data), name="rows.csv")
        assert not ImportBatch.objects.exists()
        assert not any(uploads.folder().iterdir())

    def test_names_only(self, empty):
        with pytest.raises(InvalidError, match="no rows"):
            started(empty, b"text,label\n")

    def test_a_bomb_when_it_is_read(self, empty):
        data = gzip.compress(b"text\nok\n" + b"0" * 300_000_000, 1)
        batch = imported(empty, data, importing.Mapping(text="text"), bad_rows="skip")
        assert batch.state == BatchState.FAILED
        assert "bomb" in batch.report["refused"]
        assert batch.job.state == JobState.FAILED
        assert batch.job.error == batch.report["refused"]
        assert nothing_of(empty)

    def test_labels_that_are_texts(self, empty):
        rows = "".join(f"text {n},{n} is no label\n" for n in range(10_002))
        batch = imported(empty, f"text,label\n{rows}".encode())
        assert batch.state == BatchState.FAILED
        assert "right column" in batch.report["refused"]
        assert nothing_of(empty)


@pytest.mark.django_db
class TestBadRows:
    def test_wait_for_a_decision_and_import_nothing(self, empty):
        batch = imported(empty, BAD, new_labels="refuse")
        assert batch.state == BatchState.NEEDS_DECISION
        assert batch.job.state == JobState.DONE
        assert [problem[:2] for problem in batch.report["problems"]] == [
            [3, "text"], [5, "text"], [6, "label"],
        ]  # fmt: skip
        assert "Weather" in batch.report["problems"][2][2]
        assert (batch.report["good_rows"], batch.report["bad_rows"]) == (2, 3)
        assert nothing_of(empty)

    def test_are_left_out_when_the_rest_is_wanted(self, empty):
        batch = imported(empty, BAD, new_labels="refuse")
        batch = importing.decide(batch, "rest")
        run(batch.job)
        batch.refresh_from_db()
        assert batch.state == BatchState.DONE
        assert texts(empty) == ["good", "also good"]
        assert batch.report["bad_rows"] == 3

    def test_are_fixed_and_tried_again(self, empty):
        batch = imported(empty, BAD, new_labels="refuse")
        batch = importing.decide(batch, "discard")
        assert batch.state == BatchState.DISCARDED
        assert not (uploads.folder() / batch.stored_name).exists()
        fixed = BAD.replace(b"\n,B", b"\nfixed,B").replace(b"\0", b"").replace(b"Weather", b"Login")
        assert imported(empty, fixed, new_labels="refuse").items_added == 5

    def test_a_line_of_ten_megabytes_costs_one_row(self, empty):
        data = b"text\nshort\n" + b"x" * 10_000_000 + b"\nlast\n"
        batch = imported(empty, data, bad_rows="skip")
        assert texts(empty) == ["short", "last"]
        assert batch.report["problems"][0][0] == 3

    def test_two_labels_where_one_is_asked(self, empty):
        batch = imported(empty, b'{"text":"a","label":["Billing","Login"]}\n', name="a.jsonl")
        assert batch.state == BatchState.NEEDS_DECISION
        assert batch.report["problems"][0][:2] == [1, "label"]

    def test_and_nothing_else(self, empty):
        batch = imported(empty, b"text,label\n,a\n", MAPPED.__class__(text="text"), bad_rows="skip")
        assert batch.state == BatchState.FAILED
        assert "No row" in batch.report["refused"]


@pytest.mark.fault
@pytest.mark.django_db(transaction=True)
class TestKilledWorkers:
    """A worker that dies leaves its job to the sweeper; the next one starts over."""

    class Killed(BaseException):
        """Stands for the end of a process: nothing catches it."""

    def _dies(self, monkeypatch, module, name, *, after=False):
        real = getattr(module, name)

        def dying(*arguments, **options):
            if after:
                real(*arguments, **options)
            raise self.Killed

        monkeypatch.setattr(module, name, dying)
        return lambda: monkeypatch.setattr(module, name, real)

    @pytest.mark.parametrize(
        ("module", "name", "after"),
        [
            (importing, "_read", False),
            (importing, "_read", True),
            (importing, "land", False),
            (landing, "_insert_items", True),
            (landing, "_insert_labels", True),
            (landing, "_follow_up", True),
        ],
    )
    def test_before_the_commit(self, empty, monkeypatch, module, name, after):
        batch = started(empty, CSV, MAPPED)
        revive = self._dies(monkeypatch, module, name, after=after)
        with pytest.raises(self.Killed):
            jobs.execute(batch.job.pk)
        assert nothing_of(empty)
        revive()
        assert lease_runs_out(batch.job).state == JobState.DONE
        assert len(texts(empty)) == 2
        assert Annotation.objects.filter(project=empty).count() == 2

    @pytest.mark.parametrize(("module", "name"), [(uploads, "remove"), (jobs, "finish")])
    def test_after_the_commit(self, empty, monkeypatch, module, name):
        batch = started(empty, CSV, MAPPED)
        revive = self._dies(monkeypatch, module, name)
        with pytest.raises(self.Killed):
            jobs.execute(batch.job.pk)
        revive()
        job = lease_runs_out(batch.job)
        assert (job.state, job.attempt) == (JobState.DONE, 2)
        assert job.result["items"] == 2
        assert len(texts(empty)) == 2

    def test_by_the_system_while_it_reads(self, empty, settings):
        rows = "".join(f"text number {n},Billing\n" for n in range(ROWS))
        batch = started(empty, f"text,label\n{rows}".encode())
        code = (
            "import django; django.setup(); from annotator import jobs; "
            f"jobs.execute({batch.job.pk})"
        )
        data_dir = str(settings.DATA_DIR)
        environment = {**os.environ, "DATABASE_URL": database_url(), "DATA_DIR": data_dir}
        worker = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=ROOT)
        try:
            self._wait_until_it_reads(batch, worker)
        finally:
            worker.kill()
            worker.wait()
        assert worker.returncode == -signal.SIGKILL
        assert nothing_of(empty)
        assert lease_runs_out(batch.job).state == JobState.DONE
        empty.refresh_from_db()
        assert Item.objects.filter(project=empty).count() == empty.item_count == ROWS

    def _wait_until_it_reads(self, batch, worker):
        until = time.monotonic() + 60
        while time.monotonic() < until:
            batch.job.refresh_from_db()
            if 0 < batch.job.done < batch.size_bytes - 1:
                return
            assert worker.poll() is None, "the worker ended before it could be killed"
            time.sleep(0.005)
        pytest.fail("the worker never began to read")

    def test_that_wake_up_again_write_nothing(self, empty, monkeypatch):
        batch = started(empty, CSV, MAPPED)
        real = importing.land

        def taken_over(run_, *arguments):
            Job.objects.filter(pk=run_.job.pk).update(attempt=F("attempt") + 1)
            return real(run_, *arguments)

        monkeypatch.setattr(importing, "land", taken_over)
        jobs.execute(batch.job.pk)
        batch.refresh_from_db()
        assert nothing_of(empty)
        assert batch.state == BatchState.READING  # the other attempt's to change

    def test_whose_job_is_given_up_fail_the_batch(self, empty):
        batch = started(empty, CSV, MAPPED)
        Job.objects.filter(pk=batch.job.pk).update(
            state=JobState.RUNNING,
            attempt=jobs.MAX_ATTEMPTS,
            lease_until=timezone.now() - timezone.timedelta(minutes=1),
        )
        jobs.execute(batch.job.pk)
        importing.mark_stranded()
        batch.refresh_from_db()
        assert batch.state == BatchState.FAILED
        assert "Nothing was imported" in batch.report["refused"]


@pytest.mark.django_db
class TestProjectsThatGo:
    def test_while_the_job_waits(self, empty):
        batch = started(empty, CSV, MAPPED)
        projects.delete_project(empty)
        assert run(batch.job).state == JobState.CANCELLED
        importing.mark_stranded()
        batch.refresh_from_db()
        assert batch.state == BatchState.FAILED
        assert nothing_of(empty)

    def test_while_the_file_is_read(self, empty, monkeypatch):
        batch = started(empty, CSV, MAPPED)
        real = importing.land

        def deleted_first(*arguments):
            projects.delete_project(empty)
            return real(*arguments)

        monkeypatch.setattr(importing, "land", deleted_first)
        assert run(batch.job).state == JobState.CANCELLED
        batch.refresh_from_db()
        assert batch.state == BatchState.FAILED
        assert "deleted" in batch.report["refused"]
        assert nothing_of(empty)


@pytest.mark.django_db
class TestCancel:
    def test_stops_the_reading_and_keeps_the_file(self, empty, monkeypatch):
        rows = "".join(f"text number {n}\n" for n in range(3_000))
        batch = started(empty, f"text\n{rows}".encode())
        real = staging.Stage.add

        def cancelled_by_someone(stage, item):
            if item.row == 10:
                jobs.request_cancel(batch.job)
            return real(stage, item)

        monkeypatch.setattr(staging.Stage, "add", cancelled_by_someone)
        assert run(batch.job).state == JobState.CANCELLED
        assert nothing_of(empty)
        monkeypatch.undo()
        batch.refresh_from_db()
        again = importing.begin(batch, importing.Mapping(text="text"), Options())
        assert run(again.job).state == JobState.DONE
        assert len(texts(empty)) == 3_000

    def test_of_a_discarded_file(self, empty):
        batch = importing.discard(started(empty, CSV, MAPPED))
        assert batch.state == BatchState.DISCARDED
        assert run(batch.job).state == JobState.CANCELLED
        assert nothing_of(empty)


@pytest.mark.django_db
class TestForgottenUploads:
    def _aged(self, batch, days):
        created_at = timezone.now() - timezone.timedelta(days=days)
        ImportBatch.objects.filter(pk=batch.pk).update(created_at=created_at)
        return uploads.folder() / batch.stored_name

    def test_are_let_go_after_a_while(self, empty):
        old = self._aged(importing.receive(empty, io.BytesIO(CSV), name="a.csv"), 15)
        young = self._aged(importing.receive(empty, io.BytesIO(CSV), name="b.csv"), 13)
        assert importing.let_old_uploads_go() == 1
        assert (old.exists(), young.exists()) == (False, True)

    def test_are_kept_while_their_job_waits(self, empty):
        path = self._aged(started(empty, CSV, MAPPED), 15)
        assert importing.let_old_uploads_go() == 0
        assert path.exists()


@contextmanager
def small_disk(size_bytes):
    """Let this process write no file beyond a size, as a full disk does (Python ignores SIGXFSZ)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.django_db
class TestFullDisks:
    def test_of_uploads(self, empty):
        with small_disk(100_000), pytest.raises(UnavailableError, match="full"):
            importing.receive(empty, io.BytesIO(b"text\n" + b"row\n" * 100_000), name="rows.csv")
        assert not any(uploads.folder().iterdir())
        assert not ImportBatch.objects.exists()

    def test_of_images(self, cast):
        project = make_project(cast, item_kind="image", encoder="pixels-pca")
        noise = os.urandom(200 * 200 * 3)
        from PIL import Image

        large = io.BytesIO()
        Image.frombytes("RGB", (200, 200), noise).save(large, "PNG")
        data = packed(a=picture(), b=large.getvalue())
        batch = started(project, data, name="images.zip")
        with small_disk(50_000):
            job = run(batch.job)
        assert job.state == JobState.FAILED
        assert "full" in job.error
        assert nothing_of(project)
        assert list(media_folder(project.pk).iterdir()) == []
        batch.refresh_from_db()
        again = importing.begin(batch, importing.Mapping(image="image"), Options())
        assert run(again.job).state == JobState.DONE
        assert Item.objects.filter(project=project).count() == 2

    def test_of_the_database(self, empty, monkeypatch):
        class DiskFullError(Exception):
            sqlstate = "53100"

        def full(*_):
            raise OperationalError("could not extend file") from DiskFullError()

        batch = started(empty, CSV, MAPPED)
        monkeypatch.setattr(staging, "_copy", full)
        job = run(batch.job)
        assert job.state == JobState.FAILED
        assert "disk of the database is full" in job.error
        assert nothing_of(empty)

    def test_other_trouble_with_files_is_no_full_disk(self):
        with pytest.raises(PermissionError), uploads.sentences_for_full_disks():
            raise PermissionError(errno.EACCES, "no")
