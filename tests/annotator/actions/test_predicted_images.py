"""A zip of images is labelled as a table of texts is: whole, in pieces, and with what was wrong told by name."""

import csv
import io
import json
import zipfile

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.utils import timezone
from PIL import Image

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.actions.students import predicted_rows, predicting, predictions
from annotator.errors import InvalidError
from annotator.formats import images as image_files
from annotator.models import Job, PredictedFile
from learning.students import load
from tests.annotator.actions.test_image_students import (
    make_photos,
    photos,  # noqa: F401 - a fixture
    students_folder,
    tune,
)
from tests.annotator.actions.test_leaving import taught  # noqa: F401 - a fixture
from tests.annotator.actions.test_loop import WORDS
from tests.annotator.pages import Client
from tests.contracts.plugins import three_colours

pytestmark = pytest.mark.django_db(transaction=True)

FILES = three_colours(12, seed=9)[0]
RIGHT = [list(WORDS)[number % 3] for number in range(12)]


def packed(files=FILES, **others):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number, content in enumerate(files):
            archive.writestr(f"in/{number:02d}.png", content)
        for name, content in others.items():
            archive.writestr(name.replace("__", "."), content)
    return out.getvalue()


def begin(project, content=None, name="mine.zip", version=None, **wish):
    wish = predictions.Wish(**wish)
    file = io.BytesIO(packed() if content is None else content)
    return predictions.create(project, file, wish, name=name, version=version)


def finish(made):
    jobs.execute(made.job_id)
    made.refresh_from_db()
    assert made.state == "done", made.error
    return predictions.path_of(made)


def table(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


@pytest.mark.parametrize("kind", ["head", "image-finetune"])
def test_every_image_comes_back_with_its_name_and_what_the_student_says(photos, kind):  # noqa: F811
    project, _ = photos
    version = project.current_student if kind == "head" else tune(project)
    made = begin(project, version=version, soft=True)
    rows = table(finish(made))
    assert list(rows[0]) == [
        *("image", "name", "folder", "predicted_label", "predicted_probability", "predicted_soft"),
    ]
    assert [row["image"] for row in rows] == [f"in/{number:02d}.png" for number in range(12)]
    assert [row["predicted_label"] for row in rows] == RIGHT
    assert sum(json.loads(rows[0]["predicted_soft"]).values()) == pytest.approx(1, abs=1e-4)
    if kind != "head":
        said = load(students_folder(project.pk) / version.folder).predict(FILES).max(axis=1)
        told = [float(row["predicted_probability"]) for row in rows]
        np.testing.assert_allclose(told, said, atol=1e-5)
    assert (made.rows, made.report["unreadable"], made.settings["reader"]) == (12, 0, "images")
    assert not predictions.parts_of(made).exists()
    assert not (uploads.folder() / made.stored_name).exists()


def test_several_labels_are_a_list_for_each_image(cast):
    project, _ = make_photos(cast, task_type="multi")
    path = finish(begin(project, format="jsonl", soft=True))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [max(row["predicted_soft"], key=row["predicted_soft"].get) for row in rows] == RIGHT
    assert all(isinstance(row["predicted_labels"], list) for row in rows)


def test_grades_are_given_to_images_too(cast):
    project, _ = make_photos(cast, task_type="rating")
    assert [row["predicted_label"] for row in table(finish(begin(project)))] == RIGHT


def test_files_that_are_no_images_are_named_and_the_others_labelled(photos, cast):  # noqa: F811
    project, _ = photos
    bomb = io.BytesIO()
    Image.new("L", (9000, 9000)).save(bomb, "PNG")
    others = {
        "table__png": b"id,text\n1,a\n",
        "cut__png": FILES[0][:200],
        "bomb__png": bomb.getvalue(),
    }
    made = begin(project, packed(FILES[:3], **others))
    assert len(table(finish(made))) == 3
    assert (made.rows, made.report["unreadable"]) == (3, 3)
    told = " ".join(message for _, _, message in made.report["problems"])
    assert "table.png: This is no image" in told
    assert "cut.png: The image is damaged or cut short." in told
    assert "bomb.png: The image has 9,000 × 9,000 pixels" in told
    lea = Client()
    lea.force_login(cast.lea)
    page = lea.get(f"/projects/{project.pk}/students/files").content.decode()
    assert "3 images" in page
    assert "3 files could not be read and are left out:" in page
    assert "cut.png: The image is damaged" in page
    assert "text from" not in page


def test_what_is_no_zip_of_images_is_refused_with_a_sentence(photos, taught):  # noqa: F811
    project, _ = photos
    for content, name, told in [
        (
            b"id,text\n1,a\n",
            "t.csv",
            "images: choose a zip of images. The file is no zip of images",
        ),
        (FILES[0], "a.png", "single image; put images into a zip file"),
        (packed([]), "empty.zip", "The zip file is empty|has no rows|holds"),
        (packed()[:300], "cut.zip", "damaged or cut short"),
    ]:
        with pytest.raises(InvalidError, match=told):
            begin(project, content, name)
    with pytest.raises(InvalidError, match="no column is chosen"):
        begin(project, text="name")
    with pytest.raises(InvalidError, match="choose a table of texts"):
        begin(taught, text="name")
    made = begin(project, packed([], notes__md=b"# no image"))
    jobs.execute(made.job_id)
    made.refresh_from_db()
    assert made.state == "failed"
    assert made.error.startswith("No image of mine.zip can be read. notes.md: This is no image")


def test_more_images_than_a_zip_may_hold_are_refused(photos, monkeypatch):  # noqa: F811
    project, _ = photos
    made = begin(project)
    monkeypatch.setattr(image_files.ZipOfImages, "limits", image_files.Limits(members=5))
    monkeypatch.setattr(
        predicted_rows.FORMATS,
        "create",
        lambda name: image_files.ZipOfImages(limits=image_files.Limits(members=5)),
    )
    jobs.execute(made.job_id)
    made.refresh_from_db()
    assert (made.state, "more than 5 members" in made.error) == ("failed", True)


class TestPieces:
    """The work ends and begins anew, and no image is decoded twice."""

    @pytest.fixture
    def hurried(self, monkeypatch):
        monkeypatch.setattr(predicting, "IMAGES", 5)
        monkeypatch.setattr(predicting, "PIECE_SECONDS", 0.0)
        decoded, clean = [], image_files.clean
        monkeypatch.setattr(
            image_files,
            "clean",
            lambda *given, **more: (decoded.append(1), clean(*given, **more))[1],
        )
        return decoded

    def test_it_gives_way_between_parts_and_goes_on(self, photos, hurried):  # noqa: F811
        project, _ = photos
        whole = finish(begin(project, soft=True)).read_bytes()
        made = begin(project, soft=True)
        hurried.clear()
        Job.objects.create(kind="map", queue=made.job.queue, project=project)
        pieces = []
        while made.is_live and len(pieces) < 5:
            jobs.execute(made.job_id)
            pieces.append(Job.objects.get(pk=made.job_id).result)
            made.refresh_from_db()
        assert pieces == [{"rows": 5, "of": 12}, {"rows": 10, "of": 12}, {"rows": 12}]
        assert predictions.path_of(made).read_bytes() == whole
        assert len(hurried) == 12

    @pytest.mark.parametrize("moment", ["reading", "predicting"])
    def test_a_killed_worker_leaves_the_rest_to_the_next(
        self,
        photos,  # noqa: F811
        hurried,
        monkeypatch,
        moment,
    ):
        project, _ = photos
        whole = finish(begin(project, soft=True)).read_bytes()
        made, progress = begin(project, soft=True), jobs.Run.progress

        def killed(run, done, total, message=""):
            if message == {"reading": "Read 10 images", "predicting": "Predicting"}[moment]:
                raise KeyboardInterrupt
            progress(run, done, total, message)

        monkeypatch.setattr(jobs.Run, "progress", killed)
        with pytest.raises(KeyboardInterrupt):
            jobs.execute(made.job_id)
        monkeypatch.setattr(jobs.Run, "progress", progress)
        Job.objects.filter(pk=made.job_id).update(lease_until=timezone.now())
        assert finish(made).read_bytes() == whole
        assert not predictions.parts_of(made).exists()

    def test_kept_images_that_are_gone_are_read_anew(self, photos, hurried, monkeypatch):  # noqa: F811
        project, _ = photos
        made = begin(project)
        Job.objects.create(kind="map", queue=made.job.queue, project=project)
        jobs.execute(made.job_id)
        made.refresh_from_db()
        listed = predictions.parts_of(made) / "images" / predicted_rows.LISTED
        listed.unlink()
        Job.objects.filter(kind="map").delete()
        assert len(table(finish(made))) == 12

    def test_a_cancel_while_images_are_read_leaves_nothing(self, photos, hurried, monkeypatch):  # noqa: F811
        project, _ = photos
        made, progress = begin(project), jobs.Run.progress

        def cancelled(run, done, total, message=""):
            jobs.request_cancel(made.job)
            progress(run, done, total, message)

        monkeypatch.setattr(jobs.Run, "progress", cancelled)
        jobs.execute(made.job_id)
        made.refresh_from_db()
        assert (made.state, made.result_name) == ("cancelled", "")
        assert not predictions.parts_of(made).exists()

    def test_a_student_whose_files_go_meanwhile_ends_it_with_a_sentence(self, photos):  # noqa: F811
        project, _ = photos
        version = tune(project)
        made = begin(project, version=version)
        type(version).objects.filter(pk=version.pk).update(folder="")
        jobs.execute(made.job_id)
        made.refresh_from_db()
        assert made.state == "failed"
        assert "files of this student were removed meanwhile" in made.error


def test_on_the_page_over_the_api_and_by_the_command(photos, cast, tmp_path, capsys):  # noqa: F811
    project, _ = photos
    lea, here = Client(), f"/projects/{project.pk}/students/files"
    lea.force_login(cast.lea)
    page = lea.get(here).content.decode()
    assert 'accept=".zip"' in page
    assert "every image of a zip" in page
    assert "Column with the text" not in page
    form = {"file": SimpleUploadedFile("mine.zip", packed()), "format": "csv"}
    form["student"] = project.current_student.number
    assert lea.post(here, form).status_code == 302
    assert len(table(finish(PredictedFile.objects.get()))) == 12
    refused = lea.post(here, form | {"file": SimpleUploadedFile("t.csv", b"text\na\n")})
    assert refused.status_code == 422
    assert "choose a zip of images" in refused.content.decode()
    api = f"/api/v1/projects/{project.pk}/predictions"
    answer = lea.post(api, {"file": SimpleUploadedFile("m.zip", packed()), "format": "jsonl"})
    assert answer.status_code == 202
    finish(PredictedFile.objects.get(pk=answer.json()["id"]))
    assert lea.get(f"{api}/{answer.json()['id']}").json()["columns"] == ["image", "name", "folder"]
    for other in (cast.ben, cast.cleo):
        client = Client()
        client.force_login(other)
        assert client.get(f"{here}/{PredictedFile.objects.first().pk}/download").status_code == 404
    (tmp_path / "mine.zip").write_bytes(packed())
    call_command("predict", str(project.pk), tmp_path / "mine.zip", tmp_path / "out.csv")
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["rows"] == 12
    assert [row["predicted_label"] for row in table(tmp_path / "out.csv")] == RIGHT
