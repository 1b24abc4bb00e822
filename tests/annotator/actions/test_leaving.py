"""A student leaves as a folder: its card, its labels, and that it works where it arrives."""

import io
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.projects import schema
from annotator.actions.students import leaving, promoting
from annotator.actions.students.training import students_folder
from annotator.actions.verdicts import settling
from annotator.errors import NotFoundError
from annotator.models import Job, StudentVersion
from learning.storage import sha256_of
from learning.students import load
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.pages import Client

pytestmark = pytest.mark.django_db(transaction=True)

ELSEWHERE = """
import importlib, json, sys
sys.path.insert(0, ".")
student = importlib.import_module(sys.argv[1]).load()
texts = json.loads(sys.argv[2])
print(json.dumps([student.predict(texts).tolist(), student(texts)]))
"""


@pytest.fixture
def taught(cast):
    """A project with a student on TF-IDF vectors."""
    project, truth, _ = make_pool(cast, 45, description="Tickets | of a <b>shop</b>")
    encoding.wish_encoding(project)
    work()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 20)
    settling.wish_training(project)
    work()
    project.refresh_from_db()
    return project


def test_the_download_works_where_nothing_of_ours_is(taught, cast, tmp_path):
    version = taught.current_student
    lea = Client()
    lea.force_login(cast.lea)
    path = f"/projects/{taught.pk}/students/{version.number}/download"
    content = b"".join(lea.get(path).streaming_content)
    assert b"".join(lea.get(path).streaming_content) == content
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    archive.extractall(tmp_path)
    name = f"concord_{taught.pk}_student_{version.number}"
    assert {each.split("/")[0] for each in archive.namelist()} == {name}
    assert not [each for each in archive.namelist() if "pool" in each]

    texts = ["refund to my bank card", "the parcel is late", "locked account"]
    arguments = [sys.executable, "-I", "-c", ELSEWHERE, name, json.dumps(texts)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    said, names = json.loads(done.stdout)
    ready = encoding.encoder_of(version.encoding)
    here = load(students_folder(taught.pk) / version.folder).predict(ready.encode(texts))
    np.testing.assert_allclose(said, here, atol=1e-5)
    assert names == ["Billing", "Delivery", "Login"]


@pytest.mark.parametrize("path", ["/projects/{}/students/{}", "/api/v1/projects/{}/students/{}"])
def test_a_download_is_whole_though_the_student_is_deleted_while_it_is_sent(taught, cast, path):
    version = taught.current_student
    lea = Client()
    lea.force_login(cast.lea)
    here = path.format(taught.pk, version.pk if "api" in path else version.number)
    sent = lea.get(f"{here}/download").streaming_content
    begun = next(sent)
    taught.current_student = None
    taught.save(update_fields=["current_student"])
    promoting.delete(taught, version)
    assert not list(students_folder(taught.pk).glob("*"))
    whole = zipfile.ZipFile(io.BytesIO(begun + b"".join(sent)))
    assert whole.testzip() is None
    assert lea.get(f"{here}/download").status_code == 404


def test_files_that_go_while_a_download_begins_are_told_in_a_sentence(taught, monkeypatch):
    version, members = taught.current_student, leaving.members

    def late(version):
        found = members(version)
        shutil.rmtree(students_folder(taught.pk) / version.folder)
        return found

    monkeypatch.setattr(leaving, "members", late)
    with pytest.raises(NotFoundError, match="removed just now"):
        leaving.archive(version)


def test_the_manifest_says_by_what_it_could_be_made_again(taught):
    version = taught.current_student
    found = {name.split("/")[1]: content for name, content in leaving.members(version)}
    made = json.loads(found["manifest.json"].read_text())["made"]
    assert made["position"] == version.position
    assert made["seed"] == [taught.pk, version.position, version.trained_on]
    assert (made["kind"], made["params"]) == (version.kind, version.params)
    assert made["libraries"]["numpy"] == np.__version__
    assert {"python", "concord"} <= set(made["libraries"])
    assert version.digest == sha256_of(found["manifest.json"])


def test_a_lone_string_is_refused_by_a_student_that_left(taught, tmp_path):
    call_command("download_student", str(taught.pk), into=tmp_path)
    name = leaving.package_of(taught.current_student)
    for call in ("student('a text')", "student.predict('a text')", "student.encode('a text')"):
        script = ELSEWHERE.split("texts =")[0] + call
        done = subprocess.run(
            [sys.executable, "-I", "-c", script, name],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr.endswith(
            'TypeError: Give a list, also of a single one: student(["a text"]), or of images student(["one.png"]).\n'
        )


def test_the_card_says_what_it_is_and_how_good(taught, tmp_path):
    version = taught.current_student
    StudentVersion.objects.filter(pk=version.pk).update(
        accuracy=0.8, accuracy_low=0.7, accuracy_high=0.88, estimate="audit", evaluated_on=120
    )
    schema.archive_label(taught.labels.get(name="Login"))
    call_command("download_student", str(taught.pk), into=tmp_path)
    folder = tmp_path / f"concord_{taught.pk}_student_{version.number}"
    card = (folder / "README.md").read_text()
    assert "Tickets | of a &lt;b>shop" in card
    assert "**80.0%** (95 % interval 70.0% to 88.0%, Wilson) on 120 items drawn at random" in card
    assert f"position\n{version.position:,} of the project's ledger" in card
    assert "| Login (archived) |" in card
    assert "pip install numpy\n" in card
    labels = json.loads((folder / "labels.json").read_text())
    assert [label["archived"] for label in labels] == [False, False, True]
    arguments = [sys.executable, "-I", "-c", ELSEWHERE, folder.name, '["locked account"]']
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True)
    said, names = json.loads(done.stdout)
    assert said[0][2] == 0, "archived after it was trained"
    assert names != ["Login"]
    with pytest.raises(CommandError, match="there already"):
        call_command("download_student", str(taught.pk), into=tmp_path)


def test_the_card_of_one_whose_encoder_is_a_folder_here_says_that_it_has_to_be_named(taught):
    version = taught.current_student
    assert "student = load()" in card_of(version)
    version.encoding.encoder = "sentence-transformers"
    version.encoding.params = {"name": "/srv/models/house-model"}
    said = card_of(version)
    assert 'student = load(encoder="/a/folder/house-model")' in said
    assert "`house-model`, by which it reads, is not in this folder" in said
    assert "/srv" not in said


def card_of(version):
    (card,) = [each for name, each in leaving.members(version) if name.endswith("README.md")]
    return card.decode()


def test_the_card_of_a_tagger_that_leaves_says_what_it_gives(taught):
    version = taught.current_student
    version.kind, version.params, version.encoding = "token-finetune", {}, None
    members = dict(leaving.members(version))
    package = leaving.package_of(version)
    card = members[f"{package}/README.md"].decode()
    assert "pip install numpy torch transformers safetensors" in card
    assert '{"start": 2, "end": 6' in card
    assert "the transformer in `encoder/`" in card
    assert {f"{package}/model.py", f"{package}/words.py"} <= set(members)


@pytest.mark.parametrize(
    ("kind", "params", "said"),
    [
        ("decoder-lora", {"model": "some/llama"}, ["language model llama, which is not in this"]),
        ("token-head", {}, ["marks stretches of a text", "F1 of spans **80.0%**", "taggers.load"]),
    ],
)
def test_the_card_of_one_that_only_concord_runs_is_true_as_well(taught, kind, params, said):
    version = taught.current_student
    version.kind, version.params, version.estimate = kind, params, "audit"
    version.accuracy, version.accuracy_low, version.accuracy_high = 0.8, 0.7, 0.88
    card = dict(leaving.members(version))[f"{leaving.package_of(version)}/README.md"].decode()
    assert all(words in card for words in said)
    assert "`encoder/`" not in card


def test_training_by_command_gives_its_figures(taught, capsys):
    call_command("train", str(taught.pk), wait=True)
    told = json.loads(capsys.readouterr().out)
    student = StudentVersion.objects.get(number=told["student"])
    assert (told["kind"], told["current"]) == ("head", True)
    assert told["trained_on"] == student.trained_on > taught.current_student.trained_on - 1
    call_command("train", str(taught.pk))
    job = json.loads(capsys.readouterr().out)["job"]
    assert Job.objects.get(pk=job).kind == "train"
    with pytest.raises(CommandError, match="has no parameter 'epoch'"):
        call_command("train", str(taught.pk), kind="finetune", param=["epoch=3"])
    with pytest.raises(CommandError, match="one of head"):
        call_command("train", str(taught.pk), kind="oracle")
    with pytest.raises(CommandError, match="NAME=VALUE"):
        call_command("train", str(taught.pk), param=["epochs"])
    with pytest.raises(CommandError, match="“epochs” is given twice"):
        call_command("train", str(taught.pk), kind="finetune", param=["epochs=1", "epochs=2"])
