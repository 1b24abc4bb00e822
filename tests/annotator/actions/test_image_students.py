"""Students of images in a project: trained from its answers, promoted, asked, and gone."""

import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.imports import media
from annotator.actions.projects import redacting
from annotator.actions.queue import auditing
from annotator.actions.simulations import simulations
from annotator.actions.students import (
    background,
    leaving,
    pool_items,
    pools,
    promoting,
    teaching,
)
from annotator.actions.students.pool_items import pool_of
from annotator.actions.teachers import local_models
from annotator.errors import InvalidError
from annotator.models import Item, Job, JobState, Pick, StudentVersion, When
from learning.errors import UnreadableItemError
from learning.image_files import BLANK
from learning.students import pictures
from learning.students.predictions import read_predictions
from tests.annotator.actions.test_loop import WORDS, label_some, work
from tests.annotator.pages import Client
from tests.contracts.plugins import three_colours
from tests.factories import make_items, make_project
from tests.tiny_models import tiny_vision

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = {"epochs": 12, "batch": 8}


@pytest.fixture
def photos(cast):
    return make_photos(cast)


def make_photos(cast, **fields):
    """A project of images of three colours with a head, and a function that answers some."""
    looks = {"encoder": "pixels-pca", "encoder_params": {"colour": "rgb"}}
    fields = {**looks, "audit_share": 0.0, **fields}
    project = make_project(cast, item_kind="image", **fields)
    items = make_items(project, 45)
    for item, content in zip(project.items.order_by("number"), three_colours(45)[0], strict=True):
        name = media.store_image(project.pk, content, "png")
        Item.objects.filter(pk=item.pk).update(image=name, text="")
    auditing.recut(project)
    encoding.wish_encoding(project)
    work()
    names = list(WORDS)
    truth = {item.pk: names[item.number % 3] for item in items}
    ana = assigning.voice_of(project, cast.ana)

    def answer(count):
        label_some(project, ana, truth, count)
        work()

    answer(24)
    project.refresh_from_db()
    return project, answer


def tune(project, **params):
    teaching.start_training(project, "image-finetune", QUICK | params)
    work()
    return StudentVersion.objects.filter(project=project, kind="image-finetune").last()


def test_a_network_learns_from_the_images_and_speaks_of_all_of_them(photos):
    project, answer = photos
    version = tune(project)
    assert version.trained_on == 24
    assert len(version.by_epoch) == 12
    said = read_predictions(students_folder(project.pk) / version.folder / "pool")
    assert said.rows == 45
    labels = {label.pk: label.name for label in project.labels.all()}
    names = [labels[pk] for pk in version.label_ids]
    given = [names[column] for column in np.asarray(said.probabilities).argmax(axis=1)]
    right = [name == list(WORDS)[n % 3] for n, name in enumerate(given)]
    assert np.mean(right) > 0.9
    promoting.promote(project, version)
    work()
    project.refresh_from_db()
    assert project.current_student == version
    reason = Pick.objects.filter(project=project).order_by("rank").first().reason
    assert "the student" in reason
    answer(3)
    assert Job.objects.filter(project=project, state=JobState.FAILED).count() == 0


def test_items_that_come_later_are_looked_at_by_who_serves(photos):
    project, _ = photos
    version = tune(project)
    promoting.promote(project, version)
    work()
    late = make_items(project, 3)
    for item, content in zip(late, three_colours(3)[0], strict=True):
        name = media.store_image(project.pk, content, "png")
        Item.objects.filter(pk=item.pk).update(image=name, text="")
    redacting.redact_item(project.items.get(number=46), "a test")  # it is blank from now on
    encoding.wish_encoding(project)
    work()
    pools.wish(project)
    work()
    said = read_predictions(students_folder(project.pk) / version.folder / "pool")
    assert said.rows == 48
    given = np.asarray(said.probabilities).argmax(axis=1)
    assert given[45] == given[0], "both are red"
    assert given[47] == given[2], "both are blue"


def test_an_image_that_is_broken_on_disk_ends_the_training_and_is_named(photos):
    project, _ = photos
    answered = project.items.filter(verdict__state="decided").order_by("number").first()
    media.image_path(project.pk, answered.image).write_bytes(b"broken")
    teaching.start_training(project, "image-finetune", QUICK)
    job = Job.objects.filter(kind="finetune").last()
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert f"Item {answered.number}: An image cannot be read" in job.error
    assert not StudentVersion.objects.filter(kind="image-finetune").exists()


def test_an_image_that_is_redacted_while_it_learns_is_blank_from_then_on(photos, monkeypatch):
    project, _ = photos
    monkeypatch.setattr(pictures, "KEPT_BYTES", 0)  # each is read in each epoch
    answered = project.items.filter(verdict__state="decided").order_by("number").first()
    told = jobs.Run.progress

    def progress(run, done, total, message=""):
        if (done, message) == (5, "Training"):
            redacting.redact_item(answered, "a test")
        told(run, done, total, message)

    monkeypatch.setattr(jobs.Run, "progress", progress)
    tune(project)
    answered.refresh_from_db()
    assert answered.image == ""
    assert StudentVersion.objects.filter(kind="image-finetune").count() == 1


def test_an_image_that_is_redacted_while_it_is_encoded_is_blank(photos):
    project, _ = photos
    item = project.items.get(number=2)
    images = pool_items.images_of(project.items.all())
    redacting.redact_item(item, "a test")
    assert images[2] == BLANK
    gone = project.items.get(number=3)
    media.image_path(project.pk, gone.image).unlink()
    with pytest.raises(UnreadableItemError, match="Item 3: its file cannot be read"):
        encoding.contents(project, 0, 45)


def test_a_worker_that_dies_while_it_learns_leaves_the_rest_to_the_next(photos, monkeypatch):
    project, _ = photos
    teaching.start_training(project, "image-finetune", QUICK | {"checkpoint_steps": 1})
    job = Job.objects.filter(kind="finetune").last()
    steps = []

    def progress(run, done, total, message=""):
        if message == "Training":
            steps.append(done)
        if run.job.attempt == 1 and done == 5:
            raise jobs.FencedError("Another worker took this job over.")

    monkeypatch.setattr(jobs.Run, "progress", progress)
    jobs.execute(job.pk)
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    first = len(steps)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.DONE, 2), job.error
    assert min(done for done in steps[first:] if done) == 5, "it went on behind the checkpoint"


def test_students_of_texts_are_not_offered_where_items_are_images_nor_the_other_way(photos, cast):
    project, _ = photos
    assert [kind for kind, _ in teaching.kinds_of(project)] == ["image-finetune"]
    assert teaching.tuned_kind(project) == "image-finetune"
    assert [each.when for each in background.recipes_of(project)] == [When.NEVER]
    assert [name for name, _ in simulations.students_for(project)] == ["head"]
    with pytest.raises(InvalidError, match="A student is one of head, image-finetune"):
        teaching.start_training(project, "contrastive", {})
    texts = make_project(cast, name="Tickets")
    assert "image-finetune" not in [kind for kind, _ in teaching.kinds_of(texts)]


def test_it_trains_in_the_background_where_a_lead_says_so(photos):
    project, _ = photos
    background.change(project, recipes={"image-finetune": (When.ALWAYS, QUICK)})
    assert background.due(project, 99) == []
    assert [each.kind for each in background.due(project, 100)] == ["image-finetune"]


def test_its_pages_say_what_it_looks_at(photos, cast):
    project, _ = photos
    version = tune(project)
    lea = Client()
    lea.force_login(cast.lea)
    here = f"/projects/{project.pk}/students"
    compared = lea.get(f"{here}/compare?number={version.number}&number=1").content.decode()
    assert re.search(r"<td>Vectors by Pixels \+ PCA \(images\)[^<]*</td><td>Images</td>", compared)
    page = lea.get(here).content.decode()
    assert "looks at the images themselves" in page
    assert "small, built in" in page


def test_a_vision_model_of_the_data_folder_is_tuned_by_adapters(photos):
    project, _ = photos
    tiny_vision(local_models.folder() / "tiny-eyes", "dinov2")
    with pytest.raises(InvalidError, match="There is no such model"):
        teaching.start_training(project, "image-finetune", {"model": "other-eyes"})
    version = tune(project, model="tiny-eyes", method="lora", epochs=2)
    assert version.params["model"] == str(local_models.folder() / "tiny-eyes")
    left = {name.split("/", 1)[1]: content for name, content in leaving.members(version)}
    assert {"encoder/model.safetensors", "encoder/preprocessor_config.json"} <= set(left)
    assert "network.safetensors" not in left
    card = left["README.md"].decode()
    assert "the image model in `encoder/`" in card
    assert "pip install numpy torch safetensors pillow transformers\n" in card
    assert not any(name.endswith("network.py") for name in left)
    assert "(tiny-eyes)" in card
    assert str(local_models.folder()) not in card


ELSEWHERE = """
import importlib, importlib.util, json, sys
sys.path.insert(0, ".")
assert importlib.util.find_spec("learning") is None
student = importlib.import_module(sys.argv[1]).load()
paths = json.loads(sys.argv[2])
for alone in (paths[0], importlib.import_module("pathlib").Path(paths[0]), b"bytes of a file"):
    try:
        student(alone)
    except TypeError as error:
        assert "Give a list" in str(error)
    else:
        raise AssertionError("it was taken for a list")
print(json.dumps([student.predict(paths).tolist(), student(paths)]))
"""


def test_it_works_where_nothing_of_ours_is(photos, tmp_path: Path):
    project, _ = photos
    version = tune(project)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in leaving.members(version):
            archive.writestr(name, content if isinstance(content, bytes) else content.read_bytes())
    zipfile.ZipFile(buffer).extractall(tmp_path)
    pool = pool_of(project)
    paths = list(pool[0:45].paths)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, leaving.package_of(version), json.dumps(paths)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    there, names = json.loads(done.stdout)
    said = read_predictions(students_folder(project.pk) / version.folder / "pool")
    np.testing.assert_allclose(there, np.asarray(said.probabilities), atol=1e-5)
    assert set(names) == set(WORDS)
    card = (tmp_path / leaving.package_of(version) / "README.md").read_text()
    assert "gives an image one of 3 labels" in card
    assert "began with weights by chance" in card
    assert "pip install numpy torch safetensors pillow\n" in card
    assert 'student(["one.png", "another.jpg"])' in card
    head = leaving.members(StudentVersion.objects.filter(kind="head").last())
    told = next(content for name, content in head if name.endswith("README.md")).decode()
    assert "pip install numpy pillow\n" in told
    assert 'student(["one.png", "another.jpg"])' in told
