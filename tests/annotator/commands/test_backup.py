"""Backup and restore: into an empty place, with the same exports, and never over anything."""

import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.exports import exporting
from annotator.actions.imports import media
from annotator.actions.instance import backup, upgrading
from annotator.models import Project, Snapshot
from tests.annotator.actions.test_loop import label_some, make_pool, work

ROOT = Path(settings.BASE_DIR)


def run(*words):
    out, err = io.StringIO(), io.StringIO()
    call_command(*map(str, words), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def empty_folders():
    """The tests of this run share a data folder; a backup is to hold this test's files alone."""
    import shutil

    for name in backup.FOLDERS:
        shutil.rmtree(settings.DATA_DIR / name, ignore_errors=True)


@pytest.fixture
def labelled(cast):
    """A project with answers, a student, an image and an export."""
    empty_folders()
    project, truth, _ = make_pool(cast, 30)
    encoding.wish_encoding(project)
    work()
    project.refresh_from_db()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 12)
    media.store_image(project.pk, b"an image", "png")
    exporting.create_snapshot(project, exporting.Options(format="csv"), cast.lea)
    work()
    return project


@pytest.fixture
def elsewhere(tmp_path):
    """An empty installation: a database and a data folder of its own, reached by commands."""
    known = connection.settings_dict
    name = f"restored_{os.getpid()}"
    server = psycopg.connect(
        host=known["HOST"],
        port=known["PORT"] or None,
        user=known["USER"],
        password=known["PASSWORD"] or None,
        dbname="postgres",
        autocommit=True,
    )
    server.execute(f"DROP DATABASE IF EXISTS {name}")
    server.execute(f"CREATE DATABASE {name}")
    url = os.environ["DATABASE_URL"]
    head, _, options = url.partition("?")
    there = head.rsplit("/", 1)[0] + f"/{name}" + (f"?{options}" if options else "")
    data = tmp_path / "restored"

    def command(*words):
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": there, "DATA_DIR": str(data), "DEMO": "0"},
            capture_output=True,
            text=True,
            check=False,
        )

    command.data = data
    yield command
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")
    server.close()


@pytest.mark.django_db(transaction=True)
class TestBackup:
    def test_a_restored_system_is_healthy_and_exports_the_same(self, labelled, tmp_path, elsewhere):
        folder = tmp_path / "monday"
        told, progress = run("backup", folder)
        assert str(folder) in told
        assert "Dumping the database" in progress
        done = elsewhere("restore", folder)
        assert done.returncode == 0, done.stderr
        healthy = elsewhere("doctor", "--deep", "--json")
        assert healthy.returncode == 0, healthy.stdout + healthy.stderr
        names = {json.loads(line)["name"] for line in healthy.stdout.splitlines()}
        assert {"ledger", "students", "snapshots", "matrices"} <= names
        snapshot = Snapshot.objects.get()
        export = elsewhere.data / "snapshots" / snapshot.stored_name
        assert hashlib.sha256(export.read_bytes()).hexdigest() == snapshot.sha256
        for path in backup._files(Path(settings.DATA_DIR)):
            copy = elsewhere.data / path.relative_to(settings.DATA_DIR)
            assert copy.read_bytes() == path.read_bytes(), path
        again = elsewhere("restore", folder)
        assert again.returncode != 0
        assert "empty" in again.stderr
        assert "Traceback" not in again.stderr

    def test_never_overwrites(self, project, tmp_path):
        (tmp_path / "here").mkdir()
        with pytest.raises(CommandError, match="never overwrites"):
            run("backup", tmp_path / "here")
        assert list((tmp_path / "here").iterdir()) == []

    def test_leaves_nothing_half_written(self, project, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(backup, "_dump", full)
        with pytest.raises(CommandError, match="is full"):
            run("backup", tmp_path / "monday")
        assert list(tmp_path.iterdir()) == []

    def test_a_live_installation_is_not_overwritten(self, project, tmp_path):
        empty_folders()
        run("backup", tmp_path / "monday")
        with pytest.raises(CommandError, match="accounts or projects already"):
            run("restore", tmp_path / "monday")
        assert Project.objects.filter(pk=project.pk).exists()

    def test_a_changed_backup_is_refused(self, project, tmp_path):
        folder = tmp_path / "monday"
        run("backup", folder)
        dump = folder / backup.DUMP
        dump.write_bytes(dump.read_bytes() + b"?")
        with pytest.raises(CommandError, match=r"database\.dump is missing or was changed"):
            run("restore", folder)
        with pytest.raises(CommandError, match="is not a backup"):
            run("restore", tmp_path)

    def test_a_manifest_that_points_elsewhere_is_refused(self, project, tmp_path):
        folder = tmp_path / "monday"
        run("backup", folder)
        secret = tmp_path / "secret"
        secret.write_text("x")
        manifest = json.loads((folder / "manifest.json").read_text())
        digest = hashlib.sha256(b"x").hexdigest()
        manifest["files"]["../secret"] = {"sha256": digest, "bytes": 1}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(CommandError, match="outside the backup"):
            run("restore", folder)

    def test_files_that_come_while_it_dumps_are_in_it(self, project, tmp_path, monkeypatch):
        """What is tidied away after the dump, and what is new during it, are both kept."""
        old = Path(settings.DATA_DIR) / "students" / str(project.pk) / "old.safetensors"
        new = old.with_name("new.safetensors")
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_bytes(b"old")
        dump = backup._dump

        def busy(target):
            dump(target)
            old.unlink()
            new.write_bytes(b"new")

        monkeypatch.setattr(backup, "_dump", busy)
        run("backup", tmp_path / "monday")
        kept = tmp_path / "monday" / "files" / "students" / str(project.pk)
        assert {path.name for path in kept.iterdir()} >= {"old.safetensors", "new.safetensors"}
        new.unlink()


@pytest.mark.django_db(transaction=True)
class TestUpgrade:
    def test_has_nothing_to_do_and_backs_nothing_up(self, project, tmp_path):
        told, _ = run("upgrade", "--backup", tmp_path / "before")
        assert "Nothing to do" in told
        assert not (tmp_path / "before").exists()

    def test_backs_up_before_it_migrates(self, project, tmp_path, monkeypatch):
        steps = []
        monkeypatch.setattr(upgrading, "pending", lambda: ["annotator.0099_next"])
        monkeypatch.setattr(upgrading, "call_command", lambda name, **_: steps.append(name))
        told, progress = run("upgrade", "--backup", tmp_path / "before")
        assert "annotator.0099_next" in told
        assert (tmp_path / "before" / "manifest.json").is_file()
        assert progress.index("Backed up") < progress.index("migrations")
        assert steps == ["migrate"]

    def test_starting_a_newer_version_makes_a_backup_first(self, elsewhere):
        """What `make run` does with a data folder of an older version; it lies below that."""
        first = elsewhere("migrate", "annotator", "0001", "--verbosity", "0")
        assert first.returncode == 0, first.stderr
        done = elsewhere("prepare")
        assert done.returncode == 0, done.stderr
        kept = list((elsewhere.data / "backups").glob("before-upgrade-*/manifest.json"))
        assert len(kept) == 1
        assert "Nothing to do" in elsewhere("upgrade").stdout
