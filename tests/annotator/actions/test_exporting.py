"""Snapshots: what is in them, that they never change, and what a bad day leaves of them."""

import csv
import hashlib
import io
import json
import resource
import zipfile
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.db.models import F
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options, create_snapshot
from annotator.actions.imports import undoing
from annotator.actions.projects import projects, schema
from annotator.actions.verdicts import settling
from annotator.errors import InvalidError, NotFoundError
from annotator.formats import FORMATS
from annotator.models import Annotation, Item, Job, JobState, Snapshot, SnapshotState
from tests.annotator.actions.test_importing import CSV, MAPPED, imported, run
from tests.annotator.formats.test_images import packed, picture
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    """Give each test a data folder of its own to look into."""
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(cast):
    made = make_project(cast, audit_share=0.5)
    imported(made, CSV + b"3,No label yet,,web\n", MAPPED)
    made.refresh_from_db()
    return made


def taken(project, **options):
    """Take a snapshot and do its job."""
    snapshot = create_snapshot(project, Options.from_json(options))
    run(snapshot.job)
    snapshot.refresh_from_db()
    assert snapshot.state == SnapshotState.READY, snapshot.job.error
    return snapshot


def opened(snapshot):
    return zipfile.ZipFile(io.BytesIO(exporting.path_of(snapshot).read_bytes()))


def rows_of(snapshot, name="items.jsonl"):
    format = name.rpartition(".")[2]
    with opened(snapshot) as archive:
        stream = io.BytesIO(archive.read(name))
    return [record.fields for record in FORMATS[format]().read(stream)]


def answer(project, user, name, *, item=None):
    """Answer leased items until one (or the given one) is answered."""
    voice = assigning.voice_of(project, user)
    label = project.labels.get(name=name)
    while True:
        [lease] = assigning.lease(project, voice, 1)
        said = labeling.submit(
            project, voice, uuid=uuid4(), assignment_id=lease.pk, labels=[label.pk], seconds=2.5
        )
        if item is None or lease.item_id == item.pk:
            return said


class TestVerdicts:
    def test_hold_everything_of_an_item(self, project):
        first, second, third = rows_of(taken(project))
        assert first == {
            "id": "1",
            "number": 0,
            "text": "My card was charged twice",
            "label": "Billing",
            "state": "decided",
            "source": "consensus",
            "voices": 1,
            "outcome": None,
            "soft": {"Billing": 1.0},
            "part": "",
            "streams": ["import"],
            "content_hash": Item.objects.get(project=project, number=0).content_hash.hex(),
            "meta": {"source": "mail"},
        }
        assert second["label"] == "Delivery"
        assert (third["label"], third["state"], third["soft"], third["voices"]) == (
            None, "unlabelled", None, 0,
        )  # fmt: skip

    def test_agree_with_the_verdicts_on_the_screens(self, project, cast):
        project.overlap = 2
        project.save()
        for name in ("Login", "Billing", "Delivery"):
            answer(project, cast.ana, name)
        answer(project, cast.ben, "Login")
        settling.settle_now(project)
        names = dict(project.labels.values_list("pk", "name"))
        shown = {
            verdict.item.number: (
                verdict.state,
                [names[pk] for pk in verdict.labels],
                verdict.voices,
            )
            for verdict in project.verdicts.select_related("item")
        }
        for row in rows_of(taken(project)):
            state, labels, voices = shown[row["number"]]
            assert (row["state"], row["voices"]) == (state, voices)
            assert row["label"] == (labels[0] if state == "decided" else None)

    def test_mark_the_audit_parts(self, project, cast):
        for _ in range(2):
            answer(project, cast.ana, "Login")
        audited = [row for row in rows_of(taken(project)) if "audit" in row["streams"]]
        assert audited
        assert all(row["part"] in {"evaluation", "calibration", "seed"} for row in audited)

    def test_of_several_labels(self, cast):
        project = make_project(cast, task_type="multi")
        imported(project, b"text,labels\na,Billing|Login\nb,Billing\nc,Login\nd,\n")
        rows = rows_of(taken(project))
        assert [row["labels"] for row in rows] == [
            ["Billing", "Login"],
            ["Billing"],
            ["Login"],
            None,
        ]

    def test_of_two_texts(self, cast):
        project = make_project(cast, item_kind="pair")
        imported(project, b"premise,hypothesis\na,b\n")
        [row] = rows_of(taken(project))
        assert (row["text"], row["text_b"]) == ("a", "b")

    def test_only_the_decided_when_asked(self, project):
        snapshot = taken(project, only_decided=True)
        assert [row["number"] for row in rows_of(snapshot)] == [0, 1]

    def test_leave_out_what_was_not_asked_for(self, project):
        row = rows_of(taken(project, soft=False, streams=False))[0]
        assert not {"soft", "part", "streams", "split"} & set(row)

    def test_of_a_project_without_items(self, cast):
        assert rows_of(taken(make_project(cast))) == []

    def test_leave_out_what_was_undone(self, project):
        batch = imported(project, b"text\nA mistake\n")
        run(undoing.undo_import(batch))
        assert len(rows_of(taken(project))) == 3

    def test_an_archived_label_and_its_successor_of_the_same_name(self, project):
        schema.archive_label(project.labels.get(name="Billing"))
        schema.add_label(project, "Billing")
        assert rows_of(taken(project))[0]["label"] == "Billing (billing)"


class TestAnnotations:
    def test_are_all_there_in_the_order_of_the_ledger(self, project, cast):
        said = answer(project, cast.ana, "Login")
        revising.retract(
            project, assigning.voice_of(project, cast.ana), uuid=uuid4(), annotation_uuid=said.uuid
        )
        rows = rows_of(taken(project, contents=["annotations"]), "annotations.jsonl")
        assert [row["position"] for row in rows] == [1, 2, 3, 4]
        imported_, answered, retracted = rows[0], rows[2], rows[3]
        assert (imported_["annotator_kind"], imported_["stream"], imported_["label"]) == (
            "import", "import", "Billing",
        )  # fmt: skip
        assert (answered["annotator"], answered["kind"], answered["standing"]) == (
            "ana", "answer", False,
        )  # fmt: skip
        assert answered["seconds"] == 2.5
        assert (retracted["kind"], retracted["previous"]) == ("retraction", str(said.uuid))

    def test_stand_beside_the_verdicts(self, project):
        snapshot = taken(project, contents=["verdicts", "annotations"])
        assert [file["name"] for file in snapshot.manifest["files"]] == [
            "items.jsonl", "annotations.jsonl",
        ]  # fmt: skip


class TestFormats:
    def test_csv_is_safe_in_a_spreadsheet_and_says_so(self, cast):
        project = make_project(cast)
        imported(project, b'text,id\n"=HYPERLINK(""http://x"")",+1\n')
        snapshot = taken(project, format="csv")
        [row] = csv.DictReader(io.StringIO(opened(snapshot).read("items.csv").decode()))
        assert row["text"].startswith("'=HYPERLINK")
        assert row["id"] == "'+1"
        assert snapshot.manifest["formula_safe"] is True
        plain = taken(project, format="csv", formula_safe=False)
        [row] = csv.DictReader(io.StringIO(opened(plain).read("items.csv").decode()))
        assert row["text"].startswith("=HYPERLINK")
        assert plain.manifest["formula_safe"] is False

    def test_parquet(self, project):
        rows = rows_of(taken(project, format="parquet"), "items.parquet")
        assert rows[0]["label"] == "Billing"
        assert json.loads(rows[0]["soft"]) == {"Billing": 1.0}
        assert rows[0]["streams"] == ["import"]

    def test_a_single_file(self, project):
        snapshot = taken(project, pack="file", format="csv")
        assert exporting.path_of(snapshot).read_bytes().startswith(b"id,number,text,label")
        assert exporting.download_name(snapshot).endswith(".csv")

    def test_images_travel_with_their_items(self, cast):
        project = make_project(cast, item_kind="image", labels=(), encoder="pixels-pca")
        imported(project, packed(a=picture(), b=picture(colour=(0, 9, 0))), name="x.zip")
        snapshot = taken(project, images=True)
        names = {row["image"] for row in rows_of(snapshot)}
        assert {f"images/{name}" for name in names} <= set(opened(snapshot).namelist())
        assert snapshot.manifest["images"] == 2
        run(undoing.undo_import(project.batches.get()))
        assert taken(project, images=True).manifest["images"] == 0
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256

    def test_what_goes_out_comes_in_again(self, project, cast):
        snapshot = taken(project, pack="file")
        again = make_project(cast, name="Again")
        imported(again, exporting.path_of(snapshot).read_bytes(), name="items.jsonl")
        ours, theirs = (
            Item.objects.filter(project=one).order_by("number").values_list("text", "external_id")
            for one in (project, again)
        )
        assert list(ours) == list(theirs)
        assert Annotation.objects.filter(project=again).count() == 2


class TestSplits:
    SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}

    @pytest.fixture
    def many(self, cast):
        project = make_project(cast)
        rows = "".join(f"text {n % 300}\n" for n in range(400))
        imported(project, f"text\n{rows}".encode(), duplicates="keep")
        return project

    def test_never_part_equal_contents(self, many):
        snapshot = taken(many, splits=self.SHARES)
        where = {}
        for split in self.SHARES:
            for row in rows_of(snapshot, f"{split}.jsonl"):
                assert row["split"] == split
                where.setdefault(row["content_hash"], set()).add(split)
        assert len(where) == 300
        assert all(len(splits) == 1 for splits in where.values())

    def test_come_near_their_shares_and_hold_everything(self, many):
        counts = taken(many, splits=self.SHARES).manifest["counts"]["by_split"]
        assert sum(counts.values()) == 400
        assert 0.45 < counts["train"] / 400 < 0.75

    def test_stay_when_items_are_added(self, many):
        before = taken(many, splits=self.SHARES)
        imported(many, b"text\nA new one\n")
        after = taken(many, splits=self.SHARES)
        for split in self.SHARES:
            old = {row["number"] for row in rows_of(before, f"{split}.jsonl")}
            assert old <= {row["number"] for row in rows_of(after, f"{split}.jsonl")}

    def test_depend_on_the_seed(self, many):
        one, two = (taken(many, splits=self.SHARES, split_seed=seed) for seed in "ab")
        assert rows_of(one, "test.jsonl") != rows_of(two, "test.jsonl")


class TestSameBytes:
    @pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
    def test_whatever_happens_afterwards(self, project, cast, format):
        options = {"contents": ["verdicts", "annotations"], "format": format}
        snapshot = taken(project, **options)
        answer(project, cast.ana, "Login")
        schema.change_label(
            project.labels.get(name="Billing"), name="Money", description="", hotkey=""
        )
        schema.add_label(project, "Another")
        cast.ana.username = "renamed"
        cast.ana.save()
        project.annotators.update(name=F("id"), weight=0.9)
        imported(project, b"text,label\nMore,Login\n")
        run(undoing.undo_import(imported(project, b"text\nGone\n")))
        project.consensus = "majority"
        project.save()
        settling.settle_now(project)
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        later = taken(project, **options)
        assert later.sha256 != snapshot.sha256

    def test_an_undo_afterwards_takes_nothing_back(self, cast):
        project = make_project(cast)
        batch = imported(project, CSV, MAPPED)
        snapshot = taken(project)
        run(undoing.undo_import(batch))
        settling.settle_now(project)
        assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
        assert len(rows_of(snapshot)) == 2
        assert rows_of(taken(project)) == []

    def test_the_zip_tells_no_time(self, project):
        with opened(taken(project)) as archive:
            assert {member.date_time for member in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
            assert archive.testzip() is None


class TestManifest:
    def test_tells_position_counts_and_hashes(self, project):
        snapshot = taken(project)
        with opened(snapshot) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            data = archive.read("items.jsonl")
        assert manifest == snapshot.manifest
        [file] = manifest["files"]
        assert (file["rows"], file["bytes"]) == (3, len(data))
        assert file["sha256"] == hashlib.sha256(data).hexdigest()
        assert manifest["ledger"]["position"] == 2
        assert len(manifest["ledger"]["digest"]) == 64
        assert manifest["counts"]["by_label"] == {"Billing": 1, "Delivery": 1}
        assert manifest["counts"]["by_state"] == {"decided": 2, "unlabelled": 1}
        assert manifest["made_by"].startswith("Concord ")
        assert manifest["schema_version"] == exporting.SCHEMA_VERSION

    def test_the_row_knows_the_file(self, project):
        snapshot = taken(project)
        data = exporting.path_of(snapshot).read_bytes()
        assert snapshot.sha256 == hashlib.sha256(data).hexdigest()
        assert snapshot.size_bytes == len(data)


class TestChoices:
    @pytest.mark.parametrize(
        "values",
        [
            {"format": "xlsx"},
            {"contents": []},
            {"contents": ["passwords"]},
            {"splits": {"train": 0.5}},
            {"splits": {"train": 1.5, "test": -0.5}},
            {"splits": {"practice": 1.0}},
            {"pack": "file", "contents": ["verdicts", "annotations"]},
            {"pack": "tar"},
            {"colour": "blue"},
        ],
    )
    def test_that_make_no_sense_are_refused(self, values):
        with pytest.raises(InvalidError):
            Options.from_json(values)

    def test_images_of_a_project_of_texts(self, project):
        with pytest.raises(InvalidError):
            create_snapshot(project, Options(images=True))

    def test_nothing_is_there_before_it_is_ready(self, project):
        with pytest.raises(NotFoundError):
            exporting.path_of(create_snapshot(project))


@contextmanager
def small_disk(size_bytes):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class TestBadDays:
    class Killed(BaseException):
        """Stands for the end of a process: nothing catches it."""

    def _files(self):
        return sorted(path.name for path in exporting.folder().glob("*"))

    @pytest.mark.parametrize(
        ("module", "name"),
        [
            (settling, "settle_now"),
            (exporting, "_build"),
            (exporting, "_manifest"),
            (exporting, "pack"),
            (exporting, "_sync"),
            (jobs, "finish"),
        ],
    )
    def test_a_killed_worker_is_followed_by_one_that_writes_the_same(
        self, project, monkeypatch, module, name
    ):
        wanted = taken(project)
        real = getattr(module, name)

        def dying(*arguments, **options):
            real(*arguments, **options)
            raise self.Killed

        snapshot = create_snapshot(project)
        monkeypatch.setattr(module, name, dying)
        with pytest.raises(self.Killed):
            jobs.execute(snapshot.job.pk)
        monkeypatch.undo()
        Job.objects.filter(pk=snapshot.job.pk).update(
            lease_until=timezone.now() - timezone.timedelta(minutes=1)
        )
        assert run(snapshot.job).state == JobState.DONE
        snapshot.refresh_from_db()
        assert rows_of(snapshot) == rows_of(wanted)
        assert self._files() == sorted([wanted.stored_name, snapshot.stored_name])

    def test_a_full_disk(self, project):
        imported(project, b"text\n" + b"".join(b"text %d\n" % n for n in range(3_000)))
        snapshot = create_snapshot(project)
        with small_disk(100_000):
            job = run(snapshot.job)
        snapshot.refresh_from_db()
        assert (job.state, snapshot.state) == (JobState.FAILED, SnapshotState.FAILED)
        assert "full" in job.error
        assert self._files() == []
        assert taken(project).size_bytes > 100_000

    def test_a_project_deleted_under_the_job(self, project, monkeypatch):
        snapshot = create_snapshot(project)
        real = exporting._freeze

        def deleted_first(run_, snapshot_):
            real(run_, snapshot_)
            projects.delete_project(project)

        monkeypatch.setattr(exporting, "_freeze", deleted_first)
        assert run(snapshot.job).state == JobState.CANCELLED
        snapshot.refresh_from_db()
        assert snapshot.state == SnapshotState.FAILED
        assert self._files() == []

    def test_a_project_deleted_before_the_job(self, project):
        snapshot = create_snapshot(project)
        projects.delete_project(project)
        assert run(snapshot.job).state == JobState.CANCELLED
        exporting.mark_stranded()
        snapshot.refresh_from_db()
        assert snapshot.state == SnapshotState.FAILED

    def test_a_worker_that_lost_its_job_publishes_nothing(self, project, monkeypatch):
        snapshot = create_snapshot(project)
        real = exporting._build

        def taken_over(*arguments):
            built = real(*arguments)
            Job.objects.filter(pk=snapshot.job.pk).update(attempt=F("attempt") + 1)
            return built

        monkeypatch.setattr(exporting, "_build", taken_over)
        jobs.execute(snapshot.job.pk)
        snapshot.refresh_from_db()
        assert snapshot.state == SnapshotState.WRITING
        assert self._files() == []

    def test_every_snapshot_is_of_its_own_project(self, project, cast):
        other = make_project(cast, name="Other")
        imported(other, b"text\nForeign\n")
        texts = [row["text"] for row in rows_of(taken(project))]
        assert "Foreign" not in texts
        assert Snapshot.objects.for_user(cast.cleo).count() == 0
