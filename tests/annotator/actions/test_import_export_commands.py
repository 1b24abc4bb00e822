"""The commands `import` and `export`: result on stdout, progress and problems on stderr."""

import io
import json
import zipfile

import pytest
from django.core.management import CommandError, call_command

from annotator.models import BatchState, ImportBatch, Item, JobState
from tests.annotator.actions.test_importing import CSV
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    """Give each test a data folder of its own."""
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def project(cast):
    return make_project(cast)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(CSV)
    return path


def called(*arguments):
    out, err = io.StringIO(), io.StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=err)
    return json.loads(out.getvalue()), err.getvalue()


class TestImport:
    def test_tells_what_was_imported(self, project, file):
        told, progress = called("import", project.pk, file)
        assert (told["items"], told["rows"], told["bad_rows"], told["answers"]) == (2, 2, 0, 2)
        assert "text from “text”" in progress

    def test_takes_the_columns_that_are_named(self, project, file):
        called("import", project.name, file, "--text", "text", "--meta", "id", "--meta", "label")
        item = Item.objects.get(project=project, number=0)
        assert item.meta == {"id": "1", "label": "Billing"}

    def test_imports_nothing_when_rows_are_bad(self, project, tmp_path):
        path = tmp_path / "bad.csv"
        path.write_bytes(b"text,label\nfine,Billing\n,Billing\n")
        with pytest.raises(CommandError, match="skip-bad-rows"):
            called("import", project.pk, path)
        assert not Item.objects.exists()
        assert ImportBatch.objects.get().state == BatchState.DISCARDED
        told, problems = called("import", project.pk, path, "--skip-bad-rows")
        assert (told["items"], told["bad_rows"]) == (1, 1)
        assert "row 3, column text" in problems

    @pytest.mark.parametrize(
        ("name", "content", "told"),
        [
            ("empty.csv", b"", "empty"),
            ("paper.pdf", b"%PDF-1.7", "PDF"),
            ("missing.csv", None, "No such"),
        ],
    )
    def test_refuses_with_a_sentence(self, project, tmp_path, name, content, told):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CommandError, match=told):
            called("import", project.pk, path)

    def test_fails_when_the_job_does(self, project, tmp_path):
        path = tmp_path / "blank.csv"
        path.write_bytes(b"text,label\n,a\n")
        with pytest.raises(CommandError, match="No row"):
            called("import", project.pk, path, "--text", "text", "--skip-bad-rows")
        assert ImportBatch.objects.get().job.state == JobState.FAILED


class TestExport:
    def test_writes_a_zip_and_tells_its_hash(self, project, file, tmp_path):
        import hashlib

        called("import", project.pk, file)
        target = tmp_path / "out.zip"
        told, _ = called("export", project.pk, target, "--annotations", "--splits", "0.5,0.25,0.25")
        assert told["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
        assert told["counts"] == {"decided": 2}
        names = zipfile.ZipFile(target).namelist()
        assert names == [
            "manifest.json", "train.jsonl", "validation.jsonl", "test.jsonl", "annotations.jsonl",
        ]  # fmt: skip

    def test_writes_a_single_file(self, project, file, tmp_path):
        called("import", project.pk, file)
        target = tmp_path / "out.csv"
        called("export", project.pk, target, "--format", "csv", "--single-file", "--no-soft")
        assert target.read_text().splitlines()[0].startswith("id,number,text,label,state")

    @pytest.mark.parametrize("splits", ["half", "0.5,0.1,0.1", "0.25,0.25,0.25,0.25"])
    def test_refuses_splits_that_make_no_sense(self, project, tmp_path, splits):
        with pytest.raises(CommandError, match=r"[Ss]plits"):
            called("export", project.pk, tmp_path / "out.zip", "--splits", splits)

    def test_leaves_nothing_half_written(self, project, file, tmp_path):
        called("import", project.pk, file)
        with pytest.raises(CommandError, match="No such file"):
            called("export", project.pk, tmp_path / "missing" / "out.zip")
        assert not list(tmp_path.glob("*.part"))
